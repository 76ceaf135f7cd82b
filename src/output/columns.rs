//! The columns of a table of predictions: each named once, with its type, for CSV, Parquet, filters, Markdown and the text table alike.

use super::grid::{Align, Grid};
use super::number;
use super::record::{QualityRecord, Record};
use crate::model::QualityMetric;

/// Which of two values of a figure one would rather have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The greater.
    High,
    /// The smaller.
    Low,
}

/// How a column's values are got from a record, by what they are.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// A name out of few.
    Text(fn(&Record) -> Option<&str>),
    /// A figure in base units.
    Number(fn(&Record) -> Option<f64>),
    /// Bytes, tokens and other counts.
    Whole(fn(&Record) -> Option<u64>),
    /// Yes or no.
    Truth(fn(&Record) -> Option<bool>),
}

/// A value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A name.
    Text(&'a str),
    /// A figure in base units.
    Number(f64),
    /// A count.
    Whole(u64),
    /// Yes or no.
    Truth(bool),
    /// It does not apply.
    None,
}

impl Value<'_> {
    /// As a program reads it; nothing for none.
    #[must_use]
    pub fn plain(&self) -> String {
        match *self {
            Self::Text(text) => text.to_owned(),
            Self::Number(value) => number::plain(value),
            Self::Whole(value) => value.to_string(),
            Self::Truth(value) => value.to_string(),
            Self::None => String::new(),
        }
    }
}

/// A column of a table of predictions.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, which is the key of the JSON; those of nested keys are joined by an underscore.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
    /// Which values are the better ones; none where that is a matter of taste.
    pub better: Option<Better>,
    /// Whether it is an end of an interval, which takes about as long to work out as the figure.
    pub of_interval: bool,
}

impl Column {
    const fn text(name: &'static str, get: fn(&Record) -> Option<&str>) -> Self {
        Self::new(name, Values::Text(get))
    }

    const fn number(name: &'static str, get: fn(&Record) -> Option<f64>) -> Self {
        Self::new(name, Values::Number(get))
    }

    const fn whole(name: &'static str, get: fn(&Record) -> Option<u64>) -> Self {
        Self::new(name, Values::Whole(get))
    }

    const fn truth(name: &'static str, get: fn(&Record) -> Option<bool>) -> Self {
        Self::new(name, Values::Truth(get))
    }

    const fn new(name: &'static str, values: Values) -> Self {
        Self {
            name,
            values,
            better: None,
            of_interval: false,
        }
    }

    /// The same for an end of an interval.
    const fn of_interval(self) -> Self {
        Self {
            of_interval: true,
            ..self
        }
    }

    /// The same where the greater value is the better one.
    const fn high(self) -> Self {
        Self {
            better: Some(Better::High),
            ..self
        }
    }

    /// The same where the smaller value is the better one.
    const fn low(self) -> Self {
        Self {
            better: Some(Better::Low),
            ..self
        }
    }

    /// The column of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        COLUMNS.iter().find(|column| column.name == name)
    }

    /// Its value in a record.
    #[must_use]
    pub fn value<'a>(&self, record: &'a Record) -> Value<'a> {
        match self.values {
            Values::Text(get) => get(record).map_or(Value::None, Value::Text),
            Values::Number(get) => get(record).map_or(Value::None, Value::Number),
            Values::Whole(get) => get(record).map_or(Value::None, Value::Whole),
            Values::Truth(get) => get(record).map_or(Value::None, Value::Truth),
        }
    }
}

