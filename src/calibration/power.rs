//! What a backend draws while it computes: one fit for all devices, since few publish watts.

use super::Origin;
use crate::device::Rail;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The fitted factors by calibration id (`pi5-cpu`, `class-arm-cpu`).
const SHIPPED: &str = include_str!("../../calibration/energy/factors.toml");

/// Number of [`PowerFactors::values`].
pub const POWER_FACTORS: usize = 3;

/// What makes the power of a backend at work, and how well that is known.
///
/// `power = standing · idle + range · (compute · compute_s + memory · memory_s) / t`, where `range` is full load less idle
/// ([`Draw`](crate::perf::energy::Draw)). Divided by the rates that they run at, the last two are the energy of an operation and of
/// a byte.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerFactors {
    /// Whether they were fitted to the device's own watts or to its class's.
    pub origin: Origin,
    /// Power that stands while the backend works, whatever it does, over idle power.
    pub standing: f64,
    /// Share of the range drawn while it multiplies.
    pub compute: f64,
    /// Share of the range drawn while it streams from memory.
    pub memory: f64,
    /// What the three scale, where it was measured with them; else the device file states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredPower>,
    /// Covariance of the logarithms of the three, in this order.
    pub covariance: [[f64; POWER_FACTORS]; POWER_FACTORS],
    /// Standard deviation of the logarithm of measured over predicted power that no factor explains.
    pub scatter: f64,
    /// Median relative error of power on what was left out of the fit (the model; for a class the device), if any was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_error: Option<f64>,
    /// Measured powers of the device or class.
    pub points: u64,
}

/// The powers of a machine that was calibrated, on the rail that its sensor reads.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredPower {
    /// What the sensor reads.
    pub rail: Rail,
    /// With nothing running, watts.
    pub idle_w: f64,
    /// The most that was seen, watts.
    pub full_load_w: f64,
}

/// The factors of all devices and classes, as the shipped file states them.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerFile {
    /// How the numbers were made.
    pub note: String,
    /// The factors by calibration id.
    pub factors: BTreeMap<String, PowerFactors>,
}

impl PowerFile {
    /// The shipped factors.
    ///
    /// # Errors
    /// What the parser says; the tests hold the shipped file to being one.
    pub fn shipped() -> Result<Self, toml::de::Error> {
        toml::from_str(SHIPPED)
    }
}

impl PowerFactors {
    /// Nothing but idle power and the whole range, known for certain: what the factors scale.
    pub const WHOLE: Self = Self {
        origin: Origin::Device,
        standing: 1.0,
        compute: 1.0,
        memory: 1.0,
        measured: None,
        covariance: [[0.0; POWER_FACTORS]; POWER_FACTORS],
        scatter: 0.0,
        held_out_error: None,
        points: 0,
    };

    /// The shipped factors of the calibration of this id, else those of its class; none where the class has none either.
    #[must_use]
    pub fn shipped(id: &str, class: &str) -> Option<Self> {
        static FACTORS: OnceLock<BTreeMap<String, PowerFactors>> = OnceLock::new();
        let factors = FACTORS.get_or_init(|| PowerFile::shipped().map(|file| file.factors).unwrap_or_default());
        let own = factors.get(id);
        own.or_else(|| factors.get(&format!("class-{class}"))).copied()
    }

    /// The first of its numbers that no fit can have made, and what it should be.
    #[must_use]
    pub(super) fn fault(&self) -> Option<(&'static str, f64, &'static str)> {
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let factors = [
            ("standing", self.standing),
            ("compute", self.compute),
            ("memory", self.memory),
        ];
        if let Some((name, value)) = factors.into_iter().find(|(_, value)| !positive(*value)) {
            return Some((name, value, "finite number above zero"));
        }
        let variances = self.covariance.iter().flatten().copied();
        if let Some(value) = variances.chain([self.scatter]).find(|value| !value.is_finite()) {
            return Some(("covariance or scatter", value, "finite number"));
        }
        let measured = self.measured.as_ref()?;
        let range = [
            ("measured.idle_w", measured.idle_w),
            ("measured.full_load_w", measured.full_load_w),
        ];
        let not_power = range.into_iter().find(|(_, value)| !positive(*value));
        not_power.map(|(name, value)| (name, value, "finite power above zero"))
    }

