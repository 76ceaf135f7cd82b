//! One prediction: every figure of a scenario, what bounds it, and how far to trust it.

use crate::calibration::{Calibration, FactorId, Phase};
use crate::device::{Backend, Device};
use crate::model::Knowledge;
use crate::perf::energy;
use crate::perf::latency::{self, Machine, TermKind, Terms, Totals};
use crate::scenario::Scenario;

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
    fn of(totals: &Totals) -> Option<Self> {
        let Totals {
            compute_s,
            memory_s,
            overhead_s,
            ..
        } = *totals;
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

/// `[low, high]`, meant to hold the measurement 90 % of the time.
pub type Interval = [f64; 2];

/// The intervals of the figures that have one.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Intervals {
    /// Of [`Prediction::decode_tokens_per_s`].
    pub decode_tokens_per_s: Option<Interval>,
    /// Of [`Prediction::prefill_tokens_per_s`].
    pub prefill_tokens_per_s: Option<Interval>,
    /// Of [`Prediction::memory_bytes`].
    pub memory_bytes: Option<Interval>,
    /// Of [`Prediction::decode_energy_j_per_token`].
    pub decode_energy_j_per_token: Option<Interval>,
}

/// What a prediction rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basis<'a> {
    /// The calibration.
    pub calibration: &'a Calibration,
    /// Standard deviation of the logarithm of measured over predicted prefill time.
    pub prefill_sigma: Option<f64>,
    /// Standard deviation of the logarithm of measured over predicted decode time.
    pub decode_sigma: Option<f64>,
    /// The scenario lies within what the calibration measured.
    pub inside_measured_range: bool,
}

/// Every figure of a scenario under the exact formulas. Base SI units; none where a figure does not apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<'a> {
    /// Linear FLOPs and attention of one decoded token, the mean over the generation (of a prompt token if nothing is decoded).
    pub flops_per_token: f64,
    /// Bytes moved for one such token.
    pub bytes_per_token: f64,
    /// All tensors of the file.
    pub weight_bytes: f64,
    /// KV cache and recurrent states.
    pub kv_cache_bytes: f64,
    /// The compute buffer.
    pub activation_bytes: f64,
    /// Weights written once more in the layout of the CPU's kernels.
    pub repacked_bytes: f64,
    /// What the runtime holds besides.
    pub runtime_bytes: f64,
    /// What must stay in memory ([`Footprint::total`](crate::perf::memory::Footprint::total)).
    pub memory_bytes: f64,
    /// What the device leaves to users.
    pub capacity_bytes: f64,
    /// Whether what lies on the device and on the host fits there.
    pub fits: bool,
    /// FLOPs per byte of a token.
    pub arithmetic_intensity: f64,
    /// FLOPs per byte where the roofline turns, for the arithmetic of the decoded matrices.
    pub ridge_intensity: Option<f64>,
    /// Compute latency of a decoded token.
    pub compute_s: Option<f64>,
    /// Memory latency of a decoded token.
    pub memory_s: Option<f64>,
    /// Fixed costs of a decoded token.
    pub overhead_s: Option<f64>,
    /// Reading the weights from storage, once.
    pub io_s: Option<f64>,
    /// Copying the weights into the backend's own memory, once.
    pub h2d_s: Option<f64>,
    /// Repacking the weights, once.
    pub repack_s: Option<f64>,
    /// Sending the hidden states of the context over the network (equation 14).
    pub network_s: Option<f64>,
    /// Loading (`io + h2d + repack`), prefill and the whole generation.
    pub end_to_end_s: f64,
    /// The whole prompt.
    pub prefill_s: Option<f64>,
    /// Prompt tokens per second.
    pub prefill_tokens_per_s: Option<f64>,
    /// Prefill and first token with the model loaded.
    pub ttft_s: Option<f64>,
    /// One decoding step, the mean over the generation.
    pub decode_s_per_token: Option<f64>,
    /// Decoded tokens per second, all sequences together.
    pub decode_tokens_per_s: Option<f64>,
    /// Energy of the request over all its tokens.
    pub energy_j_per_token: Option<f64>,
    /// Energy of a prompt token.
    pub prefill_energy_j_per_token: Option<f64>,
    /// Energy of a decoded token.
    pub decode_energy_j_per_token: Option<f64>,
    /// What bounds the prefill.
    pub prefill_bound: Option<Bound>,
    /// What bounds the decoding.
    pub decode_bound: Option<Bound>,
    /// 90 % intervals.
    pub intervals: Intervals,
    /// What it rests on.
    pub basis: Basis<'a>,
    /// The terms of the prompt, on the backend.
    pub prefill: Terms,
    /// The terms of a decoding step, on the backend.
    pub decode: Terms,
    /// The layers that stay on the host's CPU, where some do.
    pub host: Option<Box<HostLayers<'a>>>,
}

