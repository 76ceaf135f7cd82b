//! A prediction as it leaves the program: one flat record for JSON, CSV, Markdown and whatever tables are made of many.
//!
//! Base SI units, with the unit in the key. What does not apply is null in JSON and empty in CSV, never 0 or NaN.

use crate::calibration::{Origin, Phase};
use crate::device::{BackendKind, Device, Rail};
use crate::economy::{Economy, Terms, Work};
use crate::model::{Model, QualityMetric};
use crate::perf::paper::PaperPrediction;
use crate::perf::{Bound, Intervals, Prediction, Uncertain};
use crate::quant::{CacheType, Precision};
use crate::scenario::{Formulas, Scenario, Workload};
use serde::Serialize;
use std::mem::take;

/// The version of the JSON document; it changes when a key changes its name or meaning.
pub const SCHEMA: u32 = 1;

/// One prediction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// The model's id.
    pub model: String,
    /// The device's id.
    pub hardware: String,
    /// The backend.
    pub backend: BackendKind,
    /// The precision as asked.
    pub precision: Precision,
    /// The llama.cpp mix that it means; none under the paper's formulas, and for what is no mix.
    pub mix: Option<&'static str>,
    /// Which formulas answered.
    pub formulas: Formulas,
    /// The power mode in force.
    pub power_mode: Option<String>,
    /// What was asked of it.
    pub workload: WorkloadRecord,
    /// Number of parameters.
    pub parameters: u64,
    /// Parameters that one token uses.
    pub active_parameters: Option<u64>,
    /// FLOPs of one token.
    pub flops_per_token: f64,
    /// All tensors of the file.
    pub weight_bytes: u64,
    /// The KV cache.
    pub kv_cache_bytes: u64,
    /// Activations.
    pub activation_bytes: u64,
    /// Weights written once more in the layout of the CPU's kernels.
    pub repacked_bytes: Option<u64>,
    /// What the runtime holds besides.
    pub runtime_bytes: Option<u64>,
    /// What must stay in memory.
    pub memory_bytes: u64,
    /// What the device leaves to users.
    pub capacity_bytes: u64,
    /// Whether it fits there.
    pub fits: bool,
    /// FLOPs per byte.
    pub arithmetic_intensity: Option<f64>,
    /// FLOPs per byte where the roofline turns.
    pub ridge_intensity: Option<f64>,
    /// Compute latency of a decoded token.
    pub compute_s: Option<f64>,
    /// Memory latency of a decoded token.
    pub memory_s: Option<f64>,
    /// Fixed costs of a decoded token.
    pub overhead_s: Option<f64>,
    /// Reading the weights from storage, once.
    pub io_s: Option<f64>,
    /// Copying them to the device, once.
    pub h2d_s: Option<f64>,
    /// Repacking them, once.
    pub repack_s: Option<f64>,
    /// The network.
    pub network_s: Option<f64>,
    /// The whole request, cold.
    pub end_to_end_s: Option<f64>,
    /// Of a model that does not fit, what every decoded token waits for storage, at least.
    pub paging_s_per_token: Option<f64>,
    /// The whole prompt.
    pub prefill_s: Option<f64>,
    /// Prompt tokens per second.
    pub prefill_tokens_per_s: Option<f64>,
    /// Time to the first token with the model loaded.
    pub ttft_s: Option<f64>,
    /// One decoded token.
    pub decode_s_per_token: Option<f64>,
    /// Decoded tokens per second.
    pub decode_tokens_per_s: Option<f64>,
    /// Energy of the request over its tokens.
    pub energy_j_per_token: Option<f64>,
    /// Energy of a prompt token.
    pub prefill_energy_j_per_token: Option<f64>,
    /// Energy of a decoded token.
    pub decode_energy_j_per_token: Option<f64>,
    /// What the energy comes to; its keys stand among the others.
    #[serde(flatten)]
    pub economy: Economy,
    /// How good the answers are, as published; none where no source is known.
    pub quality: Option<QualityRecord>,
    /// What bounds each phase.
    pub bound: BoundRecord,
    /// The figures that have an interval; their key is `intervals`.
    #[serde(rename = "intervals")]
    pub uncertain: Uncertain,
    /// What it rests on.
    pub basis: BasisRecord,
}

