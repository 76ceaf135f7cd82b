//! What bounds a phase.

use super::latency::Totals;

/// What takes the most time in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Arithmetic on weights and attention.
    Compute,
    /// Reading weights, cache and activations.
    Memory,
    /// Kernel launches, barriers and other fixed costs.
    Overhead,
}

impl Bound {
    pub(super) fn of(totals: &Totals) -> Option<Self> {
        let (compute_s, memory_s, overhead_s) = (totals.compute_s(), totals.memory_s(), totals.overhead_s);
        let most = compute_s.max(memory_s).max(overhead_s);
        if most <= 0.0 {
            None
        } else if most == memory_s {
            Some(Self::Memory)
        } else if most == compute_s {
            Some(Self::Compute)
        } else {
            Some(Self::Overhead)
        }
    }

    /// `compute`, `memory` or `overhead`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Memory => "memory",
            Self::Overhead => "overhead",
        }
    }
}
