//! The power of a calibration: a sensor read beside it, or a meter's log read after it.

use super::{CollectOptions, Timing, Warning};
use crate::device::{BackendKind, Rail};
use crate::power::{self, Chosen, PowerError, Sampler, Trace, now_s};
use crate::units::Watts;
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long nothing is done, to see what that draws.
const IDLE: Duration = Duration::from_secs(3);

/// Where a calibration's power was read, and what the machine draws doing nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Power {
    /// The sensor's name, or `log`.
    pub sensor: String,
    /// Whose power it is.
    pub rail: Rail,
    /// What was read, in words.
    pub what: String,
    /// Before the first test, with nothing running.
    pub idle_watts: Option<Watts>,
    /// Time that one reading takes, seconds; none for a log.
    pub reading_s: Option<f64>,
    /// Share of one core that readings take.
    pub share_of_core: Option<f64>,
}

/// What reads power.
#[derive(Debug)]
pub(super) enum Meter {
    None,
    Sensor(Sampler),
    Log(PathBuf),
}

/// The meter of the options, and why `auto` has none where there is something that could not be read.
pub(super) fn start(options: &CollectOptions) -> Result<(Meter, Vec<Warning>), PowerError> {
    if let Some(path) = &options.power_log {
        // A log that is not there is said now, not after a minute of measuring.
        std::fs::File::open(path).map_err(|source| PowerError::File {
            path: path.clone(),
            source,
        })?;
        return Ok((Meter::Log(path.clone()), Vec::new()));
    }
    let gpu = options.backend != BackendKind::Cpu;
    let Chosen { sensor, refused } = power::choose(&options.sensors, &options.power, gpu)?;
    let warning = |error: PowerError| Warning::NoPower {
        reason: error.to_string(),
    };
    let meter = sensor.map_or(Meter::None, |sensor| Meter::Sensor(Sampler::start(sensor)));
    Ok((meter, refused.into_iter().map(warning).collect()))
}

impl Meter {
    /// Whether there is one.
    pub const fn reads(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Does nothing for a while, and gives the time of that, unless it is interrupted. A sensor has been read before it begins and
    /// is read again before it is over: without a reading at either end nothing is known of what lies between.
    pub fn idle(&self, interrupted: impl Fn() -> bool) -> Option<[f64; 2]> {
        self.read_until(0.0);
        let (start, from_s) = (Instant::now(), now_s());
        while start.elapsed() < IDLE {
            if interrupted() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let to_s = now_s();
        self.read_until(to_s);
        Some([from_s, to_s])
    }

    /// Waits for a reading of the sensor at this time or later.
    fn read_until(&self, at_s: f64) {
        if let Self::Sensor(sampler) = self {
            let _ = sampler.trace_until(at_s);
        }
    }

    /// The timing with the power that a sensor read meanwhile; a log's comes at the end.
    pub fn seen(&self, timing: Timing) -> Timing {
        match self {
            Self::Sensor(sampler) => {
                let end_s = timing.window.map_or(0.0, |[_, end_s]| end_s);
                with_power(timing, &sampler.trace_until(end_s))
            }
            Self::None | Self::Log(_) => timing,
        }
    }

    /// The last of the power: a log is read now, and what went wrong is said.
    pub fn finish(
        &self,
        idle: Option<[f64; 2]>,
        timings: &mut [(String, Timing)],
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Power>, PowerError> {
        let idle_of = |trace: &Trace| idle.and_then(|[from, to]| trace.mean(from, to));
        let power = match self {
            Self::None => return Ok(None),
            Self::Sensor(sampler) => {
                warnings.extend(sampler.error().map(|reason| Warning::NoPower { reason }));
                let (reading_s, share_of_core) = sampler.overhead();
                let info = sampler.info();
                Power {
                    sensor: info.name.to_owned(),
                    rail: info.rail,
                    what: info.what.clone(),
                    idle_watts: idle_of(&sampler.trace()),
                    reading_s: Some(reading_s),
                    share_of_core: Some(share_of_core),
                }
            }
            Self::Log(path) => {
                let trace = power::log::read(path)?;
                for (_, timing) in timings.iter_mut() {
                    *timing = with_power(*timing, &trace);
                }
                Power {
                    sensor: "log".to_owned(),
                    rail: Rail::Wall,
                    what: format!("the log {}", path.display()),
                    idle_watts: idle_of(&trace),
                    reading_s: None,
                    share_of_core: None,
                }
            }
        };
        if timings.iter().all(|(_, timing)| timing.watts.is_none()) {
            warnings.push(Warning::NoPower {
                reason: format!("{} has no reading during any test", power.what),
            });
        }
        Ok(Some(power))
    }
}

fn with_power(timing: Timing, trace: &Trace) -> Timing {
    let watts = timing.window.and_then(|[from, to]| trace.mean(from, to));
    Timing {
        watts: watts.map(Watts::get).or(timing.watts),
        ..timing
    }
}
