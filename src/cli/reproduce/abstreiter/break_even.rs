//! After how long the dearer device has paid for itself: the study's twelve scenarios.

use super::ask::Asker;
use super::published::{BreakEven, Setting};
use crate::cli::failure::Failure;
use edgeprof::economy::{Mix, break_even};
use serde::Serialize;

const SECONDS_PER_YEAR: f64 = 365.25 * 86_400.0;

/// The scenarios, and the shortest of them.
#[derive(Debug, Serialize)]
pub struct PayBack {
    pub scenarios: Vec<Years>,
    pub least_years: f64,
    pub published_years: f64,
    pub holds: bool,
}

/// A scenario of the break-even time.
#[derive(Debug, Serialize)]
pub struct Years {
    pub mix: String,
    pub utilization: f64,
    pub years: Option<f64>,
    /// Share of the time that the cheaper device works for the same; above 1 it cannot.
    pub cheaper_utilization: f64,
}

/// The break-even times of every mix and utilization.
pub fn check(asker: &Asker<'_>, even: &BreakEven) -> Result<PayBack, Failure> {
    let scenarios = years(asker, even)?;
    let years = scenarios.iter().filter_map(|scenario| scenario.years);
    let least_years = years.fold(f64::INFINITY, f64::min);
    Ok(PayBack {
        scenarios,
        least_years,
        published_years: even.least_years,
        holds: (least_years / even.least_years - 1.0).abs() <= even.within,
    })
}

fn years(asker: &Asker<'_>, even: &BreakEven) -> Result<Vec<Years>, Failure> {
    let contender = |setting: &Setting, price| {
        let run = asker.run(setting, &even.model, &even.precision)?;
        run.contender(price)
            .ok_or_else(|| Failure::new(format!("{} states no powers", setting.hardware)))
    };
    let dearer = contender(&even.dearer, even.dearer_price)?;
    let cheaper = contender(&even.cheaper, even.cheaper_price)?;
    let mut years = Vec::new();
    for text in &even.mixes {
        let mix: Mix = text.parse().map_err(Failure::new)?;
        for &utilization in &even.utilizations {
            if let Some(found) = break_even(&dearer, &cheaper, mix, utilization, asker.price_per_joule()) {
                years.push(Years {
                    mix: text.clone(),
                    utilization,
                    years: found.after_s.map(|seconds| seconds / SECONDS_PER_YEAR),
                    cheaper_utilization: found.cheaper_utilization,
                });
            }
        }
    }
    Ok(years)
}
