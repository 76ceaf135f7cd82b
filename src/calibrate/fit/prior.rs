//! What is believed of a factor before anything is measured, and how far devices of a class, and classes, differ in it.
//!
//! All spreads are standard deviations of log odds (utilizations) or of logarithms (costs): below a tenth the two are alike. They are properties of the law, the same for every device and model.

use crate::calibration::{FactorId, Phase};
use crate::device::BackendKind;

/// The belief about one factor: a mean, and how it spreads at each level of the pooled fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// The typical factor of all backends of a kind.
    pub mean: f64,
    /// Uncertainty of that mean.
    pub root: f64,
    /// Spread of classes about it.
    pub class: f64,
    /// Spread of devices about their class.
    pub device: f64,
}

/// A part that all block types of a phase share, so that a device that is fast in one is expected to be fast in all.
pub const SHARED_COMPUTE: Prior = Prior {
    mean: 0.0,
    root: 0.6,
    class: 0.5,
    device: 0.25,
};

/// Share of the saturated bandwidth that one core draws when nothing was measured.
const CORE_SHARE: f64 = 0.5;

/// The belief about `factor` on a CPU or a GPU.
#[must_use]
pub fn of(factor: FactorId, kind: BackendKind) -> Prior {
    let cpu = kind == BackendKind::Cpu;
    match factor {
        // Streams reach 60 to 85 % of the nominal bandwidth on most machines.
        FactorId::Memory => Prior {
            mean: 0.70,
            root: 0.4,
            class: 0.4,
            device: 0.4,
        },
        FactorId::CoreShare => Prior {
            mean: CORE_SHARE,
            root: 0.4,
            class: 0.6,
            device: 0.4,
        },
        FactorId::Interconnect => Prior {
            mean: 0.7,
            root: 0.6,
            class: 0.4,
            device: 0.2,
        },
        FactorId::Compute(Phase::Prefill, _) => compute(0.30),
        FactorId::Compute(Phase::Decode, _) => compute(0.25),
        FactorId::Attention(Phase::Prefill) => Prior {
            mean: if cpu { 0.05 } else { 0.15 },
            root: 1.0,
            class: 0.6,
            device: 0.6,
        },
        FactorId::Attention(Phase::Decode) => Prior {
            mean: 0.1,
            root: 1.0,
            class: 0.6,
            device: 0.6,
        },
        // GPUs of a class differ little in how many cycles a kernel's beginning and end take.
        FactorId::Operation(_) => Prior {
            mean: 2e-6,
            root: 0.7,
            class: 0.5,
            device: if cpu { 0.3 } else { 0.15 },
        },
        FactorId::Pass(phase) => Prior {
            mean: match phase {
                Phase::Prefill => 1e-3,
                Phase::Decode => 1e-4,
            },
            root: 1.0,
            class: 0.6,
            device: 0.6,
        },
    }
}

/// Block types differ by what it takes to unpack them.
const fn compute(utilization: f64) -> Prior {
    Prior {
        mean: utilization,
        root: 0.6,
        class: 0.35,
        device: 0.12,
    }
}
