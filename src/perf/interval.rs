//! Intervals, and what widens them.

/// `[low, high]`, meant to hold the measurement 90 % of the time.
pub type Interval = [f64; 2];

/// The intervals of the figures that have one.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Intervals {
    /// Of [`Prediction::decode_tokens_per_s`](super::Prediction::decode_tokens_per_s).
    pub decode_tokens_per_s: Option<Interval>,
    /// Of [`Prediction::prefill_tokens_per_s`](super::Prediction::prefill_tokens_per_s).
    pub prefill_tokens_per_s: Option<Interval>,
    /// Of [`Prediction::memory_bytes`](super::Prediction::memory_bytes).
    pub memory_bytes: Option<Interval>,
    /// Of [`Prediction::prefill_energy_j_per_token`](super::Prediction::prefill_energy_j_per_token).
    pub prefill_energy_j_per_token: Option<Interval>,
    /// Of [`Prediction::decode_energy_j_per_token`](super::Prediction::decode_energy_j_per_token).
    pub decode_energy_j_per_token: Option<Interval>,
}

/// A figure whose logarithm is normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogNormal {
    /// Its median.
    pub median: f64,
    /// The standard deviation of its logarithm.
    pub sigma: f64,
}

impl LogNormal {
    /// Both, where there are both.
    #[inline]
    pub(super) fn of(median: Option<f64>, sigma: Option<f64>) -> Option<Self> {
        Some(Self {
            median: median?,
            sigma: sigma?,
        })
    }

    /// The 90 % interval.
    #[must_use]
    #[inline]
    pub fn interval(&self) -> Interval {
        interval(self.median, self.sigma)
    }
}

/// The figures that have an interval. Its ends are worked out for those who ask.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Uncertain {
    /// [`Prediction::decode_tokens_per_s`](super::Prediction::decode_tokens_per_s).
    pub decode_tokens_per_s: Option<LogNormal>,
    /// [`Prediction::prefill_tokens_per_s`](super::Prediction::prefill_tokens_per_s).
    pub prefill_tokens_per_s: Option<LogNormal>,
    /// [`Prediction::memory_bytes`](super::Prediction::memory_bytes), the low end of the interval.
    pub memory_bytes: Option<LogNormal>,
    /// [`Prediction::resident_bytes`](super::Prediction::resident_bytes), the high end of that of memory.
    pub resident_bytes: f64,
    /// [`Prediction::prefill_energy_j_per_token`](super::Prediction::prefill_energy_j_per_token).
    pub prefill_energy_j_per_token: Option<LogNormal>,
    /// [`Prediction::decode_energy_j_per_token`](super::Prediction::decode_energy_j_per_token).
    pub decode_energy_j_per_token: Option<LogNormal>,
}

impl Uncertain {
    /// The 90 % intervals.
    #[must_use]
    #[inline]
    pub fn intervals(&self) -> Intervals {
        let of = |figure: Option<LogNormal>| figure.map(|figure| figure.interval());
        Intervals {
            decode_tokens_per_s: of(self.decode_tokens_per_s),
            prefill_tokens_per_s: of(self.prefill_tokens_per_s),
            memory_bytes: self.memory_bytes.map(|LogNormal { median, sigma }| {
                let spread = spread(sigma);
                [median / spread, self.resident_bytes * spread]
            }),
            prefill_energy_j_per_token: of(self.prefill_energy_j_per_token),
            decode_energy_j_per_token: of(self.decode_energy_j_per_token),
        }
    }
}

impl serde::Serialize for Uncertain {
    /// As its [intervals](Uncertain::intervals).
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.intervals().serialize(serializer)
    }
}

/// Standard normal quantile of a two-sided 90 % interval.
pub(crate) const QUANTILE_90: f64 = 1.645;

/// Half the width of the 90 % interval of a log-normal figure, as a factor.
#[inline]
pub(super) fn spread(sigma: f64) -> f64 {
    (QUANTILE_90 * sigma).exp()
}

/// The 90 % interval of a log-normal figure whose logarithm has the deviation `sigma`.
#[inline]
pub(super) fn interval(centre: f64, sigma: f64) -> Interval {
    let spread = spread(sigma);
    [centre / spread, centre * spread]
}

/// `√(a² + b²)` of numbers far from overflow.
pub(super) fn hypotenuse(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

/// Widening of the logarithm's deviation for a model whose architecture is not known.
pub(super) const GENERIC_SIGMA: f64 = 0.15;
/// Widening for a scenario outside what the calibration measured (other sizes, depths or prompts).
pub(super) const OUTSIDE_SIGMA: f64 = 0.08;
/// Relative deviation of memory: the compute buffer's closed form and what the runtime holds.
pub(super) const MEMORY_SIGMA: f64 = 0.03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_symmetric_in_the_logarithm() {
        // exp(1.645 · 0.1) = 1.178_803...
        let [low, high] = interval(10.0, 0.1);
        assert!((high - 11.788_03).abs() < 1e-4, "{high}");
        assert!((low * high - 100.0).abs() < 1e-9);
        assert_eq!(interval(10.0, 0.0), [10.0, 10.0]);
    }
}
