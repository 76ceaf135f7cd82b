//! Predictions held against measurements: errors, bias and whether the intervals keep their promise.

use super::bench::Bench;
use super::fit::FitError;
use super::leave_out::{Judged, LeaveOut, QUANTILE_90, judge, scatter_of_nearest};
use super::measurement::{LeftOut, Phase};
use crate::catalog::{Catalog, CatalogError, Choice};
use crate::perf;
use std::collections::BTreeMap;

/// A measured rate and what was predicted for it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// The device's id.
    pub device: String,
    /// Its backend.
    pub backend: &'static str,
    /// The model's id.
    pub model: String,
    /// The precision.
    pub precision: String,
    /// The phase.
    pub phase: Phase,
    /// As llama-bench names it.
    pub test: String,
    /// The power mode, if the source names one.
    pub power_mode: Option<String>,
    /// Measured tokens per second.
    pub measured: f64,
    /// Predicted tokens per second.
    pub predicted: f64,
    /// The 90 % interval of that.
    pub interval: [f64; 2],
    /// `predicted / measured - 1`.
    pub error: f64,
    /// Where the row was published.
    pub source: String,
}

impl Verdict {
    fn covered(&self) -> bool {
        (self.interval[0]..=self.interval[1]).contains(&self.measured)
    }
}

/// How good the predictions of a group of rows are.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Statistics {
    /// Rows.
    pub n: usize,
    /// Median of `|predicted / measured - 1|`.
    pub median_error: f64,
    /// Mean of the same.
    pub mean_error: f64,
    /// Its 90th percentile.
    pub p90_error: f64,
    /// Median of `predicted / measured - 1`.
    pub bias: f64,
    /// Share of the measurements within their 90 % interval.
    pub coverage: f64,
}

/// A group of rows and its statistics.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct GroupStatistics {
    /// The device's id; `all` for all of them.
    pub device: String,
    /// Its backend; `all` for all of them.
    pub backend: &'static str,
    /// The phase.
    pub phase: Phase,
    /// The figures.
    #[serde(flatten)]
    pub statistics: Statistics,
}

/// The outcome of a validation.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Validation {
    /// Per device, backend and phase, then over all.
    pub groups: Vec<GroupStatistics>,
    /// The rows, the worst first.
    pub rows: Vec<Verdict>,
    /// The rows that were not judged, and why.
    pub left_out: Vec<LeftOut>,
}

/// Why a validation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValidateError {
    /// A calibration cannot be had.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A refit failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// No row can be judged.
    #[error("no row of these files can be judged{}", usual_reason(.left_out))]
    Nothing {
        /// what was left out
        left_out: Vec<LeftOut>,
    },
}

/// The reason of most of them.
fn usual_reason(left_out: &[LeftOut]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in left_out {
        *reasons.entry(&row.reason).or_default() += 1;
    }
    let usual = reasons.into_iter().max_by_key(|&(_, count)| count);
    usual.map_or_else(String::new, |(reason, count)| {
        format!(": {count} of {} are left out because {reason}", left_out.len())
    })
}

/// Least scatter of an interval, as for published calibrations.
const LEAST_SCATTER: f64 = 0.04;

/// Predicts every row of `bench`: with the catalogue's calibrations, or refitted without each model or device in turn.
///
/// # Errors
/// [`ValidateError`].
pub fn validate(
    catalog: &Catalog,
    bench: &Bench,
    leave_out: Option<LeaveOut>,
    choice: &Choice,
) -> Result<Validation, ValidateError> {
    if bench.rows.is_empty() {
        return Err(ValidateError::Nothing {
            left_out: bench.left_out.clone(),
        });
    }
    let mut rows = match leave_out {
        None => with_calibrations(catalog, bench, choice)?,
        Some(leave_out) => refitted(bench, leave_out)?,
    };
    let groups = groups(&rows);
    rows.sort_by(|a, b| b.error.abs().total_cmp(&a.error.abs()));
    Ok(Validation {
        groups,
        rows,
        left_out: bench.left_out.clone(),
    })
}

fn verdict(bench: &Bench, at: usize, predicted: f64, interval: [f64; 2]) -> Verdict {
    let measurement = &bench.rows[at].measurement;
    Verdict {
        device: measurement.device.clone(),
        backend: measurement.backend.name(),
        model: measurement.model.clone(),
        precision: measurement.precision.clone(),
        phase: measurement.phase,
        test: measurement.test(),
        power_mode: measurement.power_mode.clone(),
        measured: measurement.tokens_per_s,
        predicted,
        interval,
        error: predicted / measurement.tokens_per_s - 1.0,
        source: measurement.source.clone(),
    }
}