/// Every column of the CSV, in the order of the record's keys.
pub const COLUMNS: &[Column] = &[
    Column::text("model", |r| Some(&r.model)),
    Column::text("hardware", |r| Some(&r.hardware)),
    Column::text("backend", |r| Some(r.backend.name())),
    Column::text("precision", |r| Some(r.precision.name())),
    Column::text("mix", |r| r.mix),
    Column::text("formulas", |r| Some(r.formulas.name())),
    Column::text("power_mode", |r| r.power_mode.as_deref()),
    Column::whole("prompt", |r| Some(r.workload.prompt)),
    Column::whole("generate", |r| Some(r.workload.generate)),
    Column::whole("depth", |r| Some(r.workload.depth)),
    Column::whole("context", |r| Some(r.workload.context)),
    Column::whole("batch", |r| Some(r.workload.batch)),
    Column::whole("ubatch", |r| Some(r.workload.ubatch)),
    Column::whole("sequences", |r| Some(r.workload.sequences)),
    Column::text("cache_type_k", |r| Some(r.workload.cache_type_k.name())),
    Column::text("cache_type_v", |r| Some(r.workload.cache_type_v.name())),
    Column::whole("threads", |r| r.workload.threads),
    Column::whole("gpu_layers", |r| r.workload.gpu_layers),
    Column::whole("parameters", |r| Some(r.parameters)).high(),
    Column::whole("active_parameters", |r| r.active_parameters).high(),
    Column::number("flops_per_token", |r| Some(r.flops_per_token)),
    Column::whole("weight_bytes", |r| Some(r.weight_bytes)).low(),
    Column::whole("kv_cache_bytes", |r| Some(r.kv_cache_bytes)).low(),
    Column::whole("activation_bytes", |r| Some(r.activation_bytes)).low(),
    Column::whole("repacked_bytes", |r| r.repacked_bytes).low(),
    Column::whole("runtime_bytes", |r| r.runtime_bytes).low(),
    Column::whole("memory_bytes", |r| Some(r.memory_bytes)).low(),
    Column::number("memory_bytes_low", |r| r.intervals().memory_bytes.map(|[low, _]| low))
        .of_interval()
        .low(),
    Column::number("memory_bytes_high", |r| {
        r.intervals().memory_bytes.map(|[_, high]| high)
    })
    .of_interval()
    .low(),
    Column::whole("capacity_bytes", |r| Some(r.capacity_bytes)),
    Column::truth("fits", |r| Some(r.fits)).high(),
    Column::number("arithmetic_intensity", |r| r.arithmetic_intensity),
    Column::number("ridge_intensity", |r| r.ridge_intensity),
    Column::number("compute_s", |r| r.compute_s).low(),
    Column::number("memory_s", |r| r.memory_s).low(),
    Column::number("overhead_s", |r| r.overhead_s).low(),
    Column::number("io_s", |r| r.io_s).low(),
    Column::number("h2d_s", |r| r.h2d_s).low(),
    Column::number("repack_s", |r| r.repack_s).low(),
    Column::number("network_s", |r| r.network_s).low(),
    Column::number("end_to_end_s", |r| r.end_to_end_s).low(),
    Column::number("prefill_s", |r| r.prefill_s).low(),
    Column::number("prefill_tokens_per_s", |r| r.prefill_tokens_per_s).high(),
    Column::number("prefill_tokens_per_s_low", |r| {
        r.intervals().prefill_tokens_per_s.map(|[low, _]| low)
    })
    .of_interval()
    .high(),
    Column::number("prefill_tokens_per_s_high", |r| {
        r.intervals().prefill_tokens_per_s.map(|[_, high]| high)
    })
    .of_interval()
    .high(),
    Column::number("ttft_s", |r| r.ttft_s).low(),
    Column::number("decode_s_per_token", |r| r.decode_s_per_token).low(),
    Column::number("decode_tokens_per_s", |r| r.decode_tokens_per_s).high(),
    Column::number("decode_tokens_per_s_low", |r| {
        r.intervals().decode_tokens_per_s.map(|[low, _]| low)
    })
    .of_interval()
    .high(),
    Column::number("decode_tokens_per_s_high", |r| {
        r.intervals().decode_tokens_per_s.map(|[_, high]| high)
    })
    .of_interval()
    .high(),
    Column::number("energy_j_per_token", |r| r.energy_j_per_token).low(),
    Column::number("prefill_energy_j_per_token", |r| r.prefill_energy_j_per_token).low(),
    Column::number("prefill_energy_j_per_token_low", |r| {
        r.intervals().prefill_energy_j_per_token.map(|[low, _]| low)
    })
    .of_interval()
    .low(),
    Column::number("prefill_energy_j_per_token_high", |r| {
        r.intervals().prefill_energy_j_per_token.map(|[_, high]| high)
    })
    .of_interval()
    .low(),
    Column::number("decode_energy_j_per_token", |r| r.decode_energy_j_per_token).low(),
    Column::number("decode_energy_j_per_token_low", |r| {
        r.intervals().decode_energy_j_per_token.map(|[low, _]| low)
    })
    .of_interval()
    .low(),
    Column::number("decode_energy_j_per_token_high", |r| {
        r.intervals().decode_energy_j_per_token.map(|[_, high]| high)
    })
    .of_interval()
    .low(),
    Column::number("request_energy_j", |r| r.economy.request_energy_j).low(),
    Column::number("prefill_action_j_s_per_token", |r| {
        r.economy.prefill_action_j_s_per_token
    })
    .low(),
    Column::number("decode_action_j_s_per_token", |r| r.economy.decode_action_j_s_per_token).low(),
    Column::text("currency", |r| {
        r.economy.currency.as_ref().map(crate::economy::Currency::code)
    }),
    Column::number("input_cost_per_million_tokens", |r| {
        r.economy.input_cost_per_million_tokens
    })
    .low(),
    Column::number("output_cost_per_million_tokens", |r| {
        r.economy.output_cost_per_million_tokens
    })
    .low(),
    Column::number("request_cost", |r| r.economy.request_cost).low(),
    Column::number("input_api_price_over_cost", |r| r.economy.input_api_price_over_cost).high(),
    Column::number("output_api_price_over_cost", |r| r.economy.output_api_price_over_cost).high(),
    Column::number("request_api_price_over_cost", |r| r.economy.request_api_price_over_cost).high(),
    Column::number("input_co2_kg_per_million_tokens", |r| {
        r.economy.input_co2_kg_per_million_tokens
    })
    .low(),
    Column::number("output_co2_kg_per_million_tokens", |r| {
        r.economy.output_co2_kg_per_million_tokens
    })
    .low(),
    Column::number("request_co2_kg", |r| r.economy.request_co2_kg).low(),
    Column::number("battery_j", |r| r.economy.battery_j),
    Column::number("battery_requests", |r| r.economy.battery_requests).high(),
    Column::number("battery_s", |r| r.economy.battery_s).high(),
    Column::number("reading_speed_tokens_per_s", |r| r.economy.reading_speed_tokens_per_s),
    Column::truth("reading_speed_met", |r| r.economy.reading_speed_met).high(),
    Column::text("prefill_bound", |r| r.bound.prefill.map(crate::perf::Bound::name)),
    Column::text("decode_bound", |r| r.bound.decode.map(crate::perf::Bound::name)),
    Column::text("calibration", |r| r.basis.calibration.as_deref()),
    Column::number("held_out_error", |r| r.basis.held_out_error).low(),
    Column::truth("inside_measured_range", |r| r.basis.inside_measured_range).high(),
    Column::number("paging_s_per_token", |r| r.paging_s_per_token).low(),
    Column::number("perplexity", |r| r.published(QualityMetric::Perplexity)).low(),
    Column::number("perplexity_over_unquantised", |r| {
        r.over_unquantised(QualityMetric::Perplexity)
    })
    .low(),
    Column::number("accuracy", |r| r.published(QualityMetric::Accuracy)).high(),
];

