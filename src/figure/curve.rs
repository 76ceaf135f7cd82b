//! A figure of the prediction against what was varied: decode against depth, prefill against the length of the prompt, threads, memory
//! against the context with the device's limit.

use super::axis::{Axis, Unit};
use super::chart::lines::{Lines, Rule, Series, Spot, rule_stroke};
use super::frame::{Entry, Sample};
use super::metric::Metric;
use super::names::{Halves, apart, distinct, halved};
use super::palette::{Colour, Look, MOST_SERIES, look};
use super::{Chart, Column, Figure, FigureError, Table, Value};
use crate::output::Record;

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Varied {
    /// Tokens in the cache before the work.
    Depth,
    /// Tokens to prefill.
    Prompt,
    /// Size of the KV cache.
    Context,
    /// CPU threads.
    Threads,
}

impl Varied {
    /// Its key in a record's workload.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Prompt => "prompt",
            Self::Context => "context",
            Self::Threads => "threads",
        }
    }

    const fn unit(self) -> Unit {
        match self {
            Self::Threads => Unit::Count,
            _ => Unit::Plain("tokens"),
        }
    }

    fn of(self, record: &Record) -> Option<f64> {
        let work = &record.workload;
        let value = match self {
            Self::Depth => work.depth,
            Self::Prompt => work.prompt,
            Self::Context => work.context,
            Self::Threads => return work.threads.map(|threads| threads as f64),
        };
        Some(value as f64)
    }

    /// Why a prediction has none.
    fn missing(self, record: &Record) -> String {
        format!(
            "{} computes on {}, which has no {}; add --backend cpu",
            record.hardware,
            record.backend,
            self.key()
        )
    }
}

/// Lines beyond which the legend names what they differ in, not each of them.
const MANY: usize = 6;
/// The most halves of names that markers and colours, and dashes and their fillings, tell apart.
const MOST_HALVES: (usize, usize) = (8, 4);

/// Marker and colour say the first half of a name, dashes and the marker's filling the second.
fn look_of((first, second): (usize, usize)) -> Look {
    Look {
        filled: second.is_multiple_of(2),
        dash: look(second).dash,
        ..look(first)
    }
}

/// What markers and colours say, then what dashes and fillings do.
fn legend(halves: &Halves) -> Vec<Entry> {
    let first = halves.first.iter().enumerate().map(|(at, name)| {
        let look = look(at);
        let (line, marker) = (false, true);
        (Sample::Line { look, line, marker }, name.clone())
    });
    let second = halves.second.iter().enumerate().map(|(at, name)| {
        let look = Look {
            colour: Colour::BLACK,
            ..look_of((0, at))
        };
        let (line, marker) = (true, true);
        (Sample::Line { look, line, marker }, name.clone())
    });
    first.chain(second).collect()
}

/// Height over width of the plot.
const ASPECT: f64 = 0.62;

/// The metric of every record over what was varied, a line for each model, device and precision; for memory, what each device leaves
/// to users as a limit.
///
/// # Errors
/// [`FigureError`] where no record has the metric, or there are more lines than can be told apart.
pub fn figure(varied: Varied, metric: &Metric, records: &[Record]) -> Result<Figure, FigureError> {
    let Metric { key, title, unit, .. } = *metric;
    let limited = key == "memory_bytes";
    let mut columns = super::columns([Column::numbers(varied.key(), Unit::Count)]);
    columns.extend(metric.columns());
    if limited {
        columns.push(Column::numbers("capacity_bytes", Unit::Bytes));
    }
    let mut table = Table::new(columns);
    let mut left_out = Vec::new();
    let mut drawn: Vec<(&Record, Spot)> = Vec::new();
    for record in records {
        let x = varied.of(record);
        let y = metric.of(record);
        let mut row = super::who(record);
        row.push(x.into());
        row.extend(super::cells(y));
        if limited {
            row.push(Value::from(record.capacity_bytes as f64));
        }
        table.row(row);
        match (x, y) {
            (Some(x), Some(y)) => drawn.push((record, Spot::new(x, y))),
            (None, _) => left_out.push(varied.missing(record)),
            (_, None) => left_out.push(metric.missing(record)),
        }
    }
    let left_out = distinct(left_out);
    if drawn.is_empty() {
        return Err(FigureError::none(left_out));
    }
    let of_lines: Vec<&Record> = drawn.iter().map(|(record, _)| *record).collect();
    let names = apart(&of_lines);
    let halves = halved(&of_lines, MANY, MOST_HALVES);
    let order = distinct(names.iter().map(String::as_str));
    FigureError::at_most("lines", order.len(), MOST_SERIES)?;
    let series: Vec<Series> = order
        .iter()
        .enumerate()
        .map(|(number, &name)| {
            let mut points: Vec<Spot> = drawn
                .iter()
                .zip(&names)
                .filter(|(_, of)| *of == name)
                .map(|((_, spot), _)| spot.clone())
                .collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            let halves = halves.as_ref().zip(names.iter().position(|of| of == name));
            Series {
                name: if halves.is_some() {
                    String::new()
                } else {
                    name.to_owned()
                },
                look: halves.map_or_else(|| look(number), |(halves, at)| look_of(halves.of[at])),
                joined: true,
                points,
            }
        })
        .collect();
    let xs: Vec<f64> = drawn.iter().map(|(_, spot)| spot.x).collect();
    let mut ys: Vec<f64> = drawn.iter().flat_map(|(_, spot)| spot.y.values()).collect();
    let limits = if limited {
        distinct(
            drawn
                .iter()
                .map(|(record, _)| (record.hardware.as_str(), record.capacity_bytes as f64)),
        )
    } else {
        Vec::new()
    };
    ys.extend(limits.iter().map(|(_, limit)| limit));
    let x = Axis::counts(varied.key(), varied.unit(), &xs);
    let rules = limits
        .iter()
        .enumerate()
        .map(|(number, (hardware, limit))| Rule {
            name: format!("usable on {hardware}"),
            stroke: rule_stroke(number),
            points: vec![(x.low(), *limit), (x.high(), *limit)],
        })
        .collect();
    Ok(Figure {
        table,
        chart: Chart::Lines(Lines {
            x,
            y: Axis::over(title, unit, &ys),
            rules,
            series,
            notes: halves.map_or_else(Vec::new, |halves| legend(&halves)),
            aspect: ASPECT,
        }),
        left_out,
    })
}
