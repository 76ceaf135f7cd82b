//! Two targets side by side on the same model, precision and work.

mod pay_back;

pub use pay_back::{PayBack, Purchase, Use};

use crate::economy::EnergyPrice;
use crate::output::Record;
use crate::perf::Interval;
use pay_back::pay_back;

/// One of the two.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What it answers.
    pub record: &'a Record,
    /// What it costs to buy; none if nobody says.
    pub price: Option<Purchase>,
}

/// What a figure is of, which says how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Unit {
    TokensPerSecond,
    Seconds,
    Joules,
    JouleSeconds,
    Bytes,
    Money,
    Kilograms,
    Count,
}

/// Which side is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// The first.
    A,
    /// The second.
    B,
    /// The figures are the same.
    Neither,
}

/// One figure of both.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Row {
    /// Key of the figure in [`Record`].
    pub metric: &'static str,
    /// What people call it.
    #[serde(skip)]
    pub title: &'static str,
    /// What it is of.
    pub unit: Unit,
    /// The first's.
    pub a: Option<f64>,
    /// The second's.
    pub b: Option<f64>,
    /// The second's over the first's.
    pub b_over_a: Option<f64>,
    /// Which is better; none where a figure is missing, unless it is since the model does not fit there.
    pub better: Option<Better>,
    /// Whether their 90 % intervals lie apart; none where there are none.
    pub intervals_apart: Option<bool>,
}

/// Two targets side by side.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Figure by figure.
    pub metrics: Vec<Row>,
    /// When the dearer one has paid for itself, by use.
    pub break_even: Vec<PayBack>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

struct Metric {
    key: &'static str,
    title: &'static str,
    unit: Unit,
    more_is_better: bool,
    figure: fn(&Record) -> Option<f64>,
    interval: fn(&Record) -> Option<Interval>,
}

const fn metric(
    key: &'static str,
    title: &'static str,
    unit: Unit,
    more_is_better: bool,
    figure: fn(&Record) -> Option<f64>,
) -> Metric {
    Metric {
        key,
        title,
        unit,
        more_is_better,
        figure,
        interval: |_| None,
    }
}

impl Metric {
    const fn within(self, interval: fn(&Record) -> Option<Interval>) -> Self {
        Self { interval, ..self }
    }
}

const METRICS: [Metric; 17] = [
    metric("prefill_tokens_per_s", "prefill", Unit::TokensPerSecond, true, |r| {
        r.prefill_tokens_per_s
    })
    .within(|r| r.intervals().prefill_tokens_per_s),
    metric("decode_tokens_per_s", "decode", Unit::TokensPerSecond, true, |r| {
        r.decode_tokens_per_s
    })
    .within(|r| r.intervals().decode_tokens_per_s),
    metric("ttft_s", "time to first token", Unit::Seconds, false, |r| r.ttft_s),
    metric("end_to_end_s", "whole request, cold", Unit::Seconds, false, |r| {
        r.end_to_end_s
    }),
    metric("memory_bytes", "memory", Unit::Bytes, false, |r| {
        Some(r.memory_bytes as f64)
    })
    .within(|r| r.intervals().memory_bytes),
    metric(
        "prefill_energy_j_per_token",
        "energy per prompt token",
        Unit::Joules,
        false,
        |r| r.prefill_energy_j_per_token,
    ),
    metric(
        "decode_energy_j_per_token",
        "energy per generated token",
        Unit::Joules,
        false,
        |r| r.decode_energy_j_per_token,
    )
    .within(|r| r.intervals().decode_energy_j_per_token),
    metric("request_energy_j", "energy of the request", Unit::Joules, false, |r| {
        r.economy.request_energy_j
    }),
    metric(
        "prefill_action_j_s_per_token",
        "action, prefill",
        Unit::JouleSeconds,
        false,
        |r| r.economy.prefill_action_j_s_per_token,
    ),
    metric(
        "decode_action_j_s_per_token",
        "action, decode",
        Unit::JouleSeconds,
        false,
        |r| r.economy.decode_action_j_s_per_token,
    ),
    metric(
        "input_cost_per_million_tokens",
        "cost of 1M input tokens",
        Unit::Money,
        false,
        |r| r.economy.input_cost_per_million_tokens,
    ),
    metric(
        "output_cost_per_million_tokens",
        "cost of 1M output tokens",
        Unit::Money,
        false,
        |r| r.economy.output_cost_per_million_tokens,
    ),
    metric(
        "request_api_price_over_cost",
        "API price over cost",
        Unit::Count,
        true,
        |r| r.economy.request_api_price_over_cost,
    ),
    metric(
        "output_co2_kg_per_million_tokens",
        "CO2 of 1M output tokens",
        Unit::Kilograms,
        false,
        |r| r.economy.output_co2_kg_per_million_tokens,
    ),
    metric("battery_requests", "requests per battery", Unit::Count, true, |r| {
        r.economy.battery_requests
    }),
    metric("battery_s", "time of a battery", Unit::Seconds, true, |r| {
        r.economy.battery_s
    }),
    metric("capacity_bytes", "memory there is", Unit::Bytes, true, |r| {
        Some(r.capacity_bytes as f64)
    }),
];