/// What the host's CPU computes of a model that is only partly on a GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostLayers<'a> {
    /// The calibration of the CPU.
    pub calibration: &'a Calibration,
    /// The terms of the prompt.
    pub prefill: Terms,
    /// The terms of a decoding step.
    pub decode: Terms,
}

/// Standard normal quantile of a two-sided 90 % interval.
pub(crate) const QUANTILE_90: f64 = 1.645;

/// Half the width of the 90 % interval of a log-normal figure, as a factor.
fn spread(sigma: f64) -> f64 {
    (QUANTILE_90 * sigma).exp()
}

fn interval(centre: f64, sigma: f64) -> Interval {
    let spread = spread(sigma);
    [centre / spread, centre * spread]
}

/// `√(a² + b²)` of numbers far from overflow.
fn hypotenuse(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

/// Widening of the logarithm's deviation for a model whose architecture is not known.
const GENERIC_SIGMA: f64 = 0.15;
/// Widening for a scenario outside what the calibration measured (other sizes, depths or prompts).
pub(super) const OUTSIDE_SIGMA: f64 = 0.08;
/// Relative deviation of an energy constant that nobody measured.
const ENERGY_CONSTANT_SIGMA: f64 = 0.30;
/// The most factors that the terms of a phase can have.
const MOST_FACTORS: usize = 16;
/// Relative deviation of memory: the compute buffer's closed form and what the runtime holds.
const MEMORY_SIGMA: f64 = 0.03;

/// What computes a part of the model, and its terms of each phase.
struct Part<'a> {
    machine: Machine<'a>,
    calibration: &'a Calibration,
    backend: &'a Backend,
    prefill: Terms,
    decode: Terms,
}

impl<'a> Part<'a> {
    fn new(scenario: &Scenario<'_>, machine: Machine<'a>, calibration: &'a Calibration, backend: &'a Backend) -> Self {
        Self {
            calibration,
            backend,
            prefill: latency::prefill(scenario, &machine),
            decode: latency::decode_step(scenario, &machine),
            machine,
        }
    }

    const fn terms(&self, phase: Phase) -> &Terms {
        match phase {
            Phase::Prefill => &self.prefill,
            Phase::Decode => &self.decode,
        }
    }

    /// Variance of the logarithm of a phase of `total` seconds that the factors' errors make: each factor's share of the time,
    /// propagated.
    fn variance(&self, phase: Phase, total: f64) -> f64 {
        let mut shares = [(0_usize, 0.0); MOST_FACTORS];
        let mut len = 0;
        let mut add = |factor: usize, share: f64| match shares[..len].iter_mut().find(|(at, _)| *at == factor) {
            Some((_, sum)) => *sum += share,
            None => {
                shares[len] = (factor, share);
                len += 1;
            }
        };
        let mut streamed = 0.0;
        for (term, contribution) in self.terms(phase).contributions() {
            add(term.factor.index(), term.factor.sign() * contribution);
            if term.factor == FactorId::Memory {
                streamed += contribution;
            }
        }
        let mut variance = 0.0;
        for (at, &(a, share_a)) in shares[..len].iter().enumerate() {
            let row = self.calibration.covariances(a);
            let others: f64 = shares[at + 1..len].iter().map(|&(b, share)| share * row[b]).sum();
            variance += share_a * (share_a * row[a] + 2.0 * others);
        }
        let core_share = streamed * self.machine.core_share_sensitivity;
        let core_share_variance = self.calibration.covariance(FactorId::CoreShare, FactorId::CoreShare);
        (variance + core_share * core_share * core_share_variance) / (total * total)
    }
}

/// The parts of a model, and what they come to together.
struct Parts<'a> {
    backend: Part<'a>,
    host: Option<Box<Part<'a>>>,
}

