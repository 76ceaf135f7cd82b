//! What a figure of a prediction hangs on most: one bar for each factor and input, the widest uppermost (a tornado).

use super::axis::{Axis, Unit};
use super::chart::stack::{Row, Stack};
use super::metric::Metric;
use super::names::distinct;
use super::palette::look;
use super::{Chart, Column, Figure, FigureError, Table, Value};
use crate::output::Record;
use crate::perf::sensitivity::{Change, Sensitivity, Swing};

/// The most bars.
const MOST: usize = 14;
/// Share of the widest bar below which a bar is not seen.
const SEEN: f64 = 0.02;

/// What a change is called.
const fn called(change: Change) -> &'static str {
    match change {
        Change::Factor => "factor, at the ends of its 90 % interval",
        Change::Input => "input, a tenth down and up",
    }
}

/// The swings of the metric of one prediction around its value.
///
/// # Errors
/// [`FigureError`] where nothing moves it.
pub fn figure(metric: &Metric, record: &Record, sensitivity: &Sensitivity) -> Result<Figure, FigureError> {
    let Metric { key, title, unit, .. } = *metric;
    if sensitivity.swings.is_empty() {
        return Err(FigureError::Missing {
            first: format!("nothing that can be changed moves {key}"),
        });
    }
    let mut table = Table::new(super::columns([
        Column::words("changed"),
        Column::words("change"),
        Column::numbers(key, unit),
        Column::numbers(&format!("{key}_at_low_end"), unit),
        Column::numbers(&format!("{key}_at_high_end"), unit),
    ]));
    let widest = sensitivity.swings.iter().map(Swing::width).fold(0.0, f64::max);
    let seen = sensitivity.swings.iter().take(MOST);
    let seen = seen.take_while(|swing| swing.width() >= SEEN * widest).count();
    let changes = distinct(sensitivity.swings[..seen].iter().map(|swing| swing.change));
    let mut rows = Vec::new();
    let mut values = vec![sensitivity.base];
    for (at, swing) in sensitivity.swings.iter().enumerate() {
        let mut row = super::who(record);
        row.extend([
            Value::from(swing.name.as_str()),
            Value::from(called(swing.change)),
            sensitivity.base.into(),
            swing.low.into(),
            swing.high.into(),
        ]);
        table.row(row);
        if at < seen {
            let entry = changes.iter().position(|&change| change == swing.change).unwrap_or(0);
            values.extend([swing.low, swing.high]);
            rows.push(Row {
                name: readable(&swing.name),
                segments: vec![
                    (entry, sensitivity.base, swing.low),
                    (entry, sensitivity.base, swing.high),
                ],
                interval: None,
                crossed: false,
            });
        }
    }
    let left_out = match sensitivity.swings.len().checked_sub(seen) {
        None | Some(0) => Vec::new(),
        Some(more) => vec![format!(
            "{more} more that move {key} less are in the data and not in the drawing"
        )],
    };
    let base = number(sensitivity.base, unit);
    Ok(Figure {
        table,
        chart: Chart::Stack(Stack {
            axis: Axis::around(title, unit, &values),
            legend: changes
                .iter()
                .map(|&change| {
                    let look = look(usize::from(change == Change::Input));
                    (called(change).to_owned(), look.colour, look.hatch)
                })
                .collect(),
            rows,
            base: Some((sensitivity.base, format!("as predicted: {base}"))),
        }),
        left_out,
    })
}

/// A factor's key as text: `decode: compute q4_0` for `decode.compute.q4_0`.
fn readable(key: &str) -> String {
    match key.split_once('.') {
        Some((phase, rest)) => format!("{phase}: {}", rest.replace('.', " ")),
        None => key.replace('-', " "),
    }
}

fn number(value: f64, unit: Unit) -> String {
    use crate::output::number;
    match unit {
        Unit::Si(symbol) if symbol.contains("token") => format!("{} {symbol}", number::significant(value, 3)),
        _ => number::quantity(value, unit.symbol()),
    }
}
