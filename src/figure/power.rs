//! A figure of the prediction in every power mode of a device.

use super::axis::Axis;
use super::chart::bars::{Bars, Group, Panel};
use super::metric::Metric;
use super::names::distinct;
use super::palette::MOST_SERIES;
use super::{Chart, Figure, FigureError, Table};
use crate::output::Record;

/// The metric of every record: a panel for each device, a group for each of its modes, a bar for each model and precision.
///
/// # Errors
/// [`FigureError`] where no record has the metric or a power mode, or there are more bars in a group than can be told apart.
pub fn figure(metric: &Metric, records: &[Record]) -> Result<Figure, FigureError> {
    let Metric { title, unit, .. } = *metric;
    let mut table = Table::new(super::columns(metric.columns()));
    let mut left_out = Vec::new();
    let mut values = Vec::new();
    let mut drawn = Vec::new();
    for record in records {
        let Some(mode) = &record.power_mode else {
            left_out.push(format!(
                "{} has no power modes; add [power_modes] to its file",
                record.hardware
            ));
            continue;
        };
        let mut row = super::who(record);
        let estimate = metric.of(record);
        row.extend(super::cells(estimate));
        table.row(row);
        match estimate {
            Some(estimate) => {
                values.extend(estimate.values());
                drawn.push((record, mode.as_str(), estimate));
            }
            None => left_out.push(metric.missing(record)),
        }
    }
    let left_out = distinct(left_out);
    if drawn.is_empty() {
        return Err(FigureError::none(left_out));
    }
    let one_model = drawn.iter().all(|(record, ..)| record.model == drawn[0].0.model);
    let name = |record: &Record| match one_model {
        true => record.precision.to_string(),
        false => format!("{}, {}", record.model, record.precision),
    };
    let series = distinct(drawn.iter().map(|(record, ..)| name(record)));
    FigureError::at_most("bars in a group", series.len(), MOST_SERIES)?;
    let panel_of = |record: &Record| {
        let several = drawn
            .iter()
            .any(|(other, ..)| other.hardware == record.hardware && other.backend != record.backend);
        match several {
            true => format!("{} {}", record.hardware, record.backend),
            false => record.hardware.clone(),
        }
    };
    let panels = distinct(drawn.iter().map(|(record, ..)| panel_of(record)));
    let one_panel = panels.len() == 1;
    let panels = panels
        .into_iter()
        .map(|panel| {
            let of_panel: Vec<_> = drawn.iter().filter(|(record, ..)| panel_of(record) == panel).collect();
            let groups = distinct(of_panel.iter().map(|(_, mode, _)| *mode))
                .into_iter()
                .map(|mode| Group {
                    name: mode.to_owned(),
                    bars: series
                        .iter()
                        .map(|of| {
                            of_panel
                                .iter()
                                .find(|(record, in_mode, _)| *in_mode == mode && name(record) == *of)
                                .map(|(.., estimate)| *estimate)
                        })
                        .collect(),
                })
                .collect();
            Panel {
                name: if one_panel { String::new() } else { panel },
                groups,
                limit: None,
            }
        })
        .collect();
    Ok(Figure {
        table,
        chart: Chart::Bars(Bars {
            axis: Axis::bars(title, unit, &values),
            series,
            panels,
        }),
        left_out,
    })
}
