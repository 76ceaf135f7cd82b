//! From fits to calibration files: one per class of backends, and one per device that was measured.

use super::bench::Bench;
use super::fit::FitError;
use super::fit::pool::{Estimate, Member, Pool};
use super::leave_out::{Judged, LeaveOut, judge, median_error, scatter_of_nearest};
use crate::calibration::{
    Calibration, CalibrationFile, FactorId, FittedFactor, FittedPoint, MeasuredRange, Origin, Phase, PhaseQuality,
};
use std::collections::{BTreeMap, BTreeSet};

/// The least scatter that is claimed: run-to-run noise of a quiet machine.
pub(super) const LEAST_SCATTER: f64 = 0.04;
/// Correlations below this are not worth a line.
const LEAST_CORRELATION: f64 = 0.3;

/// The files of a pooled fit by id, and the judged rows that their errors come from.
#[derive(Debug)]
pub struct Published {
    /// Calibrations by id.
    pub files: BTreeMap<String, CalibrationFile>,
    /// Rows judged with their model left out.
    pub without_model: Vec<Judged>,
    /// Rows judged with their device left out.
    pub without_device: Vec<Judged>,
}

/// Fits every row of `bench` and writes down the factors of each of its members and of each class, `classes` naming those that
/// no row belongs to as well.
///
/// # Errors
/// [`FitError`].
pub fn publish(bench: &Bench, classes: &BTreeSet<Member>, date: &str) -> Result<Published, FitError> {
    let without_model = judge(bench, LeaveOut::Model)?;
    let without_device = judge(bench, LeaveOut::Device)?;
    let without_class = judge(bench, LeaveOut::Class)?;
    let pool = Pool::fit(bench.points(|_| true), &bench.members)?;
    let mut files = BTreeMap::new();
    for member in classes {
        let own = |phase| select(bench, &without_device, phase, |other| other.class == member.class);
        let rows = |at: &usize| bench.members[bench.rows[*at].member].class == member.class;
        let mut quality = quality(own, |phase, own| {
            if own.is_empty() {
                let classes = select(bench, &without_class, phase, |_| true);
                scatter_of_nearest(bench, LeaveOut::Class, [classes], LEAST_SCATTER)
            } else {
                let circles = [own.to_vec(), select(bench, &without_device, phase, |_| true)];
                scatter_of_nearest(bench, LeaveOut::Device, circles, LEAST_SCATTER)
            }
        });
        for (phase, quality) in &mut quality {
            let scatter = |class: Option<&str>| {
                let of_it = |other: &Member| class.is_none_or(|class| other.class == class);
                let rows = select(bench, &without_model, *phase, of_it);
                scatter_of_nearest(bench, LeaveOut::Model, [rows], LEAST_SCATTER)
            };
            // Few models on few machines prove little: no less than what all classes show, and no more than without measurements.
            let measured = scatter(Some(&member.class)).max(scatter(None)).min(quality.scatter);
            quality.measured_scatter = Some(round(measured, 3));
        }
        let file = file(
            &pool.estimate(member, true)?,
            Origin::Class,
            member,
            quality,
            bench,
            rows,
            date,
        );
        files.insert(format!("class-{}", member.class), file);
    }
    for (at, member) in bench.members.iter().enumerate() {
        let own = |phase| select(bench, &without_model, phase, |other| other == member);
        let quality = quality(own, |phase, own| {
            let class = select(bench, &without_model, phase, |other| other.class == member.class);
            let circles = [own.to_vec(), class, select(bench, &without_model, phase, |_| true)];
            scatter_of_nearest(bench, LeaveOut::Model, circles, LEAST_SCATTER)
        });
        let calibration = pool.calibration(member);
        let rows = |row: &usize| bench.rows[*row].member == at;
        let mut file = file(
            &pool.estimate(member, false)?,
            Origin::Device,
            member,
            quality,
            bench,
            rows,
            date,
        );
        file.device = Some(member.device.clone());
        file.backend = Some(member.backend);
        file.points = points(bench, at, &calibration);
        files.insert(format!("{}-{}", member.device, member.backend.name()), file);
    }
    Ok(Published {
        files,
        without_model,
        without_device,
    })
}

fn select(bench: &Bench, judged: &[Judged], phase: Phase, keep: impl Fn(&Member) -> bool) -> Vec<Judged> {
    judged
        .iter()
        .filter(|judged| {
            let row = &bench.rows[judged.row];
            row.measurement.phase == phase && keep(&bench.members[row.member])
        })
        .copied()
        .collect()
}

/// What is known of a phase from the rows of its own that were judged, and the scatter that these, or wider circles, show.
fn quality(
    own: impl Fn(Phase) -> Vec<Judged>,
    scatter: impl Fn(Phase, &[Judged]) -> f64,
) -> BTreeMap<Phase, PhaseQuality> {
    [Phase::Prefill, Phase::Decode]
        .into_iter()
        .map(|phase| {
            let own = own(phase);
            let quality = PhaseQuality {
                points: own.len() as u64,
                scatter: round(scatter(phase, &own), 3),
                measured_scatter: None,
                held_out_error: median_error(&own).map(|error| round(error, 3)),
            };
            (phase, quality)
        })
        .collect()
}

