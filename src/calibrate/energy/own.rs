//! The power of one machine from what its own sensor read beside its tests.

use super::judge::judge_with;
use super::publish::{ENOUGH_POINTS, LEAST_SCATTER};
use super::{Point, Pool, Rails};
use crate::calibrate::bench::Row;
use crate::calibrate::fit::FitError;
use crate::calibrate::leave_out::{LeaveOut, median_error, scatter};
use crate::calibrate::publish::round;
use crate::calibration::{Calibration, MeasuredPower, Origin, PowerFactors};
use crate::device::Rail;
use crate::units::Watts;

/// What the rows' own watts say of their device, with `class`'s factors as what is believed before; none if no row states watts, or
/// nothing says what the machine draws idle.
///
/// # Errors
/// [`FitError`] if the optimiser fails.
pub fn of_device(
    rows: &[Row],
    calibration: &Calibration,
    class: &PowerFactors,
) -> Result<Option<PowerFactors>, FitError> {
    let Some(measured) = measured(rows) else {
        return Ok(None);
    };
    let whole = PowerFactors {
        measured: Some(measured),
        ..PowerFactors::WHOLE
    };
    let rails = Rails::default();
    let points: Vec<Point> = rows
        .iter()
        .filter_map(|row| Point::of(row, &rails, calibration, &whole).ok())
        .collect();
    let Some(first) = points.first() else { return Ok(None) };
    let pool = Pool::of_device(points.iter(), class)?;
    let several = points.iter().any(|point| point.model != first.model);
    let judged = match several && points.len() >= ENOUGH_POINTS {
        true => judge_with(&points, LeaveOut::Model, |seen| {
            Pool::of_device(seen.into_iter(), class)
        })?,
        false => Vec::new(),
    };
    let estimate = pool.estimate(&first.member, false);
    let [standing, compute, memory] = estimate.factors.map(|factor| round(factor, 3));
    Ok(Some(PowerFactors {
        origin: Origin::Device,
        standing,
        compute,
        memory,
        measured: Some(measured),
        covariance: estimate.covariance.map(|row| row.map(|value| round(value, 4))),
        scatter: match judged.is_empty() {
            true => class.scatter,
            false => round(scatter(&judged, |one| one.row, LEAST_SCATTER), 3),
        },
        held_out_error: median_error(&judged).map(|error| round(error, 3)),
        points: points.len() as u64,
    }))
}

/// Idle and highest power on the rail that was read.
fn measured(rows: &[Row]) -> Option<MeasuredPower> {
    let read = || rows.iter().filter(|row| row.measurement.watts.is_some());
    let rail: Rail = read().find_map(|row| row.measurement.rail.as_deref())?.parse().ok()?;
    let on_it = || read().filter(|row| row.measurement.rail.as_deref() == Some(rail.name()));
    let mut idle: Vec<f64> = on_it()
        .filter_map(|row| row.measurement.idle_watts)
        .map(Watts::get)
        .collect();
    idle.sort_by(f64::total_cmp);
    let highest = on_it().filter_map(|row| row.measurement.watts).map(Watts::get);
    let idle_w = *idle.get(idle.len() / 2)?;
    let full_load_w = highest.fold(0.0, f64::max);
    (idle_w > 0.0 && full_load_w > idle_w && full_load_w.is_finite()).then_some(MeasuredPower {
        rail,
        idle_w: round(idle_w, 4),
        full_load_w: round(full_load_w, 4),
    })
}
