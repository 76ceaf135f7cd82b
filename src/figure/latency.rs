//! Where the time goes: of a whole request from a cold start, and of one decoded token.
//!
//! What hides behind something longer counts with what it adds to the whole ([`Terms::contributions`](crate::perf::latency::Terms::contributions)), so that the parts sum to it.

use super::axis::{Axis, Unit};
use super::chart::stack::{Row, Stack};
use super::names::{apart, distinct};
use super::palette::{Colour, Hatch};
use super::{Chart, Column, Figure, FigureError, Table};
use crate::calibration::Phase;
use crate::output::Record;
use crate::perf::Prediction;
use crate::perf::latency::TermKind;
use crate::scenario::Scenario;

/// A prediction and the parts of its time, in the order in which they are spent.
#[derive(Debug, Clone, PartialEq)]
pub struct Breakdown {
    /// The prediction.
    pub record: Record,
    /// Each part's name and seconds.
    pub parts: Vec<(&'static str, f64)>,
}

/// A part of the time: its name, and how it looks. Phases differ in colour, what they wait for in hatching.
type Look = (&'static str, Colour, Hatch);

const LOAD: Colour = Colour(204, 121, 167);
const PREFILL: Colour = Colour(230, 159, 0);
const DECODE: Colour = Colour(86, 180, 233);

/// The parts of a request, in order.
const REQUEST: [Look; 12] = [
    ("storage I/O", LOAD, Hatch::Plain),
    ("host to device", LOAD, Hatch::Rising),
    ("repack", LOAD, Hatch::Crossed),
    ("prefill: compute", PREFILL, Hatch::Plain),
    ("prefill: memory", PREFILL, Hatch::Rising),
    ("prefill: overhead", PREFILL, Hatch::Crossed),
    ("decode: compute", DECODE, Hatch::Plain),
    ("decode: memory", DECODE, Hatch::Rising),
    ("decode: overhead", DECODE, Hatch::Crossed),
    // Of the paper's equations, which tell no phases apart.
    ("compute", PREFILL, Hatch::Level),
    ("memory", DECODE, Hatch::Falling),
    ("network", Colour(0, 158, 115), Hatch::Upright),
];

/// The parts of a decoded token, in order.
const TOKEN: [Look; 7] = [
    ("read weights", Colour(86, 180, 233), Hatch::Plain),
    ("read KV cache", Colour(0, 114, 178), Hatch::Rising),
    ("move activations", Colour(0, 158, 115), Hatch::Falling),
    ("multiply", Colour(230, 159, 0), Hatch::Level),
    ("attend", Colour(213, 94, 0), Hatch::Crossed),
    ("operations", Colour(204, 121, 167), Hatch::Upright),
    ("pass", Colour(153, 153, 153), Hatch::Dense),
];

fn named(looks: &[Look], seconds: &[f64]) -> Vec<(&'static str, f64)> {
    looks
        .iter()
        .zip(seconds)
        .map(|((name, ..), seconds)| (*name, *seconds))
        .collect()
}

impl Breakdown {
    /// The parts of a whole request, cold: they add up to `end_to_end_s`.
    #[must_use]
    pub fn of_request<'a>(record: Record, scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> Self {
        if !prediction.fits {
            return Self::nothing(record);
        }
        let parts = prediction.parts(scenario);
        let phase = |phase, times: f64| {
            let mut seconds = [0.0; 3];
            for part in parts.iter() {
                for (term, adds) in part.terms(phase, scenario).contributions() {
                    seconds[match term.kind {
                        TermKind::Multiply | TermKind::Attend => 0,
                        TermKind::Weights | TermKind::Cache | TermKind::Activations => 1,
                        TermKind::Operations | TermKind::Pass => 2,
                    }] += adds * times;
                }
            }
            seconds
        };
        let prefill = phase(Phase::Prefill, 1.0);
        let decode = phase(Phase::Decode, record.workload.generate as f64);
        let load = [prediction.io_s, prediction.h2d_s, prediction.repack_s].map(|part| part.unwrap_or(0.0));
        let parts = named(&REQUEST, &[load, prefill, decode].concat());
        Self { record, parts }
    }

    /// Of what does not fit, which takes no time.
    const fn nothing(record: Record) -> Self {
        let parts = Vec::new();
        Self { record, parts }
    }

    /// The parts of the paper's sum, of which only the longer of compute and memory counts.
    #[must_use]
    pub fn of_paper(record: Record) -> Self {
        let [compute, memory] = [record.compute_s, record.memory_s].map(|part| part.unwrap_or(0.0));
        let parts = vec![
            ("storage I/O", record.io_s.unwrap_or(0.0)),
            ("host to device", record.h2d_s.unwrap_or(0.0)),
            if compute > memory {
                ("compute", compute)
            } else {
                ("memory", memory)
            },
            ("network", record.network_s.unwrap_or(0.0)),
        ];
        Self { record, parts }
    }

    /// The parts of one decoded token, the mean over the generation: they add up to `decode_s_per_token`.
    #[must_use]
    pub fn of_token<'a>(record: Record, scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> Self {
        if !prediction.fits {
            return Self::nothing(record);
        }
        let mut seconds = [0.0; TOKEN.len()];
        for part in prediction.parts(scenario).iter() {
            for (term, adds) in part.terms(Phase::Decode, scenario).contributions() {
                seconds[match term.kind {
                    TermKind::Weights => 0,
                    TermKind::Cache => 1,
                    TermKind::Activations => 2,
                    TermKind::Multiply => 3,
                    TermKind::Attend => 4,
                    TermKind::Operations => 5,
                    TermKind::Pass => 6,
                }] += adds;
            }
        }
        let parts = named(&TOKEN, &seconds);
        Self { record, parts }
    }
}