/// `value` to so many significant digits, so that files read well and differ only where fits do.
pub(super) fn round(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let decimals = (digits - 1 - value.abs().log10().floor() as i32).clamp(0, 15) as usize;
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

/// The file of an estimate.
#[must_use]
pub(super) fn file(
    estimate: &Estimate,
    origin: Origin,
    member: &Member,
    quality: BTreeMap<Phase, PhaseQuality>,
    bench: &Bench,
    rows: impl Fn(&usize) -> bool,
    date: &str,
) -> CalibrationFile {
    let rows: Vec<&super::bench::Row> = (0..bench.rows.len())
        .filter(|at| rows(at))
        .map(|at| &bench.rows[at])
        .collect();
    let measured: BTreeSet<FactorId> = rows
        .iter()
        .filter_map(|row| row.point().ok())
        .flat_map(|point| point.factors(&Calibration::bare()))
        .collect();
    let mut factors = BTreeMap::new();
    for (at, (&factor, &value)) in estimate.factors.iter().zip(&estimate.values).enumerate() {
        let fitted = FittedFactor {
            value: round(value, 4),
            error: round(estimate.covariance[(at, at)].max(0.0).sqrt(), 3),
            from_class: !measured.contains(&factor),
        };
        factors.insert(factor.to_string(), fitted);
    }
    for (phase, (value, error)) in [Phase::Prefill, Phase::Decode].into_iter().zip(estimate.other) {
        let other = FittedFactor {
            value: round(value, 4),
            error: round(error, 3),
            from_class: true,
        };
        factors.insert(format!("{}.compute.other", phase.name()), other);
    }
    let sources: BTreeSet<String> = rows.iter().map(|row| row.measurement.source.clone()).collect();
    CalibrationFile {
        origin,
        device: None,
        backend: None,
        class: member.class.clone(),
        note: "Pooled fit of published measurements; factors marked from_class were not measured here".to_owned(),
        date: date.to_owned(),
        machine: None,
        build: None,
        sources: sources.into_iter().collect(),
        threads: threads(&rows, origin),
        splits_cache: false,
        quality,
        range: range(&rows),
        factors,
        shared_error: shared_error(estimate),
        correlations: correlations(estimate),
        power: None,
        points: Vec::new(),
    }
}

/// What the errors of the compute factors of each phase have in common: the root of their median covariance.
fn shared_error(estimate: &Estimate) -> BTreeMap<Phase, f64> {
    [Phase::Prefill, Phase::Decode]
        .into_iter()
        .map(|phase| {
            let of_phase: Vec<usize> = (0..estimate.factors.len())
                .filter(|&at| matches!(estimate.factors[at], FactorId::Compute(other, _) if other == phase))
                .collect();
            let mut covariances: Vec<f64> = of_phase
                .iter()
                .flat_map(|&a| {
                    of_phase
                        .iter()
                        .filter(move |&&b| b < a)
                        .map(move |&b| estimate.covariance[(a, b)])
                })
                .collect();
            covariances.sort_by(f64::total_cmp);
            let median = covariances.get(covariances.len() / 2).copied().unwrap_or(0.0);
            (phase, round(median.max(0.0).sqrt(), 3))
        })
        .collect()
}

/// The correlations that are not small, those among compute factors of one phase apart.
fn correlations(estimate: &Estimate) -> Vec<(String, String, f64)> {
    let is_compute = |factor: &FactorId| matches!(factor, FactorId::Compute(..));
    let mut correlations = Vec::new();
    for (a, first) in estimate.factors.iter().enumerate() {
        for (b, second) in estimate.factors.iter().enumerate().skip(a + 1) {
            let product = estimate.covariance[(a, a)] * estimate.covariance[(b, b)];
            let correlation = estimate.covariance[(a, b)] / product.sqrt();
            if correlation.abs() >= LEAST_CORRELATION && !(is_compute(first) && is_compute(second)) {
                correlations.push((first.to_string(), second.to_string(), round(correlation, 2)));
            }
        }
    }
    correlations
}

/// The thread count of most measurements. None for a class whose devices used every core: its other devices have other numbers
/// of cores.
fn threads(rows: &[&super::bench::Row], origin: Origin) -> Option<u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        if let (Some(threads), Ok(scenario)) = (row.measurement.threads, row.scenario()) {
            let every_core = threads >= scenario.backend.cores.value;
            *counts.entry((threads, every_core)).or_insert(0_u64) += 1;
        }
    }
    counts
        .into_iter()
        .max_by_key(|&(threads, count)| (count, threads))
        .filter(|&((_, every_core), _)| !(every_core && origin == Origin::Class))
        .map(|((threads, _), _)| threads)
}

fn range(rows: &[&super::bench::Row]) -> MeasuredRange {
    let bytes = |pick: fn(u64, u64) -> u64| rows.iter().map(|row| row.weight_bytes()).reduce(pick).unwrap_or(0);
    let names = |name: fn(&super::measurement::Measurement) -> &String| -> Vec<String> {
        let names: BTreeSet<&String> = rows.iter().map(|row| name(&row.measurement)).collect();
        names.into_iter().cloned().collect()
    };
    MeasuredRange {
        weight_bytes: [bytes(u64::min), bytes(u64::max)],
        depth: rows
            .iter()
            .map(|row| row.workload.depth + row.workload.generate)
            .max()
            .unwrap_or(0),
        prompt: rows.iter().map(|row| row.workload.prompt).max().unwrap_or(0),
        models: names(|measurement| &measurement.model),
        precisions: names(|measurement| &measurement.precision),
    }
}

pub(super) fn points(bench: &Bench, member: usize, calibration: &Calibration) -> Vec<FittedPoint> {
    bench
        .rows
        .iter()
        .filter(|row| row.member == member)
        .filter_map(|row| {
            let measurement = &row.measurement;
            Some(FittedPoint {
                model: measurement.model.clone(),
                precision: measurement.precision.clone(),
                test: measurement.test(),
                power_mode: measurement.power_mode.clone(),
                tokens_per_s: round(measurement.tokens_per_s, 6),
                residual: round(-row.point().ok()?.log_error(calibration), 3),
            })
        })
        .collect()
}
