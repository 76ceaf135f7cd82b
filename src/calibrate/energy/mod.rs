//! The fit of power: what stands, and which shares of a backend's power range arithmetic and streaming draw.
//!
//! Few sources publish watts, each on a rail of its own, so one fit takes them all: the factors of a device are pulled towards its
//! class's, and those towards its kind's, as far as its own watts are silent ([`Pool`]). What it minimises is the error of
//! [`perf::energy`](crate::perf::energy) itself, with the times that the speed calibrations predict: there is no second formula.

mod fit;
mod judge;
mod own;
mod publish;

pub use fit::{Estimate, Pool};
pub use judge::judge;
pub use own::of_device;
pub use publish::{publish, report};

use super::bench::Row;
use super::fit::FitError;
use super::fit::pool::Member;
use crate::calibration::{Calibration, POWER_FACTORS, Phase, PowerFactors};
use crate::perf::energy::Draw;
use crate::perf::latency::{self, Machine};
use std::collections::BTreeMap;

/// What rails show of one another, `calibration/energy/rails.toml`.
const RAILS: &str = include_str!("../../../calibration/energy/rails.toml");

/// Why power cannot be fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnergyFitError {
    /// The shipped table of rails is broken.
    #[error("the table of rails does not read ({0}); this is an error of edgeprof")]
    Rails(#[from] toml::de::Error),
    /// The fit failed.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// How the reading of a rail follows from the power on the rail of the device's file.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversion {
    rail: String,
    #[serde(default)]
    source: String,
    devices: Vec<String>,
    factor: f64,
    offset_w: f64,
    /// Why, for who reads the file.
    #[serde(rename = "text")]
    _text: String,
}

/// The conversions between rails.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rails {
    conversions: Vec<Conversion>,
}

impl Rails {
    /// The shipped ones.
    ///
    /// # Errors
    /// [`EnergyFitError::Rails`]; the tests hold the shipped file to being read.
    pub fn shipped() -> Result<Self, EnergyFitError> {
        Ok(toml::from_str(RAILS)?)
    }

    /// Watts on the rail `own` of the device, of which `rail` shows `shown`; none if nothing is known of the two.
    fn convert(&self, row: &Row, own: &str, rail: &str, shown: f64) -> Option<f64> {
        if rail == own {
            return Some(shown);
        }
        let measurement = &row.measurement;
        let conversion = self.conversions.iter().find(|conversion| {
            conversion.rail == rail
                && measurement.source.contains(&conversion.source)
                && conversion.devices.contains(&measurement.device)
        })?;
        Some((shown - conversion.offset_w) / conversion.factor)
    }
}

/// A measured power made ready for the fit: watts on the device's own rail, and what the law says of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The backend that drew it.
    pub member: Member,
    /// The model.
    pub model: String,
    /// The device's power mode.
    pub mode: Option<String>,
    /// Which phase.
    pub phase: Phase,
    /// What the point is, for a reader.
    pub case: String,
    /// Where it was published.
    pub source: String,
    /// Measured watts on the device's rail.
    pub watts: f64,
    /// Watts, mean over the phase, that stand, that arithmetic and that streaming draw where their factors are 1.
    pub parts: [f64; POWER_FACTORS],
    /// Operations and bytes per second, mean over the phase.
    pub rates: [f64; 2],
    /// The most that the device draws.
    pub most: f64,
    /// The watts are the highest seen, not a mean.
    pub peak: bool,
}

/// Points, and of what else was measured why it is none.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// The points.
    pub points: Vec<Point>,
    /// `device, model: reason` of rows whose power cannot be used.
    pub left_out: Vec<String>,
}

