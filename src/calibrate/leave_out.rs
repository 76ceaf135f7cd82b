//! Errors on what was left out of the fit: the only errors worth quoting.

use super::bench::{Bench, Row};
use super::fit::FitError;
use super::fit::pool::Pool;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left out of the fit that predicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaveOut {
    /// All rows of the model, on every device.
    Model,
    /// All rows of the device: it is predicted from its data sheet and its class's factors.
    Device,
}

impl LeaveOut {
    /// What the row is left out with.
    #[must_use]
    pub fn key(self, row: &Row) -> &str {
        match self {
            Self::Model => &row.measurement.model,
            Self::Device => &row.measurement.device,
        }
    }
}

/// What a fit that had not seen a row says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Index in [`Bench::rows`].
    pub row: usize,
    /// `ln(predicted / measured)` seconds.
    pub log_error: f64,
    /// Standard error of that from the uncertainty of the factors alone.
    pub sigma: f64,
}

/// Refits without each model or device in turn and judges the rows that were left out. Uses every core.
///
/// # Errors
/// [`FitError`] of the first fit that fails.
pub fn judge(bench: &Bench, leave_out: LeaveOut) -> Result<Vec<Judged>, FitError> {
    let mut folds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, row) in bench.rows.iter().enumerate() {
        folds.entry(leave_out.key(row)).or_default().push(at);
    }
    let folds: Vec<(&str, Vec<usize>)> = folds.into_iter().collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(folds.len()) {
            scope.spawn(|| {
                while let Some((key, rows)) = folds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = fold(bench, leave_out, key, rows);
                    if let Ok(mut done) = done.lock() {
                        done.push(judged);
                    }
                }
            });
        }
    });
    let mut judged = Vec::with_capacity(bench.rows.len());
    for fold in done.into_inner().unwrap_or_default() {
        judged.extend(fold?);
    }
    judged.sort_by_key(|judged| judged.row);
    Ok(judged)
}

fn fold(bench: &Bench, leave_out: LeaveOut, key: &str, rows: &[usize]) -> Result<Vec<Judged>, FitError> {
    let pool = Pool::fit(bench.points(|row| leave_out.key(row) != key), &bench.members)?;
    let members: BTreeSet<usize> = rows.iter().map(|&at| bench.rows[at].member).collect();
    let mut judged = Vec::with_capacity(rows.len());
    for member in members {
        let calibration = pool.calibration(&bench.members[member]);
        let estimate = pool.estimate(&bench.members[member], leave_out == LeaveOut::Device)?;
        for &at in rows.iter().filter(|&&at| bench.rows[at].member == member) {
            if let Ok(point) = bench.rows[at].point() {
                let (log_error, gradient) = point.log_error_and_gradient(&calibration);
                judged.push(Judged {
                    row: at,
                    log_error,
                    sigma: estimate.sigma(&gradient),
                });
            }
        }
    }
    Ok(judged)
}

/// Standard normal quantile of a two-sided 90 % interval.
pub const QUANTILE_90: f64 = 1.645;

/// The scatter beside the uncertainty of the factors with which 90 % of the judged errors fall into their intervals; at least
/// `least`, since a few lucky rows prove nothing.
#[must_use]
pub fn scatter(judged: &[Judged], least: f64) -> f64 {
    // The extra deviation that each row needs to be just covered; their 90th percentile covers 90 %.
    let mut needed: Vec<f64> = judged
        .iter()
        .map(|judged| {
            ((judged.log_error / QUANTILE_90).powi(2) - judged.sigma.powi(2))
                .max(0.0)
                .sqrt()
        })
        .collect();
    needed.sort_by(f64::total_cmp);
    // The conservative rank of conformal prediction: one more row than there are.
    let rank = ((needed.len() + 1) as f64 * 0.9).ceil() as usize;
    needed
        .get(rank.clamp(1, needed.len().max(1)) - 1)
        .copied()
        .unwrap_or(least)
        .max(least)
}

/// The median of the relative errors `|predicted / measured - 1|` of rates.
#[must_use]
pub fn median_error(judged: &[Judged]) -> Option<f64> {
    let mut errors: Vec<f64> = judged.iter().map(|judged| (-judged.log_error).exp_m1().abs()).collect();
    errors.sort_by(f64::total_cmp);
    let middle = errors.len() / 2;
    match errors.len() {
        0 => None,
        count if count % 2 == 1 => Some(errors[middle]),
        _ => Some(f64::midpoint(errors[middle - 1], errors[middle])),
    }
}