impl Parts<'_> {
    /// Work and time of a phase; none where there is nothing to do.
    fn totals(&self, phase: Phase) -> Option<Totals> {
        let host = self.host.as_deref().map(|host| host.terms(phase).totals());
        let all = self.backend.terms(phase).totals() + host.unwrap_or_default();
        (all.seconds() > 0.0).then_some(all)
    }

    fn energy(&self, device: &Device, phase: Phase) -> Option<f64> {
        let of = |part: &Part<'_>| {
            energy::of_phase(device, part.backend, &part.terms(phase).totals()).map(|energy| energy.total())
        };
        let backend = of(&self.backend)?;
        match self.host.as_deref() {
            Some(host) => Some(backend + of(host)?),
            None => Some(backend),
        }
    }

    /// The standard deviation of `ln(measured / predicted)` of a phase: the uncertainty of the factors, propagated through each
    /// term's share of the time, the scatter that no factor explains, and `extra` variance.
    fn sigma(&self, phase: Phase, total: f64, extra: f64) -> f64 {
        let mut variance = self.backend.variance(phase, total) + extra;
        let mut scatter = self.backend.calibration.quality(phase).scatter;
        if let Some(host) = self.host.as_deref() {
            variance += host.variance(phase, total);
            let share = host.terms(phase).seconds() / total;
            scatter += share * (host.calibration.quality(phase).scatter - scatter);
        }
        (variance + scatter * scatter).max(0.0).sqrt()
    }
}

/// The figures of `scenario` with the factors of `calibration`, every layer of the model on the scenario's backend.
///
/// Where [`Workload::gpu_layers`](crate::scenario::Workload::gpu_layers) leaves layers to the CPU, [`predict_split`] counts them.
#[must_use]
pub fn predict<'a>(scenario: &Scenario<'a>, calibration: &'a Calibration) -> Prediction<'a> {
    let machine = Machine::new(scenario, calibration);
    figures(
        scenario,
        Parts {
            backend: Part::new(scenario, machine, calibration, scenario.backend),
            host: None,
        },
    )
}

/// The same, with the layers that stay on the host computed by its CPU, of which `host` is the calibration.
///
/// As in llama.cpp, the last `gpu_layers` layers go to the GPU, the head counting as the last. The two take turns, so their times
/// add up. Without layers on the host this is [`predict`].
#[must_use]
pub fn predict_split<'a>(
    scenario: &Scenario<'a>,
    calibration: &'a Calibration,
    host: &'a Calibration,
) -> Prediction<'a> {
    let (Some((on_gpu, on_host)), Some(cpu)) = (Machine::split(scenario, calibration, host), scenario.host) else {
        return predict(scenario, calibration);
    };
    figures(
        scenario,
        Parts {
            backend: Part::new(scenario, on_gpu, calibration, scenario.backend),
            host: Some(Box::new(Part::new(scenario, on_host, host, cpu))),
        },
    )
}