/// A published figure, and by how much it differs from the unquantised model's: `perplexity 6.407 (+2.8 %)`.
#[must_use]
pub fn quality(quality: &QualityRecord) -> String {
    let text = match quality.metric {
        QualityMetric::Perplexity => format!("perplexity {}", number::significant(quality.value, 4)),
        QualityMetric::Accuracy => format!("accuracy {}", number::percent(quality.value)),
    };
    match quality.over_unquantised {
        Some(ratio) => format!("{text} ({:+.1} %)", 100.0 * (ratio - 1.0)),
        None => text,
    }
}

/// Predictions as CSV, one row each under a header.
#[must_use]
pub fn csv(records: &[Record]) -> String {
    let mut grid = Grid::new(COLUMNS.iter().map(|column| (column.name, Align::Left)));
    for record in records {
        grid.row(COLUMNS.iter().map(|column| column.value(record).plain()));
    }
    grid.csv()
}

/// A column of a comparison: what its cells say, and by what they are put in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The title.
    pub title: &'static str,
    /// On which side the cells are flush.
    pub align: Align,
    /// For each prediction the text, and the number behind it if it is one.
    pub cells: Vec<(String, Option<f64>)>,
}

/// Predictions side by side, as people read them; columns that are empty in every row are left out.
#[must_use]
pub fn comparison(records: &[Record]) -> Grid {
    let columns = compared(records);
    let mut grid = Grid::new(columns.iter().map(|column| (column.title, column.align)));
    for at in 0..records.len() {
        grid.row(columns.iter().map(|column| column.cells[at].0.clone()));
    }
    grid
}