/// The work of a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorkloadRecord {
    /// Tokens to prefill.
    pub prompt: u64,
    /// Tokens to decode.
    pub generate: u64,
    /// Tokens in the cache before either.
    pub depth: u64,
    /// Cache size allocated for one sequence; the paper's S.
    pub context: u64,
    /// Logical batch.
    pub batch: u64,
    /// Physical batch.
    pub ubatch: u64,
    /// Sequences side by side.
    pub sequences: u64,
    /// Type of the cached keys.
    pub cache_type_k: CacheType,
    /// Type of the cached values.
    pub cache_type_v: CacheType,
    /// CPU threads; none on a GPU.
    pub threads: Option<u64>,
    /// Layers on the GPU; none where all are.
    pub gpu_layers: Option<u64>,
    /// Whether weights are repacked for the CPU.
    pub repack: bool,
}

/// The published quality of a [`Record`]'s model in its precision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityRecord {
    /// What was measured.
    pub metric: QualityMetric,
    /// The figure.
    pub value: f64,
    /// Its standard error, where the source states one.
    pub error: Option<f64>,
    /// The figure over that of the unquantised model from the same source.
    pub over_unquantised: Option<f64>,
    /// On which text or task, and how.
    pub data: String,
    /// Who published it, and where.
    pub source: String,
}

impl QualityRecord {
    /// What is published of a model in a precision.
    fn of(model: &Model, precision: Precision) -> Option<Self> {
        let quality = model.quality(precision)?;
        Some(Self {
            metric: quality.table.metric,
            value: quality.value,
            error: quality.error,
            over_unquantised: quality.over_unquantised,
            data: quality.table.data.clone(),
            source: quality.table.source.clone(),
        })
    }
}

/// What bounds the phases of a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BoundRecord {
    /// The prompt.
    pub prefill: Option<Bound>,
    /// The decoding.
    pub decode: Option<Bound>,
}

/// What a [`Record`] rests on.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct BasisRecord {
    /// The calibration's id; none under the paper's formulas.
    pub calibration: Option<String>,
    /// Whether it was measured on the device or on its class.
    pub origin: Option<Origin>,
    /// Median relative error of the decoding rate (of the prefill rate where nothing is decoded) on what the fit had not seen.
    pub held_out_error: Option<f64>,
    /// The same of the prefill rate.
    pub prefill_held_out_error: Option<f64>,
    /// The same of the decoding rate.
    pub decode_held_out_error: Option<f64>,
    /// Whether what was asked lies within what was measured.
    pub inside_measured_range: Option<bool>,
    /// The rail whose joules the energies are ([`Rail`](crate::device::Rail)).
    pub power_rail: Option<&'static str>,
    /// Whether power was measured on the device or on its class.
    pub power_origin: Option<Origin>,
    /// Median relative error of power on what its fit had not seen.
    pub power_held_out_error: Option<f64>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// What the paper's equations were asked.
#[derive(Debug, Clone, Copy)]
pub struct PaperQuestion<'a> {
    /// The model.
    pub model: &'a Model,
    /// The device.
    pub device: &'a Device,
    /// Its backend.
    pub backend: BackendKind,
    /// The precision.
    pub precision: Precision,
    /// The work, of which the equations take the context alone.
    pub workload: Workload,
    /// The context, `S`.
    pub context: u64,
}

/// The texts of a record, which cost an allocation each.
struct Names {
    model: String,
    hardware: String,
    power_mode: Option<String>,
    calibration: Option<String>,
    quality: Option<QualityRecord>,
    notes: Vec<String>,
}

/// Bytes as a whole number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates, and no memory is that large
fn whole(bytes: f64) -> u64 {
    // Bytes are not negative, so that this rounds as `round` does, without its call.
    (bytes + 0.5) as u64
}

