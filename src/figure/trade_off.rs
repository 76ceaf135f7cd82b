//! Two figures of the prediction against each other, with the Pareto front: of the predictions that fit in memory, those that no other
//! beats in both. Where one of the two is a published quality, each model has a front of its own.

use super::chart::Estimate;
use super::chart::lines::{Lines, Rule, Series, Spot, rule_stroke};
use super::frame::Sample;
use super::metric::{Better, Metric};
use super::names::{apart, distinct};
use super::palette::{MOST_SERIES, look};
use super::{Chart, Column, Figure, FigureError, Table, Value};
use crate::output::Record;

/// The most points on the front that are numbered in the drawing; the data hold all.
const MOST_NUMBERED: usize = 12;
/// Height over width of the plot.
const ASPECT: f64 = 0.75;

/// Whether `a` is at least as good as `b` in both, and better in one.
fn beats(a: [f64; 2], b: [f64; 2], better: [Better; 2]) -> bool {
    let gains = [0, 1].map(|of| match better[of] {
        Better::High => a[of] - b[of],
        Better::Low => b[of] - a[of],
    });
    gains.iter().all(|&gain| gain >= 0.0) && gains.iter().any(|&gain| gain > 0.0)
}

/// The edge of what the points of a front, in the order of their `x`, beat: stairs, since nothing lies between two choices.
fn stairs(front: &[[f64; 2]], better: Better) -> Vec<(f64, f64)> {
    let mut corners = Vec::new();
    for (at, &[x, y]) in front.iter().enumerate() {
        if let Some(&[before_x, before_y]) = at.checked_sub(1).and_then(|before| front.get(before)) {
            corners.push(match better {
                Better::Low => (x, before_y),
                Better::High => (before_x, y),
            });
        }
        corners.push((x, y));
    }
    corners
}