/// The columns of [`comparison`].
#[must_use]
pub fn compared(records: &[Record]) -> Vec<Compared> {
    type Shown = (&'static str, Align, fn(&Record) -> String, fn(&Record) -> Option<f64>);
    const fn words(_: &Record) -> Option<f64> {
        None
    }
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
        ("model", Align::Left, |r| r.model.clone(), words),
        (
            "hardware",
            Align::Left,
            |r| match &r.power_mode {
                Some(mode) => format!("{} {mode}", r.hardware),
                None => r.hardware.clone(),
            },
            words,
        ),
        ("backend", Align::Left, |r| r.backend.name().to_owned(), words),
        (
            "precision",
            Align::Left,
            |r| match r.mix {
                Some(mix) if mix != r.precision.name() => format!("{} ({mix})", r.precision),
                _ => r.precision.to_string(),
            },
            words,
        ),
        (
            "weights",
            Align::Right,
            |r| number::bytes(r.weight_bytes as f64),
            |r| Some(r.weight_bytes as f64),
        ),
        (
            "memory",
            Align::Right,
            |r| number::bytes(r.memory_bytes as f64),
            |r| Some(r.memory_bytes as f64),
        ),
        (
            "fits",
            Align::Left,
            |r| if r.fits { "yes" } else { "no" }.to_owned(),
            words,
        ),
        (
            "prefill tokens/s",
            Align::Right,
            |r| range(r.prefill_tokens_per_s, r.intervals().prefill_tokens_per_s),
            |r| r.prefill_tokens_per_s,
        ),
        (
            "decode tokens/s",
            Align::Right,
            |r| range(r.decode_tokens_per_s, r.intervals().decode_tokens_per_s),
            |r| r.decode_tokens_per_s,
        ),
        (
            "first token",
            Align::Right,
            |r| shown(r.ttft_s, number::seconds),
            |r| r.ttft_s,
        ),
        (
            "compute",
            Align::Right,
            |r| match r.formulas {
                crate::scenario::Formulas::Edgeprofiler => shown(r.compute_s, number::seconds),
                crate::scenario::Formulas::Exact => String::new(),
            },
            |r| r.compute_s,
        ),
        (
            "memory latency",
            Align::Right,
            |r| match r.formulas {
                crate::scenario::Formulas::Edgeprofiler => shown(r.memory_s, number::seconds),
                crate::scenario::Formulas::Exact => String::new(),
            },
            |r| r.memory_s,
        ),
        (
            "end to end",
            Align::Right,
            |r| shown(r.end_to_end_s, number::seconds),
            |r| r.end_to_end_s,
        ),
        (
            "paging per token",
            Align::Right,
            |r| {
                shown(r.paging_s_per_token, |wait| {
                    format!("at least {}", number::seconds(wait))
                })
            },
            |r| r.paging_s_per_token,
        ),
        (
            "J/token",
            Align::Right,
            |r| {
                shown(r.decode_energy_j_per_token.or(r.energy_j_per_token), |j| {
                    number::significant(j, 3)
                })
            },
            |r| r.decode_energy_j_per_token.or(r.energy_j_per_token),
        ),
        (
            "published quality",
            Align::Right,
            |r| r.quality.as_ref().map_or_else(String::new, quality),
            |r| r.quality.as_ref().map(|quality| quality.value),
        ),
        (
            "cost of 1M in",
            Align::Right,
            |r| cost(r, r.economy.input_cost_per_million_tokens),
            |r| r.economy.input_cost_per_million_tokens,
        ),
        (
            "1M out",
            Align::Right,
            |r| cost(r, r.economy.output_cost_per_million_tokens),
            |r| r.economy.output_cost_per_million_tokens,
        ),
        (
            "of API price",
            Align::Right,
            |r| {
                shown(r.economy.request_api_price_over_cost, |ratio| {
                    number::percent(1.0 / ratio)
                })
            },
            |r| r.economy.request_api_price_over_cost.map(f64::recip),
        ),
        (
            "CO2 of 1M out",
            Align::Right,
            |r| shown(r.economy.output_co2_kg_per_million_tokens, number::kilograms),
            |r| r.economy.output_co2_kg_per_million_tokens,
        ),
        (
            "requests per battery",
            Align::Right,
            |r| shown(r.economy.battery_requests, |requests| number::count(requests.floor())),
            |r| r.economy.battery_requests,
        ),
        (
            "calibration",
            Align::Left,
            |r| r.basis.calibration.clone().unwrap_or_default(),
            words,
        ),
    ];
    SHOWN
        .iter()
        .map(|&(title, align, text, key)| Compared {
            title,
            align,
            cells: records.iter().map(|record| (text(record), key(record))).collect(),
        })
        .filter(|column| column.cells.iter().any(|(text, _)| !text.is_empty()))
        .collect()
}
