//! The calibration of one backend of one device from its own measurements, with its class's as what is believed before.

use super::bench::{Bench, Row};
use super::energy;
use super::fit::device::{DeviceFit, fit};
use super::fit::{FitError, Point, weight_of_spread};
use super::leave_out::{ENOUGH, Judged, LeaveOut, median_error, scatter_of_nearest};
use super::measurement::Phase;
use super::publish::{self, LEAST_SCATTER, round};
use crate::calibration::{Calibration, CalibrationFile, FactorId, Origin, PhaseQuality};
use std::collections::{BTreeMap, BTreeSet};

/// With fewer points of a phase than this, how far predictions scatter is the class's to say. With more, but fewer than [`ENOUGH`] of models
/// left out in formats that the fit knows, it is what the class says of its devices that were measured.
const ENOUGH_POINTS: usize = 6;

/// What was measured, beside the measurements.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Day of the fit, ISO 8601.
    pub date: String,
    /// The machine.
    pub machine: Option<String>,
    /// The engine's build.
    pub build: Option<String>,
    /// CPU threads that a prediction should use when the user names none; none: those of most measurements.
    pub threads: Option<u64>,
}

/// A calibrated device.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// The factors and what the measurements determine.
    pub fit: DeviceFit,
    /// The file of it.
    pub file: CalibrationFile,
}

/// Calibrates the one member of `bench`: every row is a point.
///
/// # Errors
/// [`FitError`] if there is no row, or the optimiser fails.
pub fn calibrate(bench: &Bench, class: &Calibration, about: &About) -> Result<Calibrated, FitError> {
    let member = bench.members.first().ok_or(FitError::NoPoints)?;
    let points = points(bench);
    let (class, fit) = &fit_of_engine(&points, class)?;
    let quality = quality(bench, &points, class)?;
    let everything = |_: &usize| true;
    let mut file = publish::file(
        &fit.estimate,
        Origin::Device,
        member,
        quality,
        bench,
        everything,
        &about.date,
    );
    let determined: BTreeSet<String> = fit.determined.iter().map(ToString::to_string).collect();
    for (name, factor) in &mut file.factors {
        factor.from_class = !determined.contains(name);
    }
    "Fitted to measurements of this device; factors marked from_class are its class's, moved only as far as they go with measured ones"
        .clone_into(&mut file.note);
    if class.file.splits_cache {
        file.splits_cache = true;
        file.note += "; its engine's threads split the cache among them, whose last block costs as much as a full one";
    }
    let alone: Vec<String> = fit.on_one_point.iter().map(ToString::to_string).collect();
    if !alone.is_empty() {
        file.note += &format!(
            "; one measurement alone raises {}, which stays its class's",
            alone.join(" and of ")
        );
    }
    file.device = Some(member.device.clone());
    file.backend = Some(member.backend);
    file.machine.clone_from(&about.machine);
    file.build.clone_from(&about.build);
    file.threads = about.threads.or(file.threads);
    file.points = publish::points(bench, 0, &fit.calibration);
    if let Some(of_class) = &class.power {
        file.power = energy::of_device(&bench.rows, &fit.calibration, of_class)?;
    }
    Ok(Calibrated { fit: fit.clone(), file })
}

/// The fit, and the class's calibration for the engine that ran the points: its threads [split the
/// cache](CalibrationFile::splits_cache) if the points cost less then.
fn fit_of_engine(points: &[Point<'_>], class: &Calibration) -> Result<(Calibration, DeviceFit), FitError> {
    let mut other = class.clone();
    other.file.splits_cache = !class.file.splits_cache;
    let told_apart = |point: &Point<'_>| point.log_error(class) != point.log_error(&other);
    let as_class = fit(points, class)?;
    if points.iter().any(told_apart) {
        let as_other = fit(points, &other)?;
        if as_other.cost < as_class.cost {
            return Ok((other, as_other));
        }
    }
    Ok((class.clone(), as_class))
}

/// Every row as a point that counts the less the more its repetitions scatter.
fn points(bench: &Bench) -> Vec<Point<'_>> {
    bench.rows.iter().filter_map(point).collect()
}

fn point(row: &Row) -> Option<Point<'_>> {
    let point = row.point().ok()?;
    let spread = row.measurement.spread().unwrap_or(0.0);
    Some(Point {
        weight: point.weight * weight_of_spread(point.phase, spread),
        ..point
    })
}

/// Of the points that errors are judged on, at least this share of the time is the weights', as in any model at a moderate depth: a
/// probe that is nearly all attention or fixed costs tells factors apart, and is like nothing that will be asked.
const LEAST_SHARE_OF_WEIGHTS: f64 = 0.5;

/// Errors on points of a model that the fit had not seen, where there are enough of them; else the class's scatter.
fn quality(
    bench: &Bench,
    points: &[Point<'_>],
    class: &Calibration,
) -> Result<BTreeMap<Phase, PhaseQuality>, FitError> {
    let left_out = leave_model_out(bench, points, class)?;
    Ok([Phase::Prefill, Phase::Decode]
        .into_iter()
        .map(|phase| {
            let judged: Vec<Judged> = left_out
                .iter()
                .filter(|judged| points[judged.row].phase == phase)
                .filter(|judged| points[judged.row].share_of_weights(class) >= LEAST_SHARE_OF_WEIGHTS)
                .copied()
                .collect();
            let own = judged.len() >= ENOUGH;
            let fitted = points.iter().filter(|point| point.phase == phase).count();
            let of_class = class.quality(phase);
            let scatter = match of_class.measured_scatter {
                _ if own => round(
                    scatter_of_nearest(bench, LeaveOut::Model, [judged.clone()], LEAST_SCATTER),
                    3,
                ),
                Some(measured) if fitted >= ENOUGH_POINTS => measured,
                _ => of_class.scatter,
            };
            let quality = PhaseQuality {
                points: fitted as u64,
                scatter,
                measured_scatter: None,
                held_out_error: median_error(&judged).filter(|_| own).map(|error| round(error, 3)),
            };
            (phase, quality)
        })
        .collect())
}

/// Refits without each model in turn and judges the points that were left out whose formats the others determine; nothing if there is
/// one model only. What is asked in a format that was not measured is as uncertain as its factor, which is not for the scatter to say.
fn leave_model_out(bench: &Bench, points: &[Point<'_>], class: &Calibration) -> Result<Vec<Judged>, FitError> {
    let models: BTreeSet<&str> = bench.rows.iter().map(|row| row.measurement.model.as_str()).collect();
    let mut judged = Vec::new();
    if models.len() < 2 || points.len() < ENOUGH_POINTS || points.len() != bench.rows.len() {
        return Ok(judged);
    }
    for model in models {
        let of_it = |at: &usize| bench.rows[*at].measurement.model == model;
        let seen: Vec<Point<'_>> = (0..points.len()).filter(|at| !of_it(at)).map(|at| points[at]).collect();
        let fit = fit(&seen, class)?;
        let is_known = |factor: &FactorId| !matches!(factor, FactorId::Compute(..)) || fit.determined.contains(factor);
        for row in (0..points.len()).filter(of_it) {
            if !points[row].factors(class).iter().all(is_known) {
                continue;
            }
            let (log_error, gradient) = points[row].log_error_and_gradient(&fit.calibration);
            judged.push(Judged {
                row,
                log_error,
                sigma: fit.estimate.sigma(&gradient),
            });
        }
    }
    Ok(judged)
}

#[cfg(test)]
mod tests;
