//! One prediction: every figure of a scenario, what bounds it, and how far to trust it.

use crate::calibration::{Calibration, FactorId, Phase};
use crate::model::Knowledge;
use crate::perf::energy;
use crate::perf::latency::{self, Machine, TermKind, Terms};
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
    fn of(terms: &Terms) -> Option<Self> {
        let [compute, memory, overhead] = split(terms);
        let most = compute.max(memory).max(overhead);
        if most <= 0.0 {
            None
        } else if most == memory {
            Some(Self::Memory)
        } else if most == compute {
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

/// Seconds of compute, memory and fixed costs.
fn split(terms: &Terms) -> [f64; 3] {
    let mut split = [0.0; 3];
    for term in terms.as_slice() {
        split[match term.kind {
            TermKind::Multiply | TermKind::Attend => 0,
            TermKind::Weights | TermKind::Cache | TermKind::Activations => 1,
            TermKind::Operations | TermKind::Pass => 2,
        }] += term.seconds;
    }
    split
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// The terms of the prompt.
    pub prefill: Terms,
    /// The terms of a decoding step.
    pub decode: Terms,
}

/// Standard normal quantile of a two-sided 90 % interval.
const QUANTILE_90: f64 = 1.645;

fn interval(centre: f64, sigma: f64) -> Interval {
    let spread = (QUANTILE_90 * sigma).exp();
    [centre / spread, centre * spread]
}

/// Widening of the logarithm's deviation for a model whose architecture is not known.
const GENERIC_SIGMA: f64 = 0.15;
/// Widening for a scenario outside what the calibration measured (other sizes, depths or prompts).
const OUTSIDE_SIGMA: f64 = 0.08;
/// Relative deviation of an energy constant that nobody measured.
const ENERGY_CONSTANT_SIGMA: f64 = 0.30;
/// Relative deviation of memory: the compute buffer's closed form and what the runtime holds.
const MEMORY_SIGMA: f64 = 0.03;

/// The standard deviation of `ln(measured / predicted)` of a phase: the uncertainty of the factors, propagated through each
/// term's share of the time, and the scatter that no factor explains.
fn sigma(terms: &Terms, machine: &Machine<'_>, calibration: &Calibration, phase: Phase, extra: f64) -> f64 {
    let total = terms.seconds();
    let terms = terms.as_slice();
    let mut variance = calibration.quality(phase).scatter.powi(2) + extra * extra;
    let mut streamed = 0.0;
    for (at, a) in terms.iter().enumerate() {
        let share_a = a.seconds / total;
        variance += share_a * share_a * calibration.covariance(a.factor, a.factor) * a.factor.sign() * a.factor.sign();
        for b in &terms[at + 1..] {
            let sign = a.factor.sign() * b.factor.sign();
            variance += 2.0 * sign * share_a * (b.seconds / total) * calibration.covariance(a.factor, b.factor);
        }
        if a.factor == FactorId::Memory {
            streamed += share_a;
        }
    }
    let core_share = streamed * machine.core_share_sensitivity;
    variance += core_share * core_share * calibration.covariance(FactorId::CoreShare, FactorId::CoreShare);
    variance.max(0.0).sqrt()
}

/// Every figure of `scenario` with the factors of `calibration`.
#[must_use]
pub fn predict<'a>(scenario: &Scenario<'_>, calibration: &'a Calibration) -> Prediction<'a> {
    let (sums, work, device, backend) = (scenario.sums, &scenario.workload, scenario.device, scenario.backend);
    let machine = Machine::new(scenario, calibration);
    let prefill = latency::prefill(scenario, &machine);
    let decode = latency::decode_step(scenario, &machine);
    let prefill_s = (!prefill.as_slice().is_empty()).then(|| prefill.seconds());
    let decode_s = (!decode.as_slice().is_empty()).then(|| decode.seconds());
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
    let (of, tokens) = if decode_s.is_some() {
        (&decode, sequences)
    } else {
        (&prefill, prompt_tokens.max(1.0))
    };
    let flops_per_token = of.amount_of(&[TermKind::Multiply, TermKind::Attend]) / tokens;
    let bytes_per_token = of.amount_of(&[TermKind::Weights, TermKind::Cache, TermKind::Activations]) / tokens;
    let peak = of
        .as_slice()
        .iter()
        .filter(|term| term.kind == TermKind::Multiply)
        .map(|term| term.rate)
        .reduce(f64::max);
    let [compute_s, memory_s, overhead_s] = split(&decode);

    // Energy.
    let energy = |terms: &Terms, present: Option<f64>| present.and_then(|_| energy::of_phase(device, backend, terms));
    let prefill_energy = energy(&prefill, prefill_s).map(|energy| energy.total());
    let step_energy = energy(&decode, decode_s).map(|energy| energy.total());
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
    let extra = f64::hypot(generic, if inside { 0.0 } else { OUTSIDE_SIGMA });
    let prefill_sigma = prefill_s.map(|_| sigma(&prefill, &machine, calibration, Phase::Prefill, extra));
    let decode_sigma = decode_s.map(|_| sigma(&decode, &machine, calibration, Phase::Decode, extra));
    let prefill_rate = prefill_s.map(|seconds| prompt_tokens / seconds);
    let decode_rate = decode_s.map(|seconds| sequences / seconds);
    let memory_sigma = f64::hypot(MEMORY_SIGMA, generic);

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
        compute_s: decode_s.map(|_| compute_s),
        memory_s: decode_s.map(|_| memory_s),
        overhead_s: decode_s.map(|_| overhead_s),
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
        prefill_bound: Bound::of(&prefill),
        decode_bound: Bound::of(&decode),
        intervals: Intervals {
            decode_tokens_per_s: decode_rate.zip(decode_sigma).map(|(rate, sigma)| interval(rate, sigma)),
            prefill_tokens_per_s: prefill_rate
                .zip(prefill_sigma)
                .map(|(rate, sigma)| interval(rate, sigma)),
            // a system with memory to spare shows the old layout of repacked weights as resident too
            memory_bytes: Some([
                interval(memory_bytes, memory_sigma)[0],
                interval(memory.peak(), memory_sigma)[1],
            ]),
            decode_energy_j_per_token: decode_energy
                .zip(decode_sigma)
                .map(|(energy, sigma)| interval(energy, sigma.hypot(ENERGY_CONSTANT_SIGMA))),
        },
        basis: Basis {
            calibration,
            prefill_sigma,
            decode_sigma,
            inside_measured_range: inside,
        },
        prefill,
        decode,
    }
}

/// Bytes of a hidden state's element as llama.cpp hands it from layer to layer.
const F32_BYTES: f64 = 4.0;