/// `y` of every record over its `x`, a look for each device (or model, where there is one device), the front joined and numbered.
///
/// # Errors
/// [`FigureError`] where no record has both.
pub fn figure(x: &Metric, y: &Metric, records: &[Record]) -> Result<Figure, FigureError> {
    let mut left_out = Vec::new();
    let mut drawn: Vec<(&Record, Estimate, Estimate)> = Vec::new();
    for record in records {
        match (x.of(record), y.of(record)) {
            (Some(across), Some(up)) => drawn.push((record, across, up)),
            (None, _) => left_out.push(x.missing(record)),
            (_, None) => left_out.push(y.missing(record)),
        }
    }
    let left_out = distinct(left_out);
    if drawn.is_empty() {
        return Err(FigureError::none(left_out));
    }
    let places: Vec<[f64; 2]> = drawn.iter().map(|(_, x, y)| [x.value, y.value]).collect();
    let better = [x.better, y.better];
    // Published qualities compare the precisions of one model, not models: then each model has a front of its own.
    let apart_by_model = x.is_published() || y.is_published();
    let of_one_front = |a: usize, b: usize| !apart_by_model || drawn[a].0.model == drawn[b].0.model;
    // What does not fit is no choice, however good it would be.
    let choices: Vec<usize> = (0..places.len()).filter(|&at| drawn[at].0.fits).collect();
    let beaten = |at: usize| {
        let mut others = choices.iter().filter(|&&other| of_one_front(other, at));
        others.any(|&other| beats(places[other], places[at], better))
    };
    let mut front: Vec<usize> = choices.iter().copied().filter(|&at| !beaten(at)).collect();
    front.sort_by(|&a, &b| places[a][0].total_cmp(&places[b][0]));

    let of_metrics = [x.columns(), y.columns()].into_iter().flatten();
    let mut table = Table::new(super::columns(of_metrics.chain([Column::words("on_front")])));
    for (at, (record, across, up)) in drawn.iter().enumerate() {
        let mut row = super::who(record);
        row.extend(super::cells(Some(*across)));
        row.extend(super::cells(Some(*up)));
        row.push(Value::from(if front.contains(&at) { "yes" } else { "no" }));
        table.row(row);
    }

    let names = apart(&drawn.iter().map(|(record, ..)| *record).collect::<Vec<_>>());
    let kinds = kinds(&drawn.iter().map(|(record, ..)| *record).collect::<Vec<_>>());
    let order = distinct(kinds.iter().map(String::as_str));
    FigureError::at_most("looks", order.len(), MOST_SERIES)?;
    let numbered = |at: usize| {
        let number = front.iter().position(|&of| of == at)?;
        (number < MOST_NUMBERED && !names[at].is_empty()).then(|| (number + 1).to_string())
    };
    let series = order
        .iter()
        .enumerate()
        .map(|(number, &kind)| Series {
            name: kind.to_owned(),
            look: look(number),
            joined: false,
            points: (0..drawn.len())
                .filter(|&at| kinds[at] == kind)
                .map(|at| Spot {
                    x: drawn[at].1.value,
                    // The intervals of a cloud would hide it; of the front they show how sure it is.
                    y: Estimate {
                        interval: drawn[at].2.interval.filter(|_| front.contains(&at)),
                        crossed: !drawn[at].0.fits,
                        ..drawn[at].2
                    },
                    label: numbered(at),
                })
                .collect(),
        })
        .collect();
    let notes = front
        .iter()
        .take(MOST_NUMBERED)
        .enumerate()
        .filter(|(_, at)| !names[**at].is_empty())
        .map(|(number, &at)| {
            let name = &names[at];
            let text = if front.len() == 1 {
                format!("best in both: {name}")
            } else {
                name.clone()
            };
            (Sample::Text((number + 1).to_string()), text)
        })
        .collect();
    let xs: Vec<f64> = drawn.iter().map(|(_, x, _)| x.value).collect();
    let on_front = |at: usize| front.contains(&at);
    let ys: Vec<f64> = drawn
        .iter()
        .enumerate()
        .flat_map(|(at, (.., y))| {
            if on_front(at) {
                y.values().collect()
            } else {
                vec![y.value]
            }
        })
        .collect();
    let mut fronts: Vec<Vec<usize>> = Vec::new();
    for &at in &front {
        match fronts.iter_mut().find(|front| of_one_front(front[0], at)) {
            Some(front) => front.push(at),
            None => fronts.push(vec![at]),
        }
    }
    let several = fronts.len() > 1;
    let rules = fronts
        .iter()
        .filter(|front| front.len() > 1)
        .enumerate()
        .map(|(number, front)| Rule {
            name: match several {
                true => format!("Pareto front, {}", drawn[front[0]].0.model),
                false => "Pareto front".to_owned(),
            },
            stroke: rule_stroke(number + 1),
            points: stairs(&front.iter().map(|&at| places[at]).collect::<Vec<_>>(), better[0]),
        })
        .collect();
    Ok(Figure {
        table,
        chart: Chart::Lines(Lines {
            x: x.axis(&xs),
            y: y.axis(&ys),
            rules,
            series,
            notes,
            aspect: ASPECT,
        }),
        left_out,
    })
}

/// What looks tell apart: devices where there are several, else models, else precisions.
fn kinds(records: &[&Record]) -> Vec<String> {
    let device = |record: &Record| match &record.power_mode {
        Some(mode) => format!("{} {mode}", record.hardware),
        None => record.hardware.clone(),
    };
    let ways: [&dyn Fn(&Record) -> String; 3] = [&device, &|record| record.model.clone(), &|record| {
        record.precision.to_string()
    }];
    for way in ways {
        let kinds: Vec<String> = records.iter().map(|record| way(record)).collect();
        let count = distinct(kinds.iter()).len();
        if (2..=MOST_SERIES).contains(&count) {
            return kinds;
        }
    }
    vec![String::new(); records.len()]
}

#[cfg(test)]
mod tests {
    use super::{Better, beats, stairs};

    #[test]
    fn the_front_goes_level_first_where_less_of_x_is_better() {
        let front = [[1.0, 5.0], [2.0, 8.0]];
        assert_eq!(stairs(&front, Better::Low), [(1.0, 5.0), (2.0, 5.0), (2.0, 8.0)]);
        // More of both: what reaches x = 2 has 5 at most.
        let front = [[1.0, 8.0], [2.0, 5.0]];
        assert_eq!(stairs(&front, Better::High), [(1.0, 8.0), (1.0, 5.0), (2.0, 5.0)]);
    }

    #[test]
    fn one_beats_another_if_it_is_nowhere_worse() {
        let better = [Better::Low, Better::High];
        assert!(beats([1.0, 5.0], [2.0, 5.0], better));
        assert!(!beats([1.0, 4.0], [2.0, 5.0], better));
        assert!(!beats([1.0, 5.0], [1.0, 5.0], better));
    }
}
