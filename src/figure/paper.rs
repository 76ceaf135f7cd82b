//! A quantity over devices, models and precisions: for memory, storage I/O, host to device, network, end to end and energy the six
//! panels of Fig. 3 of EdgeProfiler (arXiv 2506.09061), by either set of formulas.

use super::axis::Axis;
use super::chart::bars::{Bars, Group, Panel};
use super::metric::Metric;
use super::names::{distinct, namespace, short};
use super::palette::MOST_SERIES;
use super::{Chart, Column, Figure, FigureError, Table};
use crate::output::Record;

/// A device as a panel's heading.
fn device(record: &Record) -> String {
    record
        .power_mode
        .as_ref()
        .map_or_else(|| record.hardware.clone(), |mode| format!("{} {mode}", record.hardware))
}

/// The quantity of every record: a panel for each device (and backend), a group for each model, a bar for each precision.
///
/// # Errors
/// [`FigureError`] where no record has the quantity, or there are more precisions than can be told apart.
pub fn figure(metric: &Metric, records: &[Record]) -> Result<Figure, FigureError> {
    let Metric { key, title, unit, .. } = *metric;
    let backends = |record: &Record| {
        records
            .iter()
            .any(|other| other.hardware == record.hardware && other.backend != record.backend)
    };
    let panel_of = |record: &Record| {
        if backends(record) {
            format!("{} {}", device(record), record.backend)
        } else {
            device(record)
        }
    };
    let precisions = distinct(records.iter().map(|record| record.precision));
    FigureError::at_most("precisions", precisions.len(), MOST_SERIES)?;
    let mut table = Table::new(super::columns(
        [Column::words("formulas")].into_iter().chain(metric.columns()),
    ));
    let mut values = Vec::new();
    let mut left_out = Vec::new();
    for record in records {
        let estimate = metric.of(record);
        let mut row = super::who(record);
        row.push(record.formulas.name().into());
        row.extend(super::cells(estimate));
        table.row(row);
        match estimate {
            Some(estimate) => values.extend(estimate.values()),
            None => left_out.push(metric.missing(record)),
        }
    }
    if values.is_empty() {
        return Err(FigureError::none(left_out));
    }
    let axis = Axis::bars(title, unit, &values);
    let whose = namespace(records);
    let panels = distinct(records.iter().map(panel_of));
    let models = distinct(records.iter().map(|record| record.model.as_str()));
    let one_panel = panels.len() == 1;
    let panels = panels
        .into_iter()
        .map(|name| {
            let of_panel: Vec<&Record> = records.iter().filter(|record| panel_of(record) == name).collect();
            let groups = models
                .iter()
                .map(|&model| Group {
                    name: short(model, whose).to_owned(),
                    bars: precisions
                        .iter()
                        .map(|&precision| {
                            of_panel
                                .iter()
                                .find(|record| record.model == model && record.precision == precision)
                                .and_then(|record| metric.bar(record))
                        })
                        .collect(),
                })
                .collect();
            let limit = (key == "memory_bytes")
                .then(|| of_panel.first().map(|record| record.capacity_bytes as f64))
                .flatten();
            Panel {
                name: if one_panel {
                    String::new()
                } else {
                    short(&name, whose).to_owned()
                },
                groups,
                limit,
            }
        })
        .collect();
    Ok(Figure {
        table,
        chart: Chart::Bars(Bars {
            axis,
            series: precisions.iter().map(ToString::to_string).collect(),
            panels,
        }),
        left_out,
    })
}