/// A number that JSON can hold.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl Record {
    /// The record of an exact prediction, its economy that of the default [`Terms`].
    #[must_use]
    pub fn exact<'a>(model: &Model, scenario: &Scenario<'a>, prediction: &Prediction<'a>, notes: Vec<String>) -> Self {
        let names = Names {
            model: model.id.clone(),
            hardware: scenario.device.id.clone(),
            power_mode: scenario.power_mode.map(|(name, _)| name.to_owned()),
            calibration: Some(prediction.basis.calibration.id.clone()),
            quality: QualityRecord::of(model, scenario.precision),
            notes,
        };
        let terms = Terms::default().on(scenario.device);
        let economy = Economy::of(&Work::of(&scenario.workload, prediction), &terms);
        Self::of(names, scenario, prediction, prediction.uncertain(scenario), economy)
    }

    /// Makes this the record of another prediction of the same model, precision, device, power mode and calibration, without building their
    /// names and the notes anew.
    pub fn renew(
        &mut self,
        scenario: &Scenario<'_>,
        prediction: &Prediction<'_>,
        uncertain: Uncertain,
        economy: Economy,
    ) {
        let names = Names {
            model: take(&mut self.model),
            hardware: take(&mut self.hardware),
            power_mode: take(&mut self.power_mode),
            calibration: take(&mut self.basis.calibration),
            quality: take(&mut self.quality),
            notes: take(&mut self.basis.notes),
        };
        *self = Self::of(names, scenario, prediction, uncertain, economy);
    }

    fn of(
        names: Names,
        scenario: &Scenario<'_>,
        prediction: &Prediction<'_>,
        uncertain: Uncertain,
        economy: Economy,
    ) -> Self {
        let calibration = prediction.basis.calibration;
        let held_out = |phase, present: Option<f64>| present.and_then(|_| calibration.quality(phase).held_out_error);
        let prefill_held_out = held_out(Phase::Prefill, prediction.prefill_s);
        let decode_held_out = held_out(Phase::Decode, prediction.decode_s_per_token);
        let power = prediction.basis.power();
        Self {
            model: names.model,
            hardware: names.hardware,
            backend: scenario.backend_kind,
            precision: scenario.precision,
            mix: scenario.precision.mix().map(crate::quant::Mix::name),
            formulas: Formulas::Exact,
            power_mode: names.power_mode,
            workload: WorkloadRecord {
                threads: scenario.threads(),
                ..WorkloadRecord::new(&scenario.workload, scenario.workload.context())
            },
            parameters: scenario.sums.parameters,
            active_parameters: Some(scenario.sums.active_parameters),
            flops_per_token: prediction.flops_per_token,
            weight_bytes: whole(prediction.weight_bytes),
            kv_cache_bytes: whole(prediction.kv_cache_bytes),
            activation_bytes: whole(prediction.activation_bytes),
            // Weights are repacked for CPUs alone.
            repacked_bytes: (scenario.backend_kind == BackendKind::Cpu).then(|| whole(prediction.repacked_bytes)),
            runtime_bytes: Some(whole(prediction.runtime_bytes)),
            memory_bytes: whole(prediction.memory_bytes),
            capacity_bytes: whole(prediction.capacity_bytes),
            fits: prediction.fits,
            arithmetic_intensity: finite(prediction.arithmetic_intensity),
            ridge_intensity: prediction.ridge_intensity.and_then(finite),
            compute_s: prediction.compute_s,
            memory_s: prediction.memory_s,
            overhead_s: prediction.overhead_s,
            io_s: prediction.io_s,
            h2d_s: prediction.h2d_s,
            repack_s: prediction.repack_s,
            network_s: prediction.network_s,
            end_to_end_s: prediction.end_to_end_s.and_then(finite),
            paging_s_per_token: prediction.paging_s_per_token,
            prefill_s: prediction.prefill_s,
            prefill_tokens_per_s: prediction.prefill_tokens_per_s,
            ttft_s: prediction.ttft_s,
            decode_s_per_token: prediction.decode_s_per_token,
            decode_tokens_per_s: prediction.decode_tokens_per_s,
            energy_j_per_token: prediction.energy_j_per_token,
            prefill_energy_j_per_token: prediction.prefill_energy_j_per_token,
            decode_energy_j_per_token: prediction.decode_energy_j_per_token,
            economy,
            quality: names.quality,
            bound: BoundRecord {
                prefill: prediction.prefill_bound,
                decode: prediction.decode_bound,
            },
            uncertain,
            basis: BasisRecord {
                calibration: names.calibration,
                origin: Some(calibration.file.origin),
                held_out_error: decode_held_out.or(prefill_held_out),
                prefill_held_out_error: prefill_held_out,
                decode_held_out_error: decode_held_out,
                inside_measured_range: Some(prediction.basis.inside_measured_range),
                power_rail: prediction.basis.rail.map(Rail::name),
                power_origin: power.map(|power| power.origin),
                power_held_out_error: power.and_then(|power| power.held_out_error),
                notes: names.notes,
            },
        }
    }

    /// The 90 % intervals.
    #[must_use]
    #[inline]
    pub fn intervals(&self) -> Intervals {
        self.uncertain.intervals()
    }

    /// The published figure of this metric, if there is one.
    #[must_use]
    pub fn published(&self, metric: QualityMetric) -> Option<f64> {
        let quality = self.quality.as_ref().filter(|quality| quality.metric == metric)?;
        Some(quality.value)
    }

    /// The same over that of the unquantised model.
    #[must_use]
    pub fn over_unquantised(&self, metric: QualityMetric) -> Option<f64> {
        let quality = self.quality.as_ref().filter(|quality| quality.metric == metric)?;
        quality.over_unquantised
    }

    /// The record of the paper's equations.
    #[must_use]
    pub fn paper(question: &PaperQuestion<'_>, prediction: &PaperPrediction, notes: Vec<String>) -> Self {
        let &PaperQuestion {
            model,
            device,
            backend,
            precision,
            workload,
            context,
        } = question;
        let own = device
            .backends
            .get(&backend)
            .and_then(|backend| backend.memory.as_ref());
        let capacity = own.unwrap_or(&device.memory).usable.value.get();
        let bound = if prediction.memory_s >= prediction.compute_s {
            Bound::Memory
        } else {
            Bound::Compute
        };
        Self {
            model: model.id.clone(),
            hardware: device.id.clone(),
            backend,
            precision,
            mix: None,
            formulas: Formulas::Edgeprofiler,
            power_mode: None,
            workload: WorkloadRecord::new(&workload, context),
            parameters: prediction.parameters,
            active_parameters: None,
            flops_per_token: prediction.flops_per_token,
            weight_bytes: whole(prediction.weight_bytes),
            kv_cache_bytes: whole(prediction.kv_cache_bytes),
            activation_bytes: whole(prediction.activation_bytes),
            repacked_bytes: None,
            runtime_bytes: None,
            memory_bytes: whole(prediction.memory_bytes),
            capacity_bytes: whole(capacity),
            fits: prediction.memory_bytes <= capacity,
            arithmetic_intensity: finite(prediction.arithmetic_intensity),
            ridge_intensity: None,
            compute_s: Some(prediction.compute_s),
            memory_s: Some(prediction.memory_s),
            overhead_s: None,
            io_s: prediction.io_s,
            h2d_s: prediction.h2d_s,
            repack_s: None,
            network_s: prediction.network_s,
            end_to_end_s: finite(prediction.end_to_end_s),
            paging_s_per_token: None,
            prefill_s: None,
            prefill_tokens_per_s: None,
            ttft_s: None,
            decode_s_per_token: None,
            decode_tokens_per_s: None,
            energy_j_per_token: Some(prediction.energy_j_per_token),
            prefill_energy_j_per_token: None,
            decode_energy_j_per_token: None,
            economy: Economy::default(),
            quality: QualityRecord::of(model, precision),
            bound: BoundRecord {
                prefill: None,
                decode: Some(bound),
            },
            uncertain: Uncertain::default(),
            basis: BasisRecord {
                notes,
                ..BasisRecord::default()
            },
        }
    }
}

impl WorkloadRecord {
    const fn new(work: &Workload, context: u64) -> Self {
        Self {
            prompt: work.prompt,
            generate: work.generate,
            depth: work.depth,
            context,
            batch: work.batch,
            ubatch: work.ubatch,
            sequences: work.sequences,
            cache_type_k: work.key_type,
            cache_type_v: work.value_type,
            threads: work.threads,
            gpu_layers: work.gpu_layers,
            repack: work.repack,
        }
    }
}
