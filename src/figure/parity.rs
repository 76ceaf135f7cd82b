//! Predicted over measured rates, with the intervals and the line on which both are the same.

use super::axis::{Axis, Unit};
use super::chart::Estimate;
use super::chart::lines::{Lines, Rule, Series, Spot, rule_stroke};
use super::names::distinct;
use super::palette::{MOST_SERIES, look};
use super::{Chart, Column, Figure, FigureError, Table, Value};
use crate::calibrate::measurement::Phase;
use crate::calibrate::validate::Verdict;

/// A measured rate and what was predicted for it, as `validate --format json` and the data of this figure hold it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct Pair {
    /// The device's id.
    pub device: String,
    /// Its backend.
    pub backend: String,
    /// The model's id.
    pub model: String,
    /// The precision.
    pub precision: String,
    /// The phase.
    pub phase: Phase,
    /// The test, as llama-bench names it.
    pub test: String,
    /// Measured tokens per second.
    pub measured: f64,
    /// Predicted tokens per second.
    pub predicted: f64,
    /// The 90 % interval of that.
    pub interval: [f64; 2],
}

impl From<&Verdict> for Pair {
    fn from(verdict: &Verdict) -> Self {
        Self {
            device: verdict.device.clone(),
            backend: verdict.backend.to_owned(),
            model: verdict.model.clone(),
            precision: verdict.precision.clone(),
            phase: verdict.phase,
            test: verdict.test.clone(),
            measured: verdict.measured,
            predicted: verdict.predicted,
            interval: verdict.interval,
        }
    }
}

/// The most devices that looks tell apart here; of more, backends are.
const MOST_DEVICES: usize = 8;

/// Predicted over measured rates: a look for each device, or for each backend where there are more than eight devices; for each phase
/// besides where both are asked for.
///
/// # Errors
/// [`FigureError`] where no pair is of the phase.
pub fn figure(pairs: &[Pair], phase: Option<Phase>) -> Result<Figure, FigureError> {
    let usable = |pair: &&Pair| {
        let all = [pair.measured, pair.predicted, pair.interval[0], pair.interval[1]];
        all.iter().all(|&rate| rate.is_finite() && rate > 0.0)
    };
    let of_phase = |pair: &&Pair| phase.is_none_or(|phase| pair.phase == phase);
    let mut drawn: Vec<&Pair> = pairs.iter().filter(of_phase).filter(usable).collect();
    if drawn.is_empty() {
        return Err(FigureError::Missing {
            first: phase.map_or_else(
                || "the files hold no row".to_owned(),
                |phase| format!("the files hold no row of {phase}"),
            ),
        });
    }
    // However the rows are ordered, the same rows make the same drawing.
    let order = |pair: &Pair| {
        let Pair {
            device,
            backend,
            model,
            precision,
            test,
            ..
        } = pair.clone();
        (device, backend, model, precision, pair.phase, test)
    };
    drawn.sort_by(|a, b| order(a).cmp(&order(b)).then(a.measured.total_cmp(&b.measured)));
    let mut table = Table::new(vec![
        Column::words("device"),
        Column::words("backend"),
        Column::words("model"),
        Column::words("precision"),
        Column::words("phase"),
        Column::words("test"),
        Column::numbers("measured_tokens_per_s", Unit::Si("tokens/s")),
        Column::numbers("predicted_tokens_per_s", Unit::Si("tokens/s")),
        Column::numbers("predicted_tokens_per_s_low", Unit::Si("tokens/s")),
        Column::numbers("predicted_tokens_per_s_high", Unit::Si("tokens/s")),
    ]);
    for pair in &drawn {
        table.row(vec![
            Value::from(pair.device.as_str()),
            Value::from(pair.backend.as_str()),
            Value::from(pair.model.as_str()),
            Value::from(pair.precision.as_str()),
            Value::from(pair.phase.name()),
            Value::from(pair.test.as_str()),
            pair.measured.into(),
            pair.predicted.into(),
            pair.interval[0].into(),
            pair.interval[1].into(),
        ]);
    }
    let devices = distinct(drawn.iter().map(|pair| (&pair.device, &pair.backend))).len();
    let both = drawn.iter().any(|pair| pair.phase != drawn[0].phase);
    let kind = |pair: &Pair| {
        let who = if devices > MOST_DEVICES {
            pair.backend.clone()
        } else {
            format!("{} {}", pair.device, pair.backend)
        };
        if both { format!("{who}, {}", pair.phase) } else { who }
    };
    let mut kinds = distinct(drawn.iter().map(|pair| kind(pair)));
    kinds.sort();
    FigureError::at_most("looks", kinds.len(), MOST_SERIES)?;
    let series = kinds
        .iter()
        .enumerate()
        .map(|(number, name)| Series {
            name: name.clone(),
            look: look(number),
            joined: false,
            points: drawn
                .iter()
                .filter(|pair| kind(pair) == *name)
                .map(|pair| {
                    let predicted = Estimate {
                        value: pair.predicted,
                        interval: Some(pair.interval),
                        crossed: false,
                    };
                    Spot::new(pair.measured, predicted)
                })
                .collect(),
        })
        .collect();
    let rates: Vec<f64> = drawn
        .iter()
        .flat_map(|pair| [pair.measured, pair.predicted, pair.interval[0], pair.interval[1]])
        .collect();
    let what = if both { "" } else { drawn[0].phase.name() };
    let axis = |which: &str| {
        let title = [which, what].join(" ");
        Axis::logarithmic(title.trim(), Unit::Si("tokens/s"), &rates)
    };
    let (x, y) = (axis("measured"), axis("predicted"));
    let rules = vec![Rule {
        name: "as measured".to_owned(),
        stroke: rule_stroke(1),
        points: vec![(x.low(), x.low()), (x.high(), x.high())],
    }];
    Ok(Figure {
        table,
        chart: Chart::Lines(Lines {
            x,
            y,
            rules,
            series,
            notes: Vec::new(),
            aspect: 1.0,
        }),
        left_out: Vec::new(),
    })
}
