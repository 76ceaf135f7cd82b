//! One prediction: every figure of a scenario, what bounds it, and how far to trust it.

use super::bound::Bound;
use super::interval::{Intervals, Uncertain};
use super::paging;
use super::part::{Parts, PhaseFigures};
use crate::calibration::{Calibration, Phase, PowerFactors};
use crate::device::Rail;
use crate::scenario::Scenario;

/// What a prediction rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basis<'a> {
    /// The calibration.
    pub calibration: &'a Calibration,
    /// The scenario lies within what the calibration measured.
    pub inside_measured_range: bool,
    /// The rail whose joules the energies are; none where there are none.
    pub rail: Option<Rail>,
}

impl Basis<'_> {
    /// What the energies rest on; none where there are none.
    #[must_use]
    pub fn power(&self) -> Option<&PowerFactors> {
        self.rail.and(self.calibration.power.as_ref())
    }
}

/// Every figure of a scenario under the exact formulas. Base SI units; none where a figure does not apply.
///
/// What does not fit has neither speed nor energy: those figures are none, whereas what it would need is stated.
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
    /// What the process shows as resident where memory is to spare ([`Footprint::peak`](crate::perf::memory::Footprint::peak)).
    pub resident_bytes: f64,
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
    pub end_to_end_s: Option<f64>,
    /// Of a model that does not fit, what every decoded token waits for storage, at least: the weights that memory does not hold, read
    /// again. None where it fits, and where llama.cpp refuses to load it (a GPU's memory is not paged).
    pub paging_s_per_token: Option<f64>,
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
    /// What it rests on.
    pub basis: Basis<'a>,
    /// The calibration of the host's CPU, where it computes some of the layers.
    pub host: Option<&'a Calibration>,
}

/// The figures of `scenario` with the factors of `calibration`, every layer of the model on the scenario's backend.
///
/// Where [`Workload::gpu_layers`](crate::scenario::Workload::gpu_layers) leaves layers to the CPU, [`predict_split`] counts them.
#[must_use]
pub fn predict<'a>(scenario: &Scenario<'a>, calibration: &'a Calibration) -> Prediction<'a> {
    Parts::of_backend(scenario, calibration).predict(scenario)
}

/// The same whether it fits or not, as on a device with memory enough: to hold a run against that evidently took place.
#[must_use]
pub fn predict_in_ample_memory<'a>(scenario: &Scenario<'a>, calibration: &'a Calibration) -> Prediction<'a> {
    figures(scenario, &Parts::new(scenario, calibration, None))
}

/// As [`predict`], with the layers that stay on the host computed by its CPU, of which `host` is the calibration.
///
/// As in llama.cpp, the last `gpu_layers` layers go to the GPU, the head counting as the last. The two take turns, so their times
/// add up. Without layers on the host this is [`predict`].
#[must_use]
pub fn predict_split<'a>(
    scenario: &Scenario<'a>,
    calibration: &'a Calibration,
    host: &'a Calibration,
) -> Prediction<'a> {
    Parts::new(scenario, calibration, Some(host)).predict(scenario)
}

impl<'a> Parts<'a> {
    /// The figures of `scenario`, which they [serve](Parts::serve).
    #[must_use]
    #[inline(always)]
    pub fn predict(&self, scenario: &Scenario<'a>) -> Prediction<'a> {
        debug_assert!(self.serve(&scenario.workload), "they are those of other work");
        let mut prediction = figures(scenario, self);
        if !prediction.fits {
            prediction.withhold(scenario, self);
        }
        prediction
    }
}

impl<'a> Prediction<'a> {
    /// The figures that have an interval. They are worked out for those who ask, who name the `scenario` once more.
    #[must_use]
    pub fn uncertain(&self, scenario: &Scenario<'a>) -> Uncertain {
        self.parts(scenario).trust(scenario).uncertain(scenario, self)
    }

    /// Their 90 % intervals.
    #[must_use]
    pub fn intervals(&self, scenario: &Scenario<'a>) -> Intervals {
        self.uncertain(scenario).intervals()
    }

