//! What two devices have cost after a time of use, and when the dearer one has paid for itself.

use super::axis::{Axis, Unit};
use super::chart::Estimate;
use super::chart::lines::{Lines, Rule, Series, Spot, rule_stroke};
use super::palette::look;
use super::{Chart, Column, Figure, FigureError, Table, Value};
use crate::decide::compare::PayBack;
use crate::output::number::{YEAR_S, significant};

/// Two devices on one model and precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Model and precision.
    pub name: String,
    /// When the dearer device has paid for itself.
    pub pay_back: PayBack,
    /// What the dearer and the cheaper device cost to buy.
    pub prices: [f64; 2],
}

/// The most cases: each has two lines and a reference.
const MOST: usize = 4;
/// Points of a line; it is straight, but its markers tell it apart.
const POINTS: u32 = 6;
/// Years shown where nothing breaks even.
const YEARS: f64 = 10.0;
/// What is shown beyond the last break-even.
const BEYOND: f64 = 1.3;
/// Height over width of the plot.
const ASPECT: f64 = 0.62;

/// Price and cost of energy of both devices of each case over the years, with the time at which they have cost the same.
///
/// # Errors
/// [`FigureError`] where there is no case, or there are more than can be told apart.
pub fn figure(cases: &[Case]) -> Result<Figure, FigureError> {
    FigureError::at_most("cases", cases.len(), MOST)?;
    let Some(first) = cases.first() else {
        return Err(FigureError::Empty);
    };
    let years = |case: &Case| case.pay_back.figures.after_s.map(|seconds| seconds / YEAR_S);
    let last = cases.iter().filter_map(years).fold(0.0, f64::max);
    let end = if last > 0.0 { BEYOND * last } else { YEARS };
    let mut table = Table::new(vec![
        Column::words("case"),
        Column::words("target"),
        Column::words("currency"),
        Column::numbers("years", Unit::Plain("years")),
        Column::numbers("cost", Unit::Count),
        Column::numbers("break_even_years", Unit::Plain("years")),
    ]);
    let (mut series, mut rules, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut costs = vec![0.0];
    for case in cases {
        let PayBack {
            dearer,
            cheaper,
            currency,
            figures,
            ..
        } = &case.pay_back;
        let of_case = |text: &str| match cases.len() {
            1 => text.to_owned(),
            _ => format!("{}: {text}", case.name),
        };
        let targets = [(dearer, figures.dearer_per_s), (cheaper, figures.cheaper_per_s)];
        for ((target, per_s), price) in targets.into_iter().zip(case.prices) {
            let points: Vec<(f64, f64)> = (0..POINTS)
                .map(|at| f64::from(at) / f64::from(POINTS - 1) * end)
                .map(|years| (years, price + per_s * years * YEAR_S))
                .collect();
            for &(after, cost) in &points {
                table.row(vec![
                    Value::from(case.name.as_str()),
                    Value::from(target.as_str()),
                    currency.as_ref().map_or(Value::None, |currency| currency.code().into()),
                    after.into(),
                    cost.into(),
                    years(case).into(),
                ]);
                costs.push(cost);
            }
            series.push(Series {
                name: of_case(target),
                look: look(series.len()),
                joined: true,
                points: points
                    .into_iter()
                    .map(|(after, cost)| Spot::new(after, Estimate::exact(cost)))
                    .collect(),
            });
        }
        match years(case) {
            Some(after) => rules.push((
                of_case(&format!("break-even after {} years", significant(after, 3))),
                after,
            )),
            None => left_out.push(format!("{}: {dearer} saves no energy costs and never pays", case.name)),
        }
        if figures.cheaper_utilization > 1.0 {
            left_out.push(format!(
                "{}: {cheaper} would have to work {} times as long as there is time to do the same",
                case.name,
                significant(figures.cheaper_utilization, 3)
            ));
        }
    }
    let title = match first.pay_back.currency {
        Some(currency) => format!("device and energy ({currency})"),
        None => "device and energy (money)".to_owned(),
    };
    let y = Axis::linear(&title, Unit::Count, &costs);
    let rules = rules
        .into_iter()
        .enumerate()
        .map(|(at, (name, after))| Rule {
            name,
            stroke: rule_stroke(at),
            points: vec![(after, y.low()), (after, y.high())],
        })
        .collect();
    Ok(Figure {
        table,
        chart: Chart::Lines(Lines {
            x: Axis::linear("time of use", Unit::Plain("years"), &[0.0, end]),
            y,
            rules,
            series,
            notes: Vec::new(),
            aspect: ASPECT,
        }),
        left_out,
    })
}