impl Points {
    /// The rows that state watts, with times from the calibration that `calibration` has for each. Rows alike in all but prompt, depth
    /// or run are one point: they say the same once.
    #[must_use]
    pub fn of<'a>(rows: &[Row], rails: &Rails, calibration: impl Fn(&Row) -> Option<&'a Calibration>) -> Self {
        let mut found = Self::default();
        let mut alike: BTreeMap<_, Vec<Point>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.measurement.watts.is_some()) {
            let measurement = &row.measurement;
            let point = calibration(row)
                .ok_or("nothing is calibrated for it")
                .and_then(|calibration| Point::of(row, rails, calibration, &PowerFactors::WHOLE));
            match point {
                Ok(point) => {
                    let key = (
                        point.member.clone(),
                        (point.model.clone(), measurement.precision.clone()),
                        (point.mode.clone(), point.phase, point.peak),
                    );
                    alike.entry(key).or_default().push(point);
                }
                Err(reason) => found.left_out.push(format!(
                    "{}, {} {}: {reason}",
                    measurement.device, measurement.model, measurement.precision
                )),
            }
        }
        found.points = alike.into_values().filter_map(mean).collect();
        found
    }
}

/// Points that are alike as one, the first of them with the means of all.
fn mean(points: Vec<Point>) -> Option<Point> {
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / count;
    let first = points.first()?;
    Some(Point {
        case: match points.len() {
            1 => first.case.clone(),
            count => format!("{} and {} like it", first.case, count - 1),
        },
        watts: mean(&|point| point.watts.ln()).exp(),
        parts: std::array::from_fn(|at| mean(&|point| point.parts[at])),
        rates: std::array::from_fn(|at| mean(&|point| point.rates[at])),
        ..first.clone()
    })
}

impl Point {
    /// `whole` says what the factors scale.
    fn of(row: &Row, rails: &Rails, calibration: &Calibration, whole: &PowerFactors) -> Result<Self, &'static str> {
        let measurement = &row.measurement;
        let scenario = row.scenario().map_err(|_| "it cannot be predicted")?;
        let stated = scenario.device.power.as_ref();
        let stated = stated.map(|power| (power.rail, power.idle.value.get()));
        let measured = whole.measured.map(|measured| (measured.rail, measured.idle_w));
        let (own_rail, idle) = measured.or(stated).ok_or("the device file states no powers")?;
        let machine = Machine::new(&scenario, calibration);
        let draw =
            Draw::of(&scenario, scenario.backend, &machine, whole).ok_or("the device file states no full load")?;
        let totals = latency::terms(measurement.phase, &scenario, &machine).totals();
        let seconds = totals.seconds();
        let shown = measurement.watts.ok_or("it states no watts")?.get();
        let rail = measurement.rail.as_deref().ok_or("its rail is not stated")?;
        let watts = rails
            .convert(row, own_rail.name(), rail.trim_end_matches("-peak"), shown)
            .ok_or("what its rail shows of the device's own is not known")?;
        if !(watts.is_finite() && watts > idle * LEAST_OVER_IDLE) {
            return Err("its power is not above idle");
        }
        let Draw {
            standing,
            compute,
            memory,
            most,
        } = draw;
        let mode = measurement.power_mode.as_deref();
        Ok(Self {
            member: Member {
                device: measurement.device.clone(),
                backend: measurement.backend,
                class: scenario.backend.class.clone(),
            },
            model: measurement.model.clone(),
            mode: measurement.power_mode.clone(),
            phase: measurement.phase,
            case: format!(
                "{} {}{}, {} {}, {}",
                measurement.device,
                measurement.backend,
                mode.map(|mode| format!(" in {mode}")).unwrap_or_default(),
                measurement.model,
                measurement.precision,
                measurement.test()
            ),
            source: measurement.source.clone(),
            watts,
            parts: [
                standing,
                compute * totals.compute_s() / seconds,
                memory * totals.memory_s() / seconds,
            ],
            rates: [totals.flops / seconds, totals.bytes / seconds],
            most,
            peak: rail.ends_with("-peak"),
        })
    }

    /// The parts of the power under these factors, watts, and not above the most that there is.
    #[must_use]
    pub fn power(&self, factors: [f64; POWER_FACTORS]) -> f64 {
        let power: f64 = self.parts.iter().zip(factors).map(|(part, factor)| part * factor).sum();
        power.min(self.most)
    }
}

/// A machine that computes draws more than one that waits; less than this much more is another rail, or no run.
const LEAST_OVER_IDLE: f64 = 1.05;
