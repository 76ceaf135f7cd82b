//! What a figure of a prediction hangs on: the prediction once more with one factor or input changed at a time.

use super::{Prediction, predict, predict_split};
use crate::calibration::{Calibration, FactorId};
use crate::device::{Backend, BackendKind, Device};
use crate::scenario::{Scenario, Workload};

/// What was changed, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A factor of the calibration, to the ends of its 90 % interval, `factor · exp(± 1.645 · σ)`.
    Factor,
    /// A number of the device or of the work, a tenth down and up.
    Input,
}

/// The figure with one factor or input changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Swing {
    /// What was changed.
    pub name: String,
    /// By how much.
    pub change: Change,
    /// The figure with it at its low end.
    pub low: f64,
    /// The figure with it at its high end.
    pub high: f64,
}

impl Swing {
    /// From the lowest to the highest of the two.
    #[must_use]
    pub fn width(&self) -> f64 {
        (self.high - self.low).abs()
    }
}

/// A figure and what it hangs on.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensitivity {
    /// The figure with nothing changed.
    pub base: f64,
    /// The swings, the widest first; what moves the figure by less than a ten-thousandth is left out.
    pub swings: Vec<Swing>,
}

/// Standard normal quantile of a two-sided 90 % interval.
const QUANTILE_90: f64 = 1.645;
/// By which share an input is changed.
const INPUT_SHARE: f64 = 0.1;
/// The least swing, as a share of the figure.
const LEAST: f64 = 1e-4;

