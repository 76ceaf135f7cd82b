//! Energy of a phase: `E = idle power · t + active power · t + FLOPs · e_flop + bytes · e_byte`.
//!
//! Idle power is what the device draws while it waits. The other three are what the work adds: a constant while the backend
//! computes, and a price per operation and per byte read from memory.

use crate::device::{Backend, Device};
use crate::perf::latency::Totals;

/// The energy of a phase and its parts, joules.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Energy {
    /// Idle power times duration.
    pub idle_j: f64,
    /// Power of the busy backend times duration.
    pub active_j: f64,
    /// Operations times `e_flop`.
    pub compute_j: f64,
    /// Bytes times `e_byte`.
    pub memory_j: f64,
}

impl Energy {
    /// The sum of the parts.
    #[must_use]
    #[inline]
    pub fn total(&self) -> f64 {
        self.idle_j + self.active_j + self.compute_j + self.memory_j
    }
}

/// The energy of a phase of these totals, if the device states its powers.
#[must_use]
#[inline]
pub fn of_phase(device: &Device, backend: &Backend, totals: &Totals) -> Option<Energy> {
    let power = device.power.as_ref()?;
    let (per_flop, per_byte) = (backend.energy_per_flop.as_ref()?, backend.energy_per_byte.as_ref()?);
    let seconds = totals.seconds();
    Some(Energy {
        idle_j: power.idle.value.get() * seconds,
        active_j: backend.active_power.as_ref().map_or(0.0, |active| active.value.get()) * seconds,
        compute_j: per_flop.value.get() * totals.flops,
        memory_j: per_byte.value.get() * totals.bytes,
    })
}