fn with_calibrations(catalog: &Catalog, bench: &Bench, choice: &Choice) -> Result<Vec<Verdict>, ValidateError> {
    let mut verdicts = Vec::with_capacity(bench.rows.len());
    for (at, row) in bench.rows.iter().enumerate() {
        let Ok(scenario) = row.scenario() else { continue };
        let calibration = catalog.calibration_for(scenario.device, scenario.backend_kind, choice)?;
        let prediction = perf::predict_in_ample_memory(&scenario, &calibration.value);
        let figures = match row.measurement.phase {
            Phase::Prefill => (
                prediction.prefill_tokens_per_s,
                prediction.intervals(&scenario).prefill_tokens_per_s,
            ),
            Phase::Decode => (
                prediction.decode_tokens_per_s,
                prediction.intervals(&scenario).decode_tokens_per_s,
            ),
        };
        if let (Some(predicted), Some(interval)) = figures {
            verdicts.push(verdict(bench, at, predicted, interval));
        }
    }
    Ok(verdicts)
}

/// The intervals of a refit take the scatter that its class's other rows show, so that no row sets its own; where the class has no
/// other, what classes show that were left out whole.
fn refitted(bench: &Bench, leave_out: LeaveOut) -> Result<Vec<Verdict>, FitError> {
    let judged = judge(bench, leave_out)?;
    let whole_classes = judge(bench, LeaveOut::Class)?;
    let class_of = |judged: &Judged| bench.members[bench.rows[judged.row].member].class.as_str();
    let mut verdicts = Vec::with_capacity(judged.len());
    let mut scatters = BTreeMap::new();
    for one in &judged {
        let row = &bench.rows[one.row];
        let (class, phase, key) = (class_of(one), row.measurement.phase, leave_out.key(bench, row));
        let scatter = *scatters.entry((class, phase, key)).or_insert_with(|| {
            let select = |of: &[Judged], keep: &dyn Fn(&Judged) -> bool| -> Vec<Judged> {
                let of_phase = |other: &&Judged| bench.rows[other.row].measurement.phase == phase && keep(other);
                of.iter().filter(of_phase).copied().collect()
            };
            let others = |other: &Judged| leave_out.key(bench, &bench.rows[other.row]) != key;
            let of_class = select(&judged, &|other| others(other) && class_of(other) == class);
            if of_class.is_empty() {
                let classes = select(&whole_classes, &|other| class_of(other) != class);
                scatter_of_nearest(bench, LeaveOut::Class, [classes], LEAST_SCATTER)
            } else {
                let circles = [of_class, select(&judged, &others)];
                scatter_of_nearest(bench, leave_out, circles, LEAST_SCATTER)
            }
        });
        let predicted = row.measurement.tokens_per_s * (-one.log_error).exp();
        let spread = (QUANTILE_90 * one.sigma.hypot(scatter)).exp();
        verdicts.push(verdict(
            bench,
            one.row,
            predicted,
            [predicted / spread, predicted * spread],
        ));
    }
    Ok(verdicts)
}

fn groups(rows: &[Verdict]) -> Vec<GroupStatistics> {
    let mut groups: BTreeMap<(bool, String, &'static str, Phase), Vec<&Verdict>> = BTreeMap::new();
    for row in rows {
        groups
            .entry((false, row.device.clone(), row.backend, row.phase))
            .or_default()
            .push(row);
        groups
            .entry((true, "all".to_owned(), "all", row.phase))
            .or_default()
            .push(row);
    }
    groups
        .into_iter()
        .map(|((_, device, backend, phase), rows)| GroupStatistics {
            device,
            backend,
            phase,
            statistics: Statistics::of(&rows),
        })
        .collect()
}

impl Statistics {
    fn of(rows: &[&Verdict]) -> Self {
        let mut signed: Vec<f64> = rows.iter().map(|row| row.error).collect();
        let mut errors: Vec<f64> = signed.iter().map(|error| error.abs()).collect();
        signed.sort_by(f64::total_cmp);
        errors.sort_by(f64::total_cmp);
        let n = rows.len();
        Self {
            n,
            median_error: quantile(&errors, 0.5),
            mean_error: errors.iter().sum::<f64>() / n as f64,
            p90_error: quantile(&errors, 0.9),
            bias: quantile(&signed, 0.5),
            coverage: rows.iter().filter(|row| row.covered()).count() as f64 / n as f64,
        }
    }
}

/// The quantile of sorted values, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = share * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_linear_between_neighbours() {
        assert!((quantile(&[1.0, 2.0, 4.0], 0.5) - 2.0).abs() < 1e-12);
        assert!((quantile(&[1.0, 2.0], 0.9) - 1.9).abs() < 1e-12);
        assert!((quantile(&[3.0], 0.9) - 3.0).abs() < 1e-12);
    }
}