fn figures<'a>(scenario: &Scenario<'a>, parts: Parts<'a>) -> Prediction<'a> {
    let (sums, work, device, backend) = (scenario.sums, &scenario.workload, scenario.device, scenario.backend);
    let (machine, calibration) = (&parts.backend.machine, parts.backend.calibration);
    let (prefill, decode) = (parts.totals(Phase::Prefill), parts.totals(Phase::Decode));
    let prefill_s = prefill.map(|totals| totals.seconds());
    let decode_s = decode.map(|totals| totals.seconds());
    let sequences = work.sequences as f64;
    let prompt_tokens = work.prompt as f64 * sequences;
    let generated_tokens = work.generate as f64 * sequences;

    // Memory.
    let memory = scenario.memory();
    let memory_bytes = memory.total();
    let capacity = backend.memory.as_ref().unwrap_or(&device.memory).usable.value.get();

    // Once, for a cold start.
    let weight_bytes = sums.weight_bytes as f64;
    let io_s = device
        .storage_bandwidth
        .as_ref()
        .map(|rate| weight_bytes / rate.value.get());
    let h2d_s = backend
        .host_to_device
        .as_ref()
        .map(|rate| weight_bytes / rate.value.get());
    let streamed = machine.bandwidth * machine.bandwidth_share * calibration.factor(FactorId::Memory);
    let repack_s = (memory.repacked > 0.0).then(|| 2.0 * memory.repacked / streamed);
    let hidden_states = work.context() as f64 * sequences * sums.hidden_size * F32_BYTES;
    let network_s = device
        .network_bandwidth
        .as_ref()
        .map(|rate| hidden_states / rate.value.get());

    // One token.
    let (phase, of, tokens) = match decode {
        Some(step) => (Phase::Decode, step, sequences),
        None => (Phase::Prefill, prefill.unwrap_or_default(), prompt_tokens.max(1.0)),
    };
    let (flops_per_token, bytes_per_token) = (of.flops / tokens, of.bytes / tokens);
    let peak = parts
        .backend
        .terms(phase)
        .as_slice()
        .iter()
        .filter(|term| term.kind == TermKind::Multiply)
        .map(|term| term.rate)
        .reduce(f64::max);

    // Energy.
    let prefill_energy = prefill.and_then(|_| parts.energy(device, Phase::Prefill));
    let step_energy = decode.and_then(|_| parts.energy(device, Phase::Decode));
    let decode_energy = step_energy.map(|energy| energy / sequences);
    let request_energy = match (prefill_energy, step_energy) {
        (None, None) => None,
        (prefill, step) => Some(prefill.unwrap_or(0.0) + step.unwrap_or(0.0) * work.generate as f64),
    };

    // Trust.
    let inside = calibration.covers(scenario);
    let generic = if sums.knowledge == Knowledge::Generic {
        GENERIC_SIGMA
    } else {
        0.0
    };
    let outside = if inside { 0.0 } else { OUTSIDE_SIGMA };
    let extra = generic * generic + outside * outside;
    let prefill_sigma = prefill_s.map(|seconds| parts.sigma(Phase::Prefill, seconds, extra));
    let decode_sigma = decode_s.map(|seconds| parts.sigma(Phase::Decode, seconds, extra));
    let prefill_rate = prefill_s.map(|seconds| prompt_tokens / seconds);
    let decode_rate = decode_s.map(|seconds| sequences / seconds);
    let memory_spread = spread(hypotenuse(MEMORY_SIGMA, generic));

    Prediction {
        flops_per_token,
        bytes_per_token,
        weight_bytes,
        kv_cache_bytes: memory.kv_cache,
        activation_bytes: memory.activations,
        repacked_bytes: memory.repacked,
        runtime_bytes: memory.runtime,
        memory_bytes,
        capacity_bytes: capacity,
        fits: memory.fits(device, backend),
        arithmetic_intensity: flops_per_token / bytes_per_token,
        ridge_intensity: peak.map(|peak| peak / machine.bandwidth),
        compute_s: decode.map(|step| step.compute_s),
        memory_s: decode.map(|step| step.memory_s),
        overhead_s: decode.map(|step| step.overhead_s),
        io_s,
        h2d_s,
        repack_s,
        network_s,
        end_to_end_s: [io_s, h2d_s, repack_s, prefill_s].into_iter().flatten().sum::<f64>()
            + decode_s.unwrap_or(0.0) * work.generate as f64,
        prefill_s,
        prefill_tokens_per_s: prefill_rate,
        ttft_s: decode_s.map(|step| prefill_s.unwrap_or(0.0) + step).or(prefill_s),
        decode_s_per_token: decode_s,
        decode_tokens_per_s: decode_rate,
        energy_j_per_token: request_energy.map(|energy| energy / (prompt_tokens + generated_tokens).max(1.0)),
        prefill_energy_j_per_token: prefill_energy.map(|energy| energy / prompt_tokens),
        decode_energy_j_per_token: decode_energy,
        prefill_bound: prefill.as_ref().and_then(Bound::of),
        decode_bound: decode.as_ref().and_then(Bound::of),
        intervals: Intervals {
            decode_tokens_per_s: decode_rate.zip(decode_sigma).map(|(rate, sigma)| interval(rate, sigma)),
            prefill_tokens_per_s: prefill_rate
                .zip(prefill_sigma)
                .map(|(rate, sigma)| interval(rate, sigma)),
            // a system with memory to spare shows the old layout of repacked weights as resident too
            memory_bytes: Some([memory_bytes / memory_spread, memory.peak() * memory_spread]),
            decode_energy_j_per_token: decode_energy
                .zip(decode_sigma)
                .map(|(energy, sigma)| interval(energy, hypotenuse(sigma, ENERGY_CONSTANT_SIGMA))),
        },
        basis: Basis {
            calibration,
            prefill_sigma,
            decode_sigma,
            inside_measured_range: inside,
        },
        prefill: parts.backend.prefill,
        decode: parts.backend.decode,
        host: parts.host.map(|host| {
            Box::new(HostLayers {
                calibration: host.calibration,
                prefill: host.prefill,
                decode: host.decode,
            })
        }),
    }
}

/// Bytes of a hidden state's element as llama.cpp hands it from layer to layer.
const F32_BYTES: f64 = 4.0;

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
