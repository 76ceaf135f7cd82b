//! From the fit to the shipped factors, and to the report of their errors.

use super::{Point, Points, Pool, judge};
use crate::calibrate::fit::FitError;
use crate::calibrate::fit::pool::Member;
use crate::calibrate::leave_out::{Judged, LeaveOut, QUANTILE_90, median_error, scatter};
use crate::calibrate::publish::round;
use crate::calibration::{Origin, Phase, PowerFactors, PowerFile};
use crate::output::{Align, Grid, Setting, Sheet, number};
use std::collections::{BTreeMap, BTreeSet};

/// The least scatter that is claimed.
pub(super) const LEAST_SCATTER: f64 = 0.08;
/// With fewer judged points than this of its own, the scatter is that of a wider group.
pub(super) const ENOUGH_POINTS: usize = 6;

/// Fits all points and states the factors of each device that was measured, and of each class that `classes` names a member of.
///
/// # Errors
/// [`FitError`]
pub fn publish(points: &[Point], classes: &BTreeSet<Member>) -> Result<PowerFile, FitError> {
    let without_model = judge(points, LeaveOut::Model)?;
    let without_device = judge(points, LeaveOut::Device)?;
    let pool = Pool::fit(points.iter())?;
    let select = |judged: &[Judged], keep: &dyn Fn(&Member) -> bool| -> Vec<Judged> {
        let kept = judged.iter().filter(|judged| keep(&points[judged.row].member));
        kept.copied().collect()
    };
    let devices: BTreeSet<Member> = points.iter().map(|point| point.member.clone()).collect();
    let mut factors = BTreeMap::new();
    for (origin, members, judged) in [
        (Origin::Class, classes, &without_device),
        (Origin::Device, &devices, &without_model),
    ] {
        for member in members {
            let same_class = |other: &Member| other.class == member.class;
            let (id, own) = match origin {
                Origin::Class => (format!("class-{}", member.class), select(judged, &same_class)),
                Origin::Device => (
                    format!("{}-{}", member.device, member.backend),
                    select(judged, &|other| other == member),
                ),
            };
            let wider = [own.clone(), select(judged, &same_class)]
                .into_iter()
                .find(|group| group.len() >= ENOUGH_POINTS)
                .unwrap_or_else(|| select(judged, &|_| true));
            let estimate = pool.estimate(member, origin == Origin::Class);
            let [standing, compute, memory] = estimate.factors.map(|factor| round(factor, 3));
            let stated = PowerFactors {
                origin,
                standing,
                compute,
                memory,
                measured: None,
                covariance: estimate.covariance.map(|row| row.map(|value| round(value, 4))),
                scatter: round(scatter(&wider, |one| one.row, LEAST_SCATTER), 3),
                held_out_error: median_error(&own).map(|error| round(error, 3)),
                points: own.len() as u64,
            };
            factors.insert(id, stated);
        }
    }
    let note = "Factors of power fitted to the watts of calibration/measurements/published.csv on the rails of \
                calibration/energy/rails.toml; EDGEPROF_BLESS=1 cargo test energy writes this file";
    Ok(PowerFile {
        note: note.to_owned(),
        factors,
    })
}

/// The errors of power on what was left out, as Markdown: by device and phase, and point by point.
///
/// # Errors
/// [`FitError`]
pub fn report(found: &Points) -> Result<String, FitError> {
    let points = &found.points;
    let mut sheet = Sheet::default();
    let without_model = judge(points, LeaveOut::Model)?;
    let without_device = judge(points, LeaveOut::Device)?;
    sheet.table(
        "Power with the model left out of the fit",
        summary(points, &without_model),
    );
    sheet.table(
        "Power with the device left out of the fit",
        summary(points, &without_device),
    );
    let pool = Pool::fit(points.iter())?;
    sheet.table(
        "What the fit comes to: static power, energy per operation and per byte, and the most that is drawn",
        constants(points, &pool),
    );
    let mut grid = Grid::new([
        ("point", Align::Left),
        ("measured", Align::Right),
        ("fitted", Align::Right),
        ("model left out", Align::Right),
        ("device left out", Align::Right),
        ("source", Align::Left),
    ]);
    for (at, point) in points.iter().enumerate() {
        let (fitted, _) = pool.log_error(point, &pool.estimate(&point.member, false));
        let watts = |log_error: f64| format!("{} W", number::significant(point.watts * log_error.exp(), 3));
        let peak = if point.peak { " (a peak)" } else { "" };
        grid.row([
            format!("{}{peak}", point.case),
            watts(0.0),
            watts(fitted),
            watts(without_model[at].log_error),
            watts(without_device[at].log_error),
            point.source.clone(),
        ]);
    }
    sheet.table("Every point, on the rail of the device", grid);
    let reasons: BTreeSet<&String> = found.left_out.iter().collect();
    if !reasons.is_empty() {
        sheet.paragraph("Watts that cannot be used:".to_owned());
        sheet.items(reasons.into_iter().cloned().collect());
    }
    Ok(sheet.set(Setting::Markdown))
}