/// Changes one input of a device by a factor.
type DeviceInput = (&'static str, fn(&mut Device, BackendKind, f64));

const DEVICE_INPUTS: &[DeviceInput] = &[
    ("memory bandwidth", |device, kind, by| {
        for mode in device.power_modes.values_mut() {
            if let Some(bandwidth) = &mut mode.bandwidth {
                bandwidth.value.0 *= by;
            }
        }
        match device
            .backends
            .get_mut(&kind)
            .and_then(|backend| backend.memory.as_mut())
        {
            Some(memory) => memory.bandwidth.value.0 *= by,
            None => device.memory.bandwidth.value.0 *= by,
        }
    }),
    ("storage bandwidth", |device, _, by| {
        if let Some(rate) = &mut device.storage_bandwidth {
            rate.value.0 *= by;
        }
    }),
    ("network bandwidth", |device, _, by| {
        if let Some(rate) = &mut device.network_bandwidth {
            rate.value.0 *= by;
        }
    }),
    ("host-to-device bandwidth", |device, kind, by| {
        of_backend(device, kind, |backend| {
            if let Some(rate) = &mut backend.host_to_device {
                rate.value.0 *= by;
            }
        });
    }),
    ("peak rates", |device, kind, by| {
        of_backend(device, kind, |backend| {
            for peak in backend.peaks.values_mut() {
                peak.value.0 *= by;
            }
        });
    }),
    ("idle power", |device, _, by| {
        if let Some(power) = &mut device.power {
            power.idle.value.0 *= by;
        }
    }),
    ("full load", |device, kind, by| {
        of_backend(device, kind, |backend| {
            if let Some(power) = &mut backend.full_load {
                power.value.0 *= by;
            }
        });
    }),
];

fn of_backend(device: &mut Device, kind: BackendKind, change: impl FnOnce(&mut Backend)) {
    if let Some(backend) = device.backends.get_mut(&kind) {
        change(backend);
    }
}

/// Changes one input of the work by a factor.
type WorkInput = (&'static str, fn(&mut Workload, f64));

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // tokens are far below 2^53
fn scaled(tokens: u64, by: f64) -> u64 {
    (tokens as f64 * by).round() as u64
}

const WORK_INPUTS: &[WorkInput] = &[
    ("prompt", |work, by| work.prompt = scaled(work.prompt, by)),
    ("generate", |work, by| work.generate = scaled(work.generate, by)),
    ("depth", |work, by| work.depth = scaled(work.depth, by)),
    ("context", |work, by| {
        work.context = work.context.map(|context| scaled(context, by))
    }),
];

/// How `figure` of the prediction moves with each factor of `calibration` and each input of the device and the work. `host` is the
/// calibration of the CPU where layers stay there; its factors are left as they are.
///
/// None if the prediction has no such figure.
pub fn sensitivity(
    scenario: &Scenario<'_>,
    calibration: &Calibration,
    host: Option<&Calibration>,
    figure: impl Fn(&Scenario<'_>, &Prediction<'_>) -> Option<f64>,
) -> Option<Sensitivity> {
    let ask = |scenario: &Scenario<'_>, calibration: &Calibration| {
        let prediction = match host {
            Some(host) => predict_split(scenario, calibration, host),
            None => predict(scenario, calibration),
        };
        figure(scenario, &prediction)
    };
    let again = |device: &Device, work: Workload| {
        let mode = scenario.power_mode.map(|(name, _)| name);
        let kind = Some(scenario.backend_kind);
        let changed = Scenario::new(scenario.sums, device, kind, scenario.precision, mode, work).ok()?;
        ask(&changed, calibration)
    };
    let base = ask(scenario, calibration)?;
    let mut swings = Vec::new();
    let mut add = |name: String, change: Change, ends: [Option<f64>; 2]| {
        let [Some(low), Some(high)] = ends else { return };
        let swing = Swing {
            name,
            change,
            low,
            high,
        };
        if (low - base).abs().max((high - base).abs()) > LEAST * base.abs() {
            swings.push(swing);
        }
    };
    for id in FactorId::all() {
        let spread = (QUANTILE_90 * calibration.covariance(id, id).max(0.0).sqrt()).exp();
        if spread > 1.0 {
            let ends = [1.0 / spread, spread].map(|by| {
                let mut changed = calibration.clone();
                changed.set_factor(id, calibration.factor(id) * by);
                ask(scenario, &changed)
            });
            add(id.to_string(), Change::Factor, ends);
        }
    }
    let ends = [1.0 - INPUT_SHARE, 1.0 + INPUT_SHARE];
    for (name, change) in DEVICE_INPUTS {
        let ends = ends.map(|by| {
            let mut device = scenario.device.clone();
            change(&mut device, scenario.backend_kind, by);
            again(&device, scenario.workload)
        });
        add((*name).to_owned(), Change::Input, ends);
    }
    for (name, change) in WORK_INPUTS {
        let ends = ends.map(|by| {
            let mut work = scenario.workload;
            change(&mut work, by);
            again(scenario.device, work)
        });
        add((*name).to_owned(), Change::Input, ends);
    }
    swings.sort_by(|a, b| b.width().total_cmp(&a.width()).then_with(|| a.name.cmp(&b.name)));
    Some(Sensitivity { base, swings })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::{Catalog, Choice};
    use crate::perf::sums::ModelSums;
    use crate::quant::Precision;

    #[test]
    fn loading_hangs_on_the_storage_alone_and_inversely() {
        let catalog = Catalog::builtin();
        let (model, device) = (catalog.model("tinyllama").unwrap(), catalog.device("pi5").unwrap());
        let sums = ModelSums::of(&model, Precision::Int4).unwrap();
        let scenario = Scenario::new(&sums, &device, None, Precision::Int4, None, Workload::default()).unwrap();
        let calibration = catalog
            .calibration_for(&device, scenario.backend_kind, &Choice::Best)
            .unwrap();
        let found = sensitivity(&scenario, &calibration, None, |_, prediction| prediction.io_s).unwrap();
        let [storage] = &found.swings[..] else {
            panic!("{found:?}");
        };
        assert_eq!(storage.name, "storage bandwidth");
        // 1 / 0.9 and 1 / 1.1 of the time.
        assert!((storage.low / found.base - 1.0 / 0.9).abs() < 1e-12);
        assert!((storage.high / found.base - 1.0 / 1.1).abs() < 1e-12);
        assert!(sensitivity(&scenario, &calibration, None, |_, prediction| prediction.h2d_s).is_none());
    }
}