fn overlap(a: Interval, b: Interval) -> bool {
    a[0] <= b[1] && b[0] <= a[1]
}

impl Metric {
    fn row(&self, a: &Record, b: &Record) -> Option<Row> {
        let figures = [(self.figure)(a), (self.figure)(b)];
        if figures == [None, None] {
            return None;
        }
        let both = figures[0].zip(figures[1]);
        let better = match figures {
            // Where the model does not fit it has no speed, and the other is the better one.
            [Some(_), None] if !b.fits => Some(Better::A),
            [None, Some(_)] if !a.fits => Some(Better::B),
            [Some(a), Some(b)] if a == b => Some(Better::Neither),
            [Some(a), Some(b)] if (a > b) == self.more_is_better => Some(Better::A),
            [Some(_), Some(_)] => Some(Better::B),
            _ => None,
        };
        let intervals = (self.interval)(a).zip((self.interval)(b));
        Some(Row {
            metric: self.key,
            title: self.title,
            unit: self.unit,
            a: figures[0],
            b: figures[1],
            b_over_a: both.map(|(a, b)| b / a).filter(|ratio| ratio.is_finite()),
            better,
            intervals_apart: intervals.map(|(a, b)| !overlap(a, b)),
        })
    }
}

/// The two side by side, and after how long the dearer one has paid for itself under each of `uses`, at `price` for energy.
#[must_use]
pub fn compare(a: &Side<'_>, b: &Side<'_>, uses: &[Use], price: Option<EnergyPrice>) -> Comparison {
    let mut notes = Vec::new();
    let break_even = match pay_back(a, b, uses, price) {
        Ok(rows) => rows,
        Err(why) => {
            notes.push(format!("no break-even time: {why}"));
            Vec::new()
        }
    };
    let own = |side: &Side<'_>| {
        let notes = side.record.basis.notes.iter();
        notes
            .map(|note| (side.name.to_owned(), note.clone()))
            .collect::<Vec<_>>()
    };
    let (of_a, of_b) = (own(a), own(b));
    for (name, note) in of_a.iter().chain(&of_b) {
        let of_both = of_a.iter().any(|(_, other)| other == note) && of_b.iter().any(|(_, other)| other == note);
        let line = if of_both {
            note.clone()
        } else {
            format!("{name}: {note}")
        };
        if !notes.contains(&line) {
            notes.push(line);
        }
    }
    Comparison {
        metrics: METRICS
            .iter()
            .filter_map(|metric| metric.row(a.record, b.record))
            .collect(),
        break_even,
        notes,
    }
}
