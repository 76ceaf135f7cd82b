//! How far a prediction is to be trusted: the uncertainty of the factors, propagated through what hangs on each, the scatter that no factor
//! explains, and what else widens it.
//!
//! For a phase of `t` seconds, with `d` the derivatives of `t` by the logarithms of the factors and `C` their covariance (and that of a bandwidth
//! that nobody measured or stated, in the share of memory),
//!
//! ```text
//! σ² = dᵀ·C·d / t² + scatter² + generic² + outside² + repacking²
//! ```
//!
//! is the variance of `ln(measured / predicted)`.

use super::interval::{GENERIC_SIGMA, LogNormal, MEMORY_SIGMA, OUTSIDE_SIGMA, Uncertain, hypotenuse};
use super::latency;
use super::part::{Part, Parts};
use super::prediction::Prediction;
use crate::calibration::Phase;
use crate::model::Knowledge;
use crate::scenario::Scenario;

/// All of the trust in predictions that does not hang on the lengths of the work: that of one scenario is that of all which its parts
/// [serve](Parts::serve).
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    parts: Parts<'a>,
    backend: [latency::Errors; 2],
    host: Option<[latency::Errors; 2]>,
}

impl<'a> Parts<'a> {
    /// How far their predictions are to be trusted.
    #[must_use]
    pub fn trust(&self, scenario: &Scenario<'a>) -> Trust<'a> {
        let errors = |part: &Part<'_>| {
            [Phase::Prefill, Phase::Decode].map(|phase| latency::errors(phase, scenario, &part.machine))
        };
        Trust {
            parts: *self,
            backend: errors(&self.backend),
            host: self.host.as_ref().map(errors),
        }
    }
}

impl<'a> Trust<'a> {
    /// The figures of `prediction` that have an interval.
    #[must_use]
    pub fn uncertain(&self, scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> Uncertain {
        let generic = if scenario.sums.knowledge == Knowledge::Generic {
            GENERIC_SIGMA
        } else {
            0.0
        };
        let outside = if prediction.basis.inside_measured_range {
            0.0
        } else {
            OUTSIDE_SIGMA
        };
        let extra = generic * generic + outside * outside;
        let errors = self.parts.iter().filter_map(|part| part.machine.repacking_error());
        let repacking = errors.fold(0.0, f64::max);
        let variance = |phase, seconds: Option<f64>, extra: f64| -> Option<Variance> {
            let mut variance = self.variance(phase, scenario, seconds?);
            variance.time += extra;
            Some(variance)
        };
        let prefill = variance(Phase::Prefill, prediction.prefill_s, extra + repacking * repacking);
        let decode = variance(Phase::Decode, prediction.decode_s_per_token, extra);
        let of_time = |variance: Option<Variance>| Some(variance?.time.sqrt());
        let of_energy = |variance: Option<Variance>| variance.and_then(|it| Some((it.time + it.power?).sqrt()));
        Uncertain {
            decode_tokens_per_s: LogNormal::of(prediction.decode_tokens_per_s, of_time(decode)),
            prefill_tokens_per_s: LogNormal::of(prediction.prefill_tokens_per_s, of_time(prefill)),
            memory_bytes: LogNormal::of(Some(prediction.memory_bytes), Some(hypotenuse(MEMORY_SIGMA, generic))),
            resident_bytes: prediction.resident_bytes,
            prefill_energy_j_per_token: LogNormal::of(prediction.prefill_energy_j_per_token, of_energy(prefill)),
            decode_energy_j_per_token: LogNormal::of(prediction.decode_energy_j_per_token, of_energy(decode)),
        }
    }

    /// What the factors and what no factor explains make of the variance of a phase of so many seconds.
    fn variance(&self, phase: Phase, scenario: &Scenario<'a>, seconds: f64) -> Variance {
        let scatter_of = |part: &Part<'_>| part.machine.calibration.quality(phase).scatter;
        let backend = &self.parts.backend;
        let summary = backend.summary(phase, scenario);
        let mut of_factors = self.backend[phase as usize].variance(&summary.derivatives);
        let mut power = backend.power_variance(&summary.totals);
        let mut scatter = scatter_of(backend);
        if let (Some(host), Some(errors)) = (&self.parts.host, &self.host) {
            let summary = host.summary(phase, scenario);
            of_factors += errors[phase as usize].variance(&summary.derivatives);
            scatter += summary.totals.seconds() / seconds * (scatter_of(host) - scatter);
            let both = power.zip(host.power_variance(&summary.totals));
            power = both.map(|(backend, host)| backend.max(host));
        }
        Variance {
            time: (of_factors / (seconds * seconds)).max(0.0) + scatter * scatter,
            power,
        }
    }
}

/// Variances of logarithms in a phase.
#[derive(Debug, Clone, Copy)]
struct Variance {
    time: f64,
    power: Option<f64>,
}