/// The time of whole requests, a bar for each.
///
/// # Errors
/// [`FigureError`] where there is no time to show.
pub fn request(breakdowns: &[Breakdown]) -> Result<Figure, FigureError> {
    figure("cold request", &REQUEST, breakdowns)
}

/// The time of one decoded token, a bar for each prediction.
///
/// # Errors
/// [`FigureError`] where nothing is decoded.
pub fn token(breakdowns: &[Breakdown]) -> Result<Figure, FigureError> {
    figure("decoded token", &TOKEN, breakdowns)
}

fn figure(title: &str, looks: &[Look], breakdowns: &[Breakdown]) -> Result<Figure, FigureError> {
    let mut table = Table::new(super::columns([
        Column::words("part"),
        Column::numbers("part_s", Unit::Si("s")),
    ]));
    let (drawn, none): (Vec<_>, Vec<_>) = breakdowns
        .iter()
        .partition(|breakdown| breakdown.parts.iter().any(|(_, seconds)| *seconds > 0.0));
    let left_out = distinct(none.iter().map(|breakdown| {
        let Record {
            model,
            hardware,
            precision,
            fits,
            ..
        } = &breakdown.record;
        if !fits {
            return super::does_not_fit(&breakdown.record);
        }
        format!("{model} in {precision} on {hardware} takes no time of this kind; the exact formulas and --generate of at least 1 give it")
    }));
    if drawn.is_empty() {
        return Err(FigureError::none(left_out));
    }
    // A part that nowhere takes any time needs no place in the legend.
    let used: Vec<&Look> = looks
        .iter()
        .filter(|(name, ..)| {
            let parts = || drawn.iter().flat_map(|breakdown| &breakdown.parts);
            parts().any(|(part, seconds)| part == name && *seconds > 0.0)
        })
        .collect();
    let names = apart(&drawn.iter().map(|breakdown| &breakdown.record).collect::<Vec<_>>());
    let mut rows = Vec::new();
    let mut ends = Vec::new();
    for (breakdown, name) in drawn.iter().zip(names) {
        let mut segments = Vec::new();
        let mut from = 0.0;
        for (part, seconds) in &breakdown.parts {
            let mut row = super::who(&breakdown.record);
            row.extend([(*part).into(), (*seconds).into()]);
            table.row(row);
            if let Some(entry) = used.iter().position(|(name, ..)| name == part) {
                segments.push((entry, from, from + seconds));
                from += seconds;
            }
        }
        ends.push(from);
        rows.push(Row {
            name,
            segments,
            interval: None,
            crossed: !breakdown.record.fits,
        });
    }
    Ok(Figure {
        table,
        chart: Chart::Stack(Stack {
            axis: Axis::linear(title, Unit::Si("s"), &ends),
            legend: used
                .iter()
                .map(|&&(name, colour, hatch)| (name.to_owned(), colour, hatch))
                .collect(),
            rows,
            base: None,
        }),
        left_out,
    })
}