/// Static power, `e_flop` and `e_byte` by device, power mode and phase: medians over the points.
fn constants(points: &[Point], pool: &Pool) -> Grid {
    let mut grid = Grid::new([
        ("device", Align::Left),
        ("backend", Align::Left),
        ("mode", Align::Left),
        ("phase", Align::Left),
        ("static", Align::Right),
        ("e_flop", Align::Right),
        ("e_byte", Align::Right),
        ("most", Align::Right),
    ]);
    let mut groups: BTreeMap<_, Vec<[f64; 4]>> = BTreeMap::new();
    for point in points {
        let factors = pool.estimate(&point.member, false).factors;
        let [standing, compute, memory] = std::array::from_fn(|at| point.parts[at] * factors[at]);
        let [flops, bytes] = point.rates;
        let key = (
            &point.member.device,
            point.member.backend.name(),
            &point.mode,
            point.phase,
        );
        let one = [standing, compute / flops, memory / bytes, point.most];
        groups.entry(key).or_default().push(one);
    }
    for ((device, backend, mode, phase), group) in groups {
        let median = |at: usize| {
            let mut values: Vec<f64> = group.iter().map(|one| one[at]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        grid.row([
            device.clone(),
            backend.to_owned(),
            mode.clone().unwrap_or_default(),
            phase.name().to_owned(),
            number::quantity(median(0), "W"),
            number::quantity(median(1), "J/FLOP"),
            number::quantity(median(2), "J/B"),
            number::quantity(median(3), "W"),
        ]);
    }
    grid
}

/// Errors by backend and phase, and of all.
fn summary(points: &[Point], judged: &[Judged]) -> Grid {
    let mut grid = Grid::new([
        ("device", Align::Left),
        ("backend", Align::Left),
        ("phase", Align::Left),
        ("points", Align::Right),
        ("median error", Align::Right),
        ("bias", Align::Right),
        ("coverage", Align::Right),
    ]);
    let mut groups: BTreeMap<(bool, &str, &str, Phase), Vec<Judged>> = BTreeMap::new();
    for one in judged {
        let point = &points[one.row];
        let (device, backend) = (point.member.device.as_str(), point.member.backend.name());
        for key in [(false, device, backend, point.phase), (true, "all", "all", point.phase)] {
            groups.entry(key).or_default().push(*one);
        }
    }
    for ((_, device, backend, phase), group) in groups {
        // The scatter of an interval comes from the others, so that no group sets its own.
        let others: Vec<Judged> = judged
            .iter()
            .filter(|other| device == "all" || points[other.row].member.device != device)
            .copied()
            .collect();
        let scatter = scatter(&others, |one| one.row, LEAST_SCATTER);
        let covered = group
            .iter()
            .filter(|one| one.log_error.abs() <= QUANTILE_90 * one.sigma.hypot(scatter))
            .count();
        let mut signed: Vec<f64> = group.iter().map(|one| one.log_error).collect();
        signed.sort_by(f64::total_cmp);
        let median = signed[signed.len() / 2];
        grid.row([
            device.to_owned(),
            backend.to_owned(),
            phase.name().to_owned(),
            group.len().to_string(),
            median_error(&group).map_or_else(String::new, number::percent),
            format!("{:+.0} %", 100.0 * median.exp_m1()),
            format!("{:.0} %", 100.0 * covered as f64 / group.len() as f64),
        ]);
    }
    grid
}
