//! Errors of power on what was left out of the fit.

use super::{Point, Pool};
use crate::calibrate::fit::FitError;
use crate::calibrate::leave_out::{Judged, LeaveOut};
use std::collections::BTreeSet;

fn key(leave_out: LeaveOut, point: &Point) -> &str {
    match leave_out {
        LeaveOut::Model => &point.model,
        LeaveOut::Device => &point.member.device,
        LeaveOut::Class => &point.member.class,
    }
}

/// Refits without each model, device or class in turn and judges the points that were left out, with `row` their index.
///
/// # Errors
/// [`FitError`] of the first fit that fails.
pub fn judge(points: &[Point], leave_out: LeaveOut) -> Result<Vec<Judged>, FitError> {
    judge_with(points, leave_out, |seen| Pool::fit(seen.into_iter()))
}

/// The same with another fit.
pub(super) fn judge_with<'a>(
    points: &'a [Point],
    leave_out: LeaveOut,
    fit: impl Fn(Vec<&'a Point>) -> Result<Pool, FitError>,
) -> Result<Vec<Judged>, FitError> {
    let keys: BTreeSet<&str> = points.iter().map(|point| key(leave_out, point)).collect();
    let mut judged = Vec::with_capacity(points.len());
    for left_out in keys {
        let seen = points.iter().filter(|point| key(leave_out, point) != left_out);
        let pool = fit(seen.collect())?;
        for (row, point) in points.iter().enumerate() {
            if key(leave_out, point) == left_out {
                let estimate = pool.estimate(&point.member, leave_out != LeaveOut::Model);
                let (log_error, sigma) = pool.log_error(point, &estimate);
                judged.push(Judged { row, log_error, sigma });
            }
        }
    }
    judged.sort_by_key(|judged| judged.row);
    Ok(judged)
}
