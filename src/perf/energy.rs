//! Energy of a phase: `E = standing · t + A_compute · compute_s + A_memory · memory_s`, and never more than `most · t`.
//!
//! `t`, `compute_s` and `memory_s` are the predicted seconds of the phase, of its arithmetic and of its streaming, so that speed and
//! energy agree. What each draws is fitted ([`PowerFactors`]) as a share of what the device file states:
//!
//! ```text
//! standing  = standing factor · idle power of the power mode
//! A_compute = compute factor · (full load - idle) · clock · voltage² · cores in use, all over those at the full clock
//! A_memory  = memory factor  · (full load - idle) · bandwidth that the mode and the threads leave, over the nominal one
//! voltage   = 0.6 + 0.4 · clock
//! ```
//!
//! Since `compute_s = FLOPs / rate` and `memory_s = bytes / rate`, whose rates follow the same clock, cores and bandwidth, this is a
//! price per operation, `e_flop = A_compute / rate`, and one per byte, `e_byte = A_memory / rate`, with any threads the same: a core that
//! waits costs nothing beyond what stands. A slower clock lowers power more than the rate, since a slower chip is run at a lower voltage
//! and what it takes to switch goes with its square. The share of the voltage that is left however slow the clock is one for all devices
//! (`reports/accuracy/` compares some).

use crate::calibration::PowerFactors;
use crate::device::Backend;
use crate::perf::latency::{Machine, Totals};
use crate::scenario::Scenario;

/// What a backend draws as a scenario runs it, watts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Whatever it does, the whole device.
    pub standing: f64,
    /// Beyond that while it multiplies.
    pub compute: f64,
    /// Beyond that while it streams from memory.
    pub memory: f64,
    /// The most that the device draws: its full load, or the budget of the power mode.
    pub most: f64,
}

/// The energy of a phase and its parts, joules.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Energy {
    /// What stands, times duration.
    pub standing_j: f64,
    /// What arithmetic adds.
    pub compute_j: f64,
    /// What streaming adds.
    pub memory_j: f64,
}

impl Energy {
    /// The sum of the parts.
    #[must_use]
    #[inline]
    pub fn total(&self) -> f64 {
        self.standing_j + self.compute_j + self.memory_j
    }

    /// The parts over their sum.
    #[must_use]
    #[inline]
    pub fn shares(&self) -> [f64; 3] {
        let share = self.total().recip();
        [self.standing_j * share, self.compute_j * share, self.memory_j * share]
    }
}

/// Share of the voltage at the full clock that is left however slow the clock.
const LEAST_VOLTAGE: f64 = 0.6;

impl Draw {
    /// What a backend of `scenario`'s device draws as `machine` runs it; none if neither the factors nor the device state its powers.
    #[must_use]
    pub fn of(
        scenario: &Scenario<'_>,
        backend: &Backend,
        machine: &Machine<'_>,
        factors: &PowerFactors,
    ) -> Option<Self> {
        let (device, mode) = (scenario.device, scenario.power_mode.map(|(_, mode)| mode));
        let (idle, idle_in_mode, full) = match &factors.measured {
            Some(measured) => (measured.idle_w, measured.idle_w, measured.full_load_w),
            None => {
                let idle = &device.power.as_ref()?.idle;
                let in_mode = mode.and_then(|mode| mode.idle.as_ref()).unwrap_or(idle);
                let full = backend.full_load.as_ref()?;
                (idle.value.get(), in_mode.value.get(), full.value.get())
            }
        };
        let budget = mode.and_then(|mode| mode.budget.as_ref());
        let most = budget.map_or(full, |budget| budget.value.get().min(full));
        let range = (full - idle).max(0.0);
        let voltage = LEAST_VOLTAGE + (1.0 - LEAST_VOLTAGE) * machine.clock_ratio();
        Some(Self {
            standing: (idle_in_mode * factors.standing).min(most),
            compute: range * factors.compute * machine.clock_ratio() * voltage * voltage * machine.core_ratio,
            memory: range * factors.memory * machine.bandwidth_ratio() * machine.bandwidth_share,
            most,
        })
    }

    /// The energy of a phase of these totals.
    #[must_use]
    #[inline]
    pub fn energy(&self, totals: &Totals) -> Energy {
        let seconds = totals.seconds();
        let (compute, memory) = (self.compute * totals.compute_s(), self.memory * totals.memory_s());
        let (added, most) = (compute + memory, (self.most - self.standing) * seconds);
        let within = if added > most { most / added } else { 1.0 };
        Energy {
            standing_j: self.standing * seconds,
            compute_j: compute * within,
            memory_j: memory * within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::latency::Kernels;

    /// 2 s of arithmetic and 3 s of streaming, 1 s of them at once, and 1 s of fixed costs: 5 s.
    const TOTALS: Totals = Totals {
        flops: 0.0,
        bytes: 0.0,
        matrices: Kernels {
            arithmetic_s: 1.5,
            stream_s: 3.0,
        },
        attention: Kernels {
            arithmetic_s: 0.5,
            stream_s: 0.0,
        },
        activations_s: 0.0,
        overhead_s: 1.0,
        hidden_s: 1.0,
    };
    const DRAW: Draw = Draw {
        standing: 2.0,
        compute: 5.0,
        memory: 3.0,
        most: 10.0,
    };

    #[test]
    fn the_parts_are_those_worked_by_hand() {
        // 2 W · 5 s, 5 W · 2 s, 3 W · 3 s: 29 J in 5 s are 5.8 W
        let energy = DRAW.energy(&TOTALS);
        assert_eq!(
            (energy.standing_j, energy.compute_j, energy.memory_j),
            (10.0, 10.0, 9.0)
        );
        assert!((energy.total() - 29.0).abs() < 1e-12);
        assert!((energy.shares().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn power_stays_between_what_stands_and_the_most_that_there_is() {
        let draw = Draw { most: 4.0, ..DRAW };
        // 19 J beyond what stands are cut to (4 - 2) W · 5 s, in proportion
        let energy = draw.energy(&TOTALS);
        assert!((energy.total() - 20.0).abs() < 1e-12);
        assert!((energy.compute_j / energy.memory_j - 10.0 / 9.0).abs() < 1e-12);
        let waiting = draw.energy(&Totals {
            overhead_s: 1.0,
            ..Totals::default()
        });
        assert!((waiting.total() - 2.0).abs() < 1e-12);
    }
}