    /// Takes away the figures of a run that memory does not allow.
    #[cold]
    fn withhold(&mut self, scenario: &Scenario<'a>, parts: &Parts<'a>) {
        let storage = scenario.device.storage_bandwidth.as_ref();
        let paged = paging::bytes_per_token(scenario, parts);
        self.paging_s_per_token = paged.zip(storage).map(|(bytes, rate)| bytes / rate.value.get());
        for figure in [
            &mut self.compute_s,
            &mut self.memory_s,
            &mut self.overhead_s,
            &mut self.h2d_s,
            &mut self.repack_s,
            &mut self.end_to_end_s,
            &mut self.prefill_s,
            &mut self.prefill_tokens_per_s,
            &mut self.ttft_s,
            &mut self.decode_s_per_token,
            &mut self.decode_tokens_per_s,
            &mut self.energy_j_per_token,
            &mut self.prefill_energy_j_per_token,
            &mut self.decode_energy_j_per_token,
        ] {
            *figure = None;
        }
        (self.prefill_bound, self.decode_bound) = (None, None);
    }
}

#[inline(always)]
fn figures<'a>(scenario: &Scenario<'a>, parts: &Parts<'a>) -> Prediction<'a> {
    let (sums, work, device, backend) = (scenario.sums, &scenario.workload, scenario.device, scenario.backend);
    let machine = &parts.backend.machine;
    let calibration = machine.calibration;

    // Time.
    let prefill = parts.phase(Phase::Prefill, scenario);
    let decode = parts.phase(Phase::Decode, scenario);
    let prefill_s = prefill.map(|phase| phase.seconds);
    let decode_s = decode.map(|phase| phase.seconds);
    let sequences = work.sequences as f64;
    let prompt_tokens = work.prompt as f64 * sequences;
    let generated_tokens = work.generate as f64 * sequences;
    let prefill_rate = prefill_s.map(|seconds| prompt_tokens / seconds);
    let decode_rate = decode_s.map(|seconds| sequences / seconds);

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
    let repack_s = (memory.repacked > 0.0).then_some(2.0 * memory.repacked * machine.s_per_byte);
    let hidden_states = work.context() as f64 * sequences * sums.hidden_size * F32_BYTES;
    let network_s = device
        .network_bandwidth
        .as_ref()
        .map(|rate| hidden_states / rate.value.get());

    // One token.
    let (of, tokens) = match decode {
        Some(step) => (Some(step), sequences),
        None => (prefill, prompt_tokens.max(1.0)),
    };
    let peak = of.map(|phase| phase.peak).filter(|peak| *peak > 0.0);
    let totals = of.map(|phase| phase.totals).unwrap_or_default();
    let (flops_per_token, bytes_per_token) = (totals.flops / tokens, totals.bytes / tokens);

    // Energy.
    let joules = |phase: Option<PhaseFigures>| phase?.joules;
    let (prefill_energy, step_energy) = (joules(prefill), joules(decode));
    let prefill_token_energy = prefill_energy.map(|energy| energy / prompt_tokens);
    let decode_energy = step_energy.map(|energy| energy / sequences);
    let request_energy = match (prefill_energy, step_energy) {
        (None, None) => None,
        (prefill, step) => Some(prefill.unwrap_or(0.0) + step.unwrap_or(0.0) * work.generate as f64),
    };

    Prediction {
        flops_per_token,
        bytes_per_token,
        weight_bytes,
        kv_cache_bytes: memory.kv_cache,
        activation_bytes: memory.activations,
        repacked_bytes: memory.repacked,
        runtime_bytes: memory.runtime,
        memory_bytes,
        resident_bytes: memory.peak(),
        capacity_bytes: capacity,
        fits: memory.fits(device, backend),
        arithmetic_intensity: flops_per_token / bytes_per_token,
        ridge_intensity: peak.map(|peak| peak / machine.bandwidth),
        compute_s: decode.map(|step| step.totals.compute_s()),
        memory_s: decode.map(|step| step.totals.memory_s()),
        overhead_s: decode.map(|step| step.totals.overhead_s),
        io_s,
        h2d_s,
        repack_s,
        network_s,
        end_to_end_s: Some(
            [io_s, h2d_s, repack_s, prefill_s].into_iter().flatten().sum::<f64>()
                + decode_s.unwrap_or(0.0) * work.generate as f64,
        ),
        paging_s_per_token: None,
        prefill_s,
        prefill_tokens_per_s: prefill_rate,
        ttft_s: decode_s.map(|step| prefill_s.unwrap_or(0.0) + step).or(prefill_s),
        decode_s_per_token: decode_s,
        decode_tokens_per_s: decode_rate,
        energy_j_per_token: request_energy.map(|energy| energy / (prompt_tokens + generated_tokens).max(1.0)),
        prefill_energy_j_per_token: prefill_token_energy,
        decode_energy_j_per_token: decode_energy,
        prefill_bound: prefill.and_then(|phase| Bound::of(&phase.totals)),
        decode_bound: decode.and_then(|phase| Bound::of(&phase.totals)),
        basis: Basis {
            calibration,
            inside_measured_range: calibration.covers(scenario),
            rail: prefill_energy.or(step_energy).and_then(|_| {
                let measured = calibration.power.as_ref()?.measured.map(|measured| measured.rail);
                measured.or(device.power.as_ref().map(|power| power.rail))
            }),
        },
        host: parts.host.as_ref().map(|host| host.machine.calibration),
    }
}

/// Bytes of a hidden state's element as llama.cpp hands it from layer to layer.
const F32_BYTES: f64 = 4.0;
