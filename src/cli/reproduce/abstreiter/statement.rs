//! The study's figures and statements, each held against the least and the most of what it is said of.

use super::ask::Asker;
use super::published::{Published, Quantity, Setting, Statement};
use crate::cli::failure::Failure;
use serde::Serialize;

/// A statement checked: the least and the most over what it is said of.
#[derive(Debug, Serialize)]
pub struct Checked {
    pub statement: String,
    pub place: String,
    pub quantity: &'static str,
    #[serde(skip)]
    figure: Quantity,
    /// Of two settings.
    #[serde(skip)]
    ratio: bool,
    pub computed: [f64; 2],
    pub published: [f64; 2],
    pub printed: String,
    /// How far the computed range lies beyond the published one, relative; 0 within it.
    pub difference: f64,
    pub holds: bool,
    /// Every case: the model, the format, and the value.
    pub cases: Vec<Case>,
    pub remark: String,
}

/// One case of a statement.
#[derive(Debug, Serialize)]
pub struct Case {
    pub model: String,
    pub precision: String,
    pub value: f64,
}

impl Checked {
    /// The computed range for a reader.
    pub fn shown(&self) -> String {
        let [low, high] = self.computed.map(|value| match self.ratio {
            true => Quantity::DecodeTokensPerS.shown(value),
            false => self.figure.shown(value),
        });
        if low == high { low } else { format!("{low} to {high}") }
    }
}

/// The least and the most of `of / over` over the models and formats of a statement, and whether they lie in the published range.
pub fn check(asker: &Asker<'_>, published: &Published, statement: &Statement) -> Result<Checked, Failure> {
    let models = published
        .model
        .iter()
        .map(|model| &model.id)
        .filter(|id| statement.models.is_empty() || statement.models.contains(id))
        .filter(|id| !statement.without.contains(id));
    let own = statement.of.precision.clone().into_iter().collect();
    let precisions: &Vec<String> = if statement.precisions.is_empty() {
        &own
    } else {
        &statement.precisions
    };
    let mut cases = Vec::new();
    for model in models {
        for precision in precisions {
            let figure = |setting: &Setting| -> Result<Option<f64>, Failure> {
                asker.figure(statement.quantity, setting, model, precision)
            };
            let over = statement.over.as_ref().map_or(Ok(Some(1.0)), figure)?;
            if let (Some(value), Some(over)) = (figure(&statement.of)?, over) {
                cases.push(Case {
                    model: model.clone(),
                    precision: precision.clone(),
                    value: value / over,
                });
            }
        }
    }
    let (least, most) = cases.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), case| {
        (least.min(case.value), most.max(case.value))
    });
    let [low, high] = statement.published;
    let below = if low > 0.0 { (low - least).max(0.0) / low } else { 0.0 };
    let above = (most - high).max(0.0) / high;
    Ok(Checked {
        statement: statement.text.clone(),
        place: format!("section {}", statement.place),
        quantity: statement.quantity.name(),
        figure: statement.quantity,
        ratio: statement.over.is_some(),
        computed: [least, most],
        published: statement.published,
        printed: statement.printed.clone(),
        difference: if above >= below { above } else { -below },
        holds: above.max(below) <= statement.within,
        cases,
        remark: statement.remark.clone(),
    })
}
