//! The columns of a table of predictions: each named once, for CSV, Markdown and the text table alike.

use super::grid::{Align, Grid};
use super::number;
use super::record::Record;

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Number(f64),
    Whole(u64),
    Truth(bool),
    None,
}

impl Cell {
    /// As a program reads it; nothing for none.
    fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) => number::plain(*value),
            Self::Whole(value) => value.to_string(),
            Self::Truth(value) => value.to_string(),
            Self::None => String::new(),
        }
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::None, Self::Number)
    }
}

impl From<Option<u64>> for Cell {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::None, Self::Whole)
    }
}

impl From<Option<&str>> for Cell {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::None, |text| Self::Text(text.to_owned()))
    }
}

type Column = (&'static str, fn(&Record) -> Cell);

/// Every column of the CSV, in the order of the record's keys; those of nested keys are joined by an underscore.
const COLUMNS: &[Column] = &[
    ("model", |r| Cell::Text(r.model.clone())),
    ("hardware", |r| Cell::Text(r.hardware.clone())),
    ("backend", |r| Cell::Text(r.backend.name().to_owned())),
    ("precision", |r| Cell::Text(r.precision.name().to_owned())),
    ("mix", |r| r.mix.into()),
    ("formulas", |r| Cell::Text(r.formulas.name().to_owned())),
    ("power_mode", |r| r.power_mode.as_deref().into()),
    ("prompt", |r| Cell::Whole(r.workload.prompt)),
    ("generate", |r| Cell::Whole(r.workload.generate)),
    ("depth", |r| Cell::Whole(r.workload.depth)),
    ("context", |r| Cell::Whole(r.workload.context)),
    ("batch", |r| Cell::Whole(r.workload.batch)),
    ("ubatch", |r| Cell::Whole(r.workload.ubatch)),
    ("sequences", |r| Cell::Whole(r.workload.sequences)),
    ("cache_type_k", |r| {
        Cell::Text(r.workload.cache_type_k.name().to_owned())
    }),
    ("cache_type_v", |r| {
        Cell::Text(r.workload.cache_type_v.name().to_owned())
    }),
    ("threads", |r| r.workload.threads.into()),
    ("gpu_layers", |r| r.workload.gpu_layers.into()),
    ("parameters", |r| Cell::Whole(r.parameters)),
    ("active_parameters", |r| r.active_parameters.into()),
    ("flops_per_token", |r| Cell::Number(r.flops_per_token)),
    ("weight_bytes", |r| Cell::Whole(r.weight_bytes)),
    ("kv_cache_bytes", |r| Cell::Whole(r.kv_cache_bytes)),
    ("activation_bytes", |r| Cell::Whole(r.activation_bytes)),
    ("repacked_bytes", |r| r.repacked_bytes.into()),
    ("runtime_bytes", |r| r.runtime_bytes.into()),
    ("memory_bytes", |r| Cell::Whole(r.memory_bytes)),
    ("memory_bytes_low", |r| {
        r.intervals.memory_bytes.map(|[low, _]| low).into()
    }),
    ("memory_bytes_high", |r| {
        r.intervals.memory_bytes.map(|[_, high]| high).into()
    }),
    ("capacity_bytes", |r| Cell::Whole(r.capacity_bytes)),
    ("fits", |r| Cell::Truth(r.fits)),
    ("arithmetic_intensity", |r| r.arithmetic_intensity.into()),
    ("ridge_intensity", |r| r.ridge_intensity.into()),
    ("compute_s", |r| r.compute_s.into()),
    ("memory_s", |r| r.memory_s.into()),
    ("overhead_s", |r| r.overhead_s.into()),
    ("io_s", |r| r.io_s.into()),
    ("h2d_s", |r| r.h2d_s.into()),
    ("repack_s", |r| r.repack_s.into()),
    ("network_s", |r| r.network_s.into()),
    ("end_to_end_s", |r| r.end_to_end_s.into()),
    ("prefill_s", |r| r.prefill_s.into()),
    ("prefill_tokens_per_s", |r| r.prefill_tokens_per_s.into()),
    ("prefill_tokens_per_s_low", |r| {
        r.intervals.prefill_tokens_per_s.map(|[low, _]| low).into()
    }),
    ("prefill_tokens_per_s_high", |r| {
        r.intervals.prefill_tokens_per_s.map(|[_, high]| high).into()
    }),
    ("ttft_s", |r| r.ttft_s.into()),
    ("decode_s_per_token", |r| r.decode_s_per_token.into()),
    ("decode_tokens_per_s", |r| r.decode_tokens_per_s.into()),
    ("decode_tokens_per_s_low", |r| {
        r.intervals.decode_tokens_per_s.map(|[low, _]| low).into()
    }),
    ("decode_tokens_per_s_high", |r| {
        r.intervals.decode_tokens_per_s.map(|[_, high]| high).into()
    }),
    ("energy_j_per_token", |r| r.energy_j_per_token.into()),
    ("prefill_energy_j_per_token", |r| r.prefill_energy_j_per_token.into()),
    ("decode_energy_j_per_token", |r| r.decode_energy_j_per_token.into()),
    ("decode_energy_j_per_token_low", |r| {
        r.intervals.decode_energy_j_per_token.map(|[low, _]| low).into()
    }),
    ("decode_energy_j_per_token_high", |r| {
        r.intervals.decode_energy_j_per_token.map(|[_, high]| high).into()
    }),
    ("request_energy_j", |r| r.economy.request_energy_j.into()),
    ("prefill_action_j_s_per_token", |r| {
        r.economy.prefill_action_j_s_per_token.into()
    }),
    ("decode_action_j_s_per_token", |r| {
        r.economy.decode_action_j_s_per_token.into()
    }),
    ("currency", |r| {
        r.economy.currency.as_ref().map(crate::economy::Currency::code).into()
    }),
    ("input_cost_per_million_tokens", |r| {
        r.economy.input_cost_per_million_tokens.into()
    }),
    ("output_cost_per_million_tokens", |r| {
        r.economy.output_cost_per_million_tokens.into()
    }),
    ("request_cost", |r| r.economy.request_cost.into()),
    ("input_api_price_over_cost", |r| {
        r.economy.input_api_price_over_cost.into()
    }),
    ("output_api_price_over_cost", |r| {
        r.economy.output_api_price_over_cost.into()
    }),
    ("request_api_price_over_cost", |r| {
        r.economy.request_api_price_over_cost.into()
    }),
    ("input_co2_kg_per_million_tokens", |r| {
        r.economy.input_co2_kg_per_million_tokens.into()
    }),
    ("output_co2_kg_per_million_tokens", |r| {
        r.economy.output_co2_kg_per_million_tokens.into()
    }),
    ("request_co2_kg", |r| r.economy.request_co2_kg.into()),
    ("battery_j", |r| r.economy.battery_j.into()),
    ("battery_requests", |r| r.economy.battery_requests.into()),
    ("battery_s", |r| r.economy.battery_s.into()),
    ("reading_speed_tokens_per_s", |r| {
        r.economy.reading_speed_tokens_per_s.into()
    }),
    ("reading_speed_met", |r| {
        r.economy.reading_speed_met.map_or(Cell::None, Cell::Truth)
    }),
    ("prefill_bound", |r| {
        r.bound.prefill.map(crate::perf::Bound::name).into()
    }),
    ("decode_bound", |r| r.bound.decode.map(crate::perf::Bound::name).into()),
    ("calibration", |r| r.basis.calibration.as_deref().into()),
    ("held_out_error", |r| r.basis.held_out_error.into()),
    ("inside_measured_range", |r| {
        r.basis.inside_measured_range.map_or(Cell::None, Cell::Truth)
    }),
];

/// Predictions as CSV, one row each under a header.
#[must_use]
pub fn csv(records: &[Record]) -> String {
    let mut grid = Grid::new(COLUMNS.iter().map(|&(name, _)| (name, Align::Left)));
    for record in records {
        grid.row(COLUMNS.iter().map(|(_, cell)| cell(record).plain()));
    }
    grid.csv()
}

/// Predictions side by side, as people read them; columns that are empty in every row are left out.
#[must_use]
pub fn comparison(records: &[Record]) -> Grid {
    type Shown = (&'static str, Align, fn(&Record) -> String);
    fn shown(value: Option<f64>, text: fn(f64) -> String) -> String {
        value.map(text).unwrap_or_default()
    }
    fn range(rate: Option<f64>, interval: Option<[f64; 2]>) -> String {
        let [Some(rate), Some([low, high])] = [rate.map(|rate| [rate, rate]), interval] else {
            return shown(rate, number::rate);
        };
        format!(
            "{} ({} to {})",
            number::rate(rate[0]),
            number::rate(low),
            number::rate(high)
        )
    }
    fn cost(record: &Record, amount: Option<f64>) -> String {
        amount
            .map(|amount| number::money(amount, record.economy.currency.as_ref()))
            .unwrap_or_default()
    }
    const SHOWN: &[Shown] = &[
        ("model", Align::Left, |r| r.model.clone()),
        ("hardware", Align::Left, |r| match &r.power_mode {
            Some(mode) => format!("{} {mode}", r.hardware),
            None => r.hardware.clone(),
        }),
        ("backend", Align::Left, |r| r.backend.name().to_owned()),
        ("precision", Align::Left, |r| match r.mix {
            Some(mix) if mix != r.precision.name() => format!("{} ({mix})", r.precision),
            _ => r.precision.to_string(),
        }),
        ("weights", Align::Right, |r| number::bytes(r.weight_bytes as f64)),
        ("memory", Align::Right, |r| number::bytes(r.memory_bytes as f64)),
        ("fits", Align::Left, |r| if r.fits { "yes" } else { "no" }.to_owned()),
        ("prefill tokens/s", Align::Right, |r| {
            range(r.prefill_tokens_per_s, r.intervals.prefill_tokens_per_s)
        }),
        ("decode tokens/s", Align::Right, |r| {
            range(r.decode_tokens_per_s, r.intervals.decode_tokens_per_s)
        }),
        ("first token", Align::Right, |r| shown(r.ttft_s, number::seconds)),
        ("compute", Align::Right, |r| match r.formulas {
            crate::scenario::Formulas::Edgeprofiler => shown(r.compute_s, number::seconds),
            crate::scenario::Formulas::Exact => String::new(),
        }),
        ("memory latency", Align::Right, |r| match r.formulas {
            crate::scenario::Formulas::Edgeprofiler => shown(r.memory_s, number::seconds),
            crate::scenario::Formulas::Exact => String::new(),
        }),
        ("end to end", Align::Right, |r| shown(r.end_to_end_s, number::seconds)),
        ("J/token", Align::Right, |r| {
            shown(r.decode_energy_j_per_token.or(r.energy_j_per_token), |j| {
                number::significant(j, 3)
            })
        }),
        ("cost of 1M in", Align::Right, |r| {
            cost(r, r.economy.input_cost_per_million_tokens)
        }),
        ("1M out", Align::Right, |r| {
            cost(r, r.economy.output_cost_per_million_tokens)
        }),
        ("of API price", Align::Right, |r| {
            shown(r.economy.request_api_price_over_cost, |ratio| {
                number::percent(1.0 / ratio)
            })
        }),
        ("CO2 of 1M out", Align::Right, |r| {
            shown(r.economy.output_co2_kg_per_million_tokens, number::kilograms)
        }),
        ("requests per battery", Align::Right, |r| {
            shown(r.economy.battery_requests, |requests| number::count(requests.floor()))
        }),
        ("calibration", Align::Left, |r| {
            r.basis.calibration.clone().unwrap_or_default()
        }),
    ];
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| SHOWN.iter().map(|(.., cell)| cell(record)).collect())
        .collect();
    let used: Vec<usize> = (0..SHOWN.len())
        .filter(|&at| rows.iter().any(|row| !row[at].is_empty()))
        .collect();
    let mut grid = Grid::new(used.iter().map(|&at| (SHOWN[at].0, SHOWN[at].1)));
    for row in rows {
        grid.row(used.iter().map(|&at| row[at].clone()));
    }
    grid
}
