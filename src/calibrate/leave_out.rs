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
    /// All rows of a class of backends: its devices are predicted from their data sheets and what all classes have in common.
    Class,
}

impl LeaveOut {
    /// What the row is left out with.
    #[must_use]
    pub fn key<'a>(self, bench: &'a Bench, row: &'a Row) -> &'a str {
        match self {
            Self::Model => &row.measurement.model,
            Self::Device => &row.measurement.device,
            Self::Class => &bench.members[row.member].class,
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
        folds.entry(leave_out.key(bench, row)).or_default().push(at);
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
    let pool = Pool::fit(bench.points(|row| leave_out.key(bench, row) != key), &bench.members)?;
    let members: BTreeSet<usize> = rows.iter().map(|&at| bench.rows[at].member).collect();
    let mut judged = Vec::with_capacity(rows.len());
    for member in members {
        let calibration = pool.calibration(&bench.members[member]);
        let estimate = pool.estimate(&bench.members[member], leave_out != LeaveOut::Model)?;
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

/// With fewer than this there is no 90th percentile.
pub(super) const ENOUGH: usize = 9;

impl LeaveOut {
    /// What errs by itself: with a device (or class) left out all of its rows err together and count as one; with a model left out, every
    /// row counts, since a device has few models and rows at other depths, prompts and formats err apart.
    fn unit<'a>(self, bench: &'a Bench, judged: &Judged) -> (&'a str, usize) {
        let key = self.key(bench, &bench.rows[judged.row]);
        match self {
            Self::Model => (key, judged.row),
            Self::Device | Self::Class => (key, 0),
        }
    }
}

/// The [`scatter`] of the first of these circles of rows, from near to wide, that has enough that errs by itself; of the widest if none
/// has.
pub fn scatter_of_nearest(
    bench: &Bench,
    leave_out: LeaveOut,
    circles: impl IntoIterator<Item = Vec<Judged>>,
    least: f64,
) -> f64 {
    let unit = |judged: &Judged| leave_out.unit(bench, judged);
    let mut nearest = Vec::new();
    for circle in circles {
        let units: BTreeSet<(&str, usize)> = circle.iter().map(unit).collect();
        nearest = circle;
        if units.len() >= ENOUGH {
            break;
        }
    }
    scatter(&nearest, unit, least)
}

/// The scatter beside the uncertainty of the factors with which the next unit, as `unit` tells them apart, falls into its intervals 9
/// times out of 10; at least `least`, since a few lucky rows prove nothing. A unit counts once, however many rows it has.
#[must_use]
pub fn scatter<U: Ord>(judged: &[Judged], unit: impl Fn(&Judged) -> U, least: f64) -> f64 {
    let mut rows_of: BTreeMap<U, usize> = BTreeMap::new();
    for one in judged {
        *rows_of.entry(unit(one)).or_default() += 1;
    }
    // The extra deviation that each row needs to be just covered, and the share of its unit that it stands for.
    let mut needed: Vec<(f64, f64)> = judged
        .iter()
        .map(|one| {
            let extra = (one.log_error / QUANTILE_90).powi(2) - one.sigma.powi(2);
            let rows = rows_of.get(&unit(one)).copied().unwrap_or(1);
            (extra.max(0.0).sqrt(), 1.0 / rows as f64)
        })
        .collect();
    needed.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The conservative rank of conformal prediction: one more unit than there are.
    let rank = 0.9 * (rows_of.len() + 1) as f64;
    let mut passed = 0.0;
    let covering = needed.iter().find(|(_, share)| {
        passed += share;
        passed >= rank - 1e-9
    });
    covering.or(needed.last()).map_or(least, |(extra, _)| extra.max(least))
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