    /// Standing, compute and memory.
    #[must_use]
    pub const fn values(&self) -> [f64; POWER_FACTORS] {
        [self.standing, self.compute, self.memory]
    }

    /// Variance of the logarithm of a power of which the three make these shares.
    #[must_use]
    #[inline]
    pub fn variance(&self, shares: [f64; POWER_FACTORS]) -> f64 {
        propagate(shares, &self.covariance) + self.scatter * self.scatter
    }
}

/// `Σ shares[a] · shares[b] · covariance[a][b]`.
#[must_use]
#[inline]
pub fn propagate(shares: [f64; POWER_FACTORS], covariance: &[[f64; POWER_FACTORS]; POWER_FACTORS]) -> f64 {
    let mut variance = 0.0;
    for (share, row) in shares.iter().zip(covariance) {
        for (other, covariance) in shares.iter().zip(row) {
            variance += share * other * covariance;
        }
    }
    variance.max(0.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_reads_and_its_factors_can_be() {
        let file = PowerFile::shipped().unwrap();
        assert!(!file.factors.is_empty());
        for (id, factors) in &file.factors {
            for (at, value) in factors.values().into_iter().enumerate() {
                assert!(value > 0.0 && value < 5.0, "{id}: {factors:?}");
                assert!((0.0..4.0).contains(&factors.covariance[at][at]), "{id}: {factors:?}");
            }
            assert!(factors.scatter > 0.0 && factors.scatter < 1.0, "{id}");
        }
    }

    #[test]
    fn a_device_has_its_own_factors_else_those_of_its_class() {
        let own = PowerFactors::shipped("pi5-cpu", "arm-cpu-dotprod");
        let class = PowerFactors::shipped("unknown-cpu", "arm-cpu-dotprod");
        assert!(own.is_some() && class.is_some() && own != class);
        assert_eq!(PowerFactors::shipped("unknown-cpu", "none"), None);
    }

    #[test]
    fn numbers_that_no_fit_makes_are_named() {
        let measured = |idle_w, full_load_w| PowerFactors {
            measured: Some(MeasuredPower {
                rail: Rail::Wall,
                idle_w,
                full_load_w,
            }),
            ..PowerFactors::WHOLE
        };
        assert_eq!(measured(2.0, 9.0).fault(), None);
        for (factors, name) in [
            (measured(0.0, 9.0), "measured.idle_w"),
            (measured(2.0, f64::NAN), "measured.full_load_w"),
            (
                PowerFactors {
                    memory: -1.0,
                    ..PowerFactors::WHOLE
                },
                "memory",
            ),
            (
                PowerFactors {
                    scatter: f64::INFINITY,
                    ..PowerFactors::WHOLE
                },
                "covariance or scatter",
            ),
        ] {
            assert_eq!(factors.fault().map(|(name, _, _)| name), Some(name), "{factors:?}");
        }
    }

    #[test]
    fn errors_are_propagated_through_the_shares_of_the_power() {
        let factors = PowerFactors {
            covariance: [[0.04, 0.0, 0.0], [0.0, 0.04, -0.01], [0.0, -0.01, 0.01]],
            scatter: 0.12,
            ..PowerFactors::WHOLE
        };
        // 0.1² · 0.04 + 0.5² · 0.04 + 0.4² · 0.01 - 2 · 0.5 · 0.4 · 0.01 + 0.12² = 0.0004 + 0.01 + 0.0016 - 0.004 + 0.0144
        assert!((factors.variance([0.1, 0.5, 0.4]) - 0.0224).abs() < 1e-12);
        assert!((factors.variance([0.0; 3]) - 0.0144).abs() < 1e-12);
    }
}
