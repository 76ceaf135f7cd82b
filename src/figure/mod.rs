//! Figures for papers: from predictions to SVG, with the data of every figure beside it.
//!
//! A figure is first a table ([`Table`], columns with units), which is what its CSV holds, and then a drawing of that. What is drawn is
//! computed elsewhere: by [`crate::perf`], [`crate::calibrate::validate`] and their like. The same input makes the same bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | one for each figure | from predictions to its table and its chart |
//! | [`chart`] | the kinds of charts: bars, lines, stacks |
//! | [`axis`] | units, prefixes, scales, ticks |
//! | [`frame`] | what charts share: legend, axes, title |
//! | [`palette`] | colours that all eyes tell apart, and what tells series apart in grey |
//! | [`page`] | size on paper, type and its widths |
//! | [`canvas`] | plotters' backend, spoken to in points |
//!
//! Architecture Invariant: this folder is the only one that names plotters, and it reads no file and knows no catalogue.

pub mod axis;
pub mod break_even;
pub mod canvas;
pub mod chart;
pub mod curve;
pub mod frame;
pub mod latency;
pub mod metric;
mod names;
pub mod page;
pub mod palette;
pub mod paper;
pub mod parity;
pub mod power;
#[cfg(feature = "raster")]
pub mod raster;
pub mod roofline;
pub mod sensitivity;
mod table;
pub mod trade_off;

pub use page::Page;
pub use table::{Column, Table, Value};

use crate::output::Record;
use chart::Estimate;
use chart::bars::Bars;
use chart::lines::Lines;
use chart::stack::Stack;

/// Why there is no figure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// There is nothing to draw.
    #[error("there is nothing to draw")]
    Empty,
    /// No prediction has what is to be drawn.
    #[error("nothing can be drawn: {first}")]
    Missing {
        /// Why the first of them has none, and what would give it.
        first: String,
    },
    /// More series than looks can be told apart.
    #[error("{count} {what} are more than a reader can tell apart; ask for at most {most}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many.
        count: usize,
        /// The most.
        most: usize,
    },
    /// What stands around the plot leaves no room for it.
    #[error("the page leaves no room for the plot; give it at least --width {width}in --height {height}in")]
    PageTooSmall {
        /// Inches that would do.
        width: f64,
        /// Inches that would do.
        height: f64,
    },
}

impl FigureError {
    /// All that was asked for was left out, for these reasons.
    fn none(left_out: Vec<String>) -> Self {
        left_out
            .into_iter()
            .next()
            .map_or(Self::Empty, |first| Self::Missing { first })
    }

    /// That there are no more of something than looks can be told apart.
    const fn at_most(what: &'static str, count: usize, most: usize) -> Result<(), Self> {
        if count > most {
            Err(Self::TooMany { what, count, most })
        } else {
            Ok(())
        }
    }
}

/// The columns of [`who`], and those of the figure behind them.
fn columns(of_figure: impl IntoIterator<Item = Column>) -> Vec<Column> {
    let who = ["model", "hardware", "backend", "power_mode", "precision", "fits"];
    who.map(Column::words).into_iter().chain(of_figure).collect()
}

/// The cells that say what was predicted: model, hardware, backend, power mode, precision, and whether that fits in memory.
fn who(record: &Record) -> Vec<Value> {
    vec![
        Value::from(record.model.as_str()),
        Value::from(record.hardware.as_str()),
        Value::from(record.backend.name()),
        record.power_mode.as_deref().map_or(Value::None, Value::from),
        Value::from(record.precision.name()),
        Value::from(if record.fits { "yes" } else { "no" }),
    ]
}

/// That a prediction has no speed or energy to show.
fn does_not_fit(record: &Record) -> String {
    let Record {
        model,
        hardware,
        precision,
        ..
    } = record;
    format!(
        "{model} in {precision} does not fit in the memory of {hardware}, and so has neither speed nor energy there"
    )
}

/// The cells of an estimate: value, low and high end.
fn cells(estimate: Option<Estimate>) -> [Value; 3] {
    let [low, high] = estimate
        .and_then(|estimate| estimate.interval)
        .map_or([None; 2], |[low, high]| [Some(low), Some(high)]);
    [estimate.map(|estimate| estimate.value), low, high].map(Value::from)
}

/// How a figure is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Chart {
    /// Grouped bars.
    Bars(Bars),
    /// Points and lines.
    Lines(Lines),
    /// Level bars.
    Stack(Stack),
}

/// A figure: its data, and how they are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The data.
    pub table: Table,
    /// The drawing of them.
    pub chart: Chart,
    /// What was asked for and is not in the figure, and why.
    pub left_out: Vec<String>,
}

impl Figure {
    /// The figure as an SVG document.
    ///
    /// # Errors
    /// [`FigureError::PageTooSmall`] where the page leaves no room for the plot.
    pub fn svg(&self, page: &Page) -> Result<String, FigureError> {
        match &self.chart {
            Chart::Bars(bars) => bars.svg(page),
            Chart::Lines(lines) => lines.svg(page),
            Chart::Stack(stack) => stack.svg(page),
        }
    }
}
