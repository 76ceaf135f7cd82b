//! Latency: a pass over the model is a sum of terms, each an amount of work over a rate, each rate a peak of the data sheet
//! times a factor of the calibration.
//!
//! For a pass over `n` tokens at a context of `c` positions, with the device's bandwidth `B` and its peaks `P`:
//!
//! ```text
//! t = ( (weight bytes + KV bytes + activation bytes) / (B · U_memory · g(threads))         stream
//!     + Σ_format  2 · n · weights(format) / (P(format) · U_compute(phase, format))         multiply
//!     + n · attention FLOPs(c) / (P · U_attention(phase)) )                                attend
//!     + operations · t_operation(phase) + t_pass(phase)                                    fixed
//! ```
//!
//! `g(threads)` is the share of the saturated bandwidth that so many cores draw. A mixture of experts streams the experts that
//! `n` tokens are expected to touch, `1 - (1 - used/experts)^n` of them.

use crate::calibration::{Calibration, FactorId, Phase};
use crate::device::{Arithmetic, BackendKind};
use crate::perf::sums::{AttentionGroup, ModelSums, StackSums};
use crate::quant::{BlockType, CacheType};
use crate::scenario::Scenario;

/// What a term of the sum stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TermKind {
    /// Weights read from memory.
    Weights,
    /// The KV cache and recurrent state read from memory.
    Cache,
    /// Activations read and written.
    Activations,
    /// Weights multiplied.
    Multiply,
    /// Attention computed.
    Attend,
    /// Kernel launches and barriers.
    Operations,
    /// What a prompt, or a decoded token, costs whatever it is.
    Pass,
}

/// One term: `seconds = amount / (rate · U)` for a utilization `U`, `amount · factor` for a fixed cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// What it stands for.
    pub kind: TermKind,
    /// The factor it was scaled by.
    pub factor: FactorId,
    /// Bytes, FLOPs or a count.
    pub amount: f64,
    /// The nominal rate, per second; 1 for a count.
    pub rate: f64,
    /// Its seconds.
    pub seconds: f64,
}

/// The most terms that a phase can have: three of memory, two of overhead, attention, and one per block type in the file.
const MOST_TERMS: usize = 24;

/// The terms of a phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    items: [Term; MOST_TERMS],
    len: usize,
}

impl Terms {
    const fn new() -> Self {
        const NOTHING: Term = Term {
            kind: TermKind::Pass,
            factor: FactorId::Memory,
            amount: 0.0,
            rate: 1.0,
            seconds: 0.0,
        };
        Self {
            items: [NOTHING; MOST_TERMS],
            len: 0,
        }
    }

    /// The terms.
    #[must_use]
    pub fn as_slice(&self) -> &[Term] {
        &self.items[..self.len]
    }

    /// Adds to the term of this kind and factor, or begins it.
    fn add(&mut self, kind: TermKind, factor: FactorId, amount: f64, rate: f64, seconds: f64) {
        if amount <= 0.0 {
            return;
        }
        let len = self.len;
        if let Some(term) = self.items[..len]
            .iter_mut()
            .find(|term| term.kind == kind && term.factor == factor)
        {
            term.amount += amount;
            term.seconds += seconds;
        } else if len < MOST_TERMS {
            self.items[len] = Term {
                kind,
                factor,
                amount,
                rate,
                seconds,
            };
            self.len += 1;
        } else {
            // A file with more block types than there is room for: the last term takes the rest, so that no time is lost.
            self.items[len - 1].amount += amount;
            self.items[len - 1].seconds += seconds;
        }
    }

    /// Seconds of all terms.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.as_slice().iter().map(|term| term.seconds).sum()
    }

    /// Amounts of the terms of these kinds.
    #[must_use]
    pub fn amount_of(&self, kinds: &[TermKind]) -> f64 {
        self.as_slice()
            .iter()
            .filter(|term| kinds.contains(&term.kind))
            .map(|term| term.amount)
            .sum()
    }

    /// Seconds of the terms of one kind.
    #[must_use]
    pub fn seconds_of(&self, kind: TermKind) -> f64 {
        self.as_slice()
            .iter()
            .filter(|term| term.kind == kind)
            .map(|term| term.seconds)
            .sum()
    }
}

/// The rates of a backend as this scenario runs it: threads, power mode and calibration applied.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    calibration: &'a Calibration,
    /// Nominal bandwidth in the power mode, bytes per second.
    pub bandwidth: f64,
    /// Share of the saturated bandwidth that the threads draw.
    pub bandwidth_share: f64,
    /// `d ln bandwidth_share / d ln core_share`, for the uncertainty.
    pub core_share_sensitivity: f64,
    /// Dense peaks in the power mode with the threads in use, by [`Arithmetic`]; those not stated fall back to wider ones.
    peaks: [f64; 4],
    int8_multiplies: bool,
    fp16_multiplies: bool,
    bf16_multiplies: bool,
    on_cpu: bool,
    /// Slow-down of fixed costs in the power mode, clock over mode's clock.
    pub overhead_scale: f64,
}

/// Steepness of the turn from bandwidth per core to saturated bandwidth.
const SATURATION_EXPONENT: i32 = 4;

impl<'a> Machine<'a> {
    /// The rates of `scenario`'s backend under `calibration`.
    #[must_use]
    pub fn new(scenario: &Scenario<'_>, calibration: &'a Calibration) -> Self {
        let backend = scenario.backend;
        let on_cpu = scenario.backend_kind == BackendKind::Cpu;
        let mode = scenario.power_mode.map(|(_, mode)| mode);
        let clock_ratio = mode
            .and_then(|mode| mode.clocks.get(&scenario.backend_kind))
            .zip(backend.clock.as_ref())
            .map_or(1.0, |(mode, full)| mode.value / full.value);
        let nominal = backend
            .memory
            .as_ref()
            .unwrap_or(&scenario.device.memory)
            .bandwidth
            .value;
        let bandwidth = mode
            .and_then(|mode| mode.bandwidth.as_ref())
            .map_or(nominal, |bandwidth| bandwidth.value)
            .get();
        let all_cores = backend.cores.value.max(1) as f64;
        let online = mode
            .and_then(|mode| mode.cores.get(&scenario.backend_kind))
            .map_or(all_cores, |cores| cores.value.max(1) as f64);
        let (core_ratio, bandwidth_share, core_share_sensitivity) = if on_cpu {
            let threads = scenario.workload.threads.or(calibration.file.threads);
            let threads = threads.map_or(online, |threads| (threads as f64).min(online));
            let drawn = threads * calibration.factor(FactorId::CoreShare);
            let inverse = drawn.powi(-SATURATION_EXPONENT);
            let share = (1.0 + inverse).powf(-1.0 / f64::from(SATURATION_EXPONENT));
            (threads / all_cores, share, inverse / (1.0 + inverse))
        } else {
            (online / all_cores, 1.0, 0.0)
        };
        let scale = clock_ratio * core_ratio;
        let peak = |arithmetic: Arithmetic| backend.peaks.get(&arithmetic).map(|peak| peak.value.get() * scale);
        let fp32 = peak(Arithmetic::Fp32);
        let fp16 = peak(Arithmetic::Fp16);
        let widest = fp32.or(fp16).unwrap_or(f64::NAN);
        Self {
            calibration,
            bandwidth,
            bandwidth_share,
            core_share_sensitivity,
            peaks: [
                widest,
                fp16.unwrap_or(widest),
                peak(Arithmetic::Bf16).unwrap_or(widest),
                peak(Arithmetic::Int8).or(fp16).unwrap_or(widest),
            ],
            int8_multiplies: matches!(scenario.backend_kind, BackendKind::Cpu | BackendKind::Cuda),
            fp16_multiplies: fp16.is_some(),
            bf16_multiplies: peak(Arithmetic::Bf16).is_some(),
            on_cpu,
            overhead_scale: if on_cpu { 1.0 / clock_ratio } else { 1.0 / scale },
        }
    }

    /// The arithmetic that multiplies weights of a block type in a phase.
    ///
    /// A CPU turns activations into 8-bit blocks and takes integer dot products for every quantised type. A GPU does so in
    /// prefill where its kernels use integer matrix units; its matrix-vector kernels of the decode phase are bound by the plain
    /// arithmetic units that unpack the blocks.
    #[must_use]
    pub fn arithmetic(&self, phase: Phase, block_type: BlockType) -> Arithmetic {
        match block_type {
            BlockType::F32 => Arithmetic::Fp32,
            BlockType::F16 if self.on_cpu && !self.fp16_multiplies => Arithmetic::Fp32,
            BlockType::BF16 if self.on_cpu && !self.bf16_multiplies => Arithmetic::Fp32,
            _ if !self.on_cpu && phase == Phase::Decode => Arithmetic::Fp32,
            BlockType::F16 => Arithmetic::Fp16,
            BlockType::BF16 => Arithmetic::Bf16,
            _ if self.int8_multiplies => Arithmetic::Int8,
            _ => Arithmetic::Fp16,
        }
    }

    fn attention_arithmetic(&self, phase: Phase) -> Arithmetic {
        if !self.on_cpu && phase == Phase::Decode {
            Arithmetic::Fp32
        } else {
            Arithmetic::Fp16
        }
    }

    fn peak(&self, arithmetic: Arithmetic) -> f64 {
        self.peaks[arithmetic as usize]
    }

    fn stream(&self, terms: &mut Terms, kind: TermKind, bytes: f64) {
        let rate = self.bandwidth * self.bandwidth_share;
        terms.add(
            kind,
            FactorId::Memory,
            bytes,
            rate,
            bytes / (rate * self.calibration.factor(FactorId::Memory)),
        );
    }

    fn compute(&self, terms: &mut Terms, kind: TermKind, factor: FactorId, arithmetic: Arithmetic, flops: f64) {
        let rate = self.peak(arithmetic);
        terms.add(
            kind,
            factor,
            flops,
            rate,
            flops / (rate * self.calibration.factor(factor)),
        );
    }

    fn fixed(&self, terms: &mut Terms, kind: TermKind, factor: FactorId, count: f64) {
        let count = count * self.overhead_scale;
        terms.add(kind, factor, count, 1.0, count * self.calibration.factor(factor));
    }

    /// `passes` passes of a stack's matrices over `tokens` tokens each.
    fn stack(&self, terms: &mut Terms, phase: Phase, sums: &ModelSums, stack: &StackSums, tokens: f64, passes: f64) {
        let touched = if sums.expert_share < 1.0 {
            1.0 - (1.0 - sums.expert_share).powf(tokens)
        } else {
            1.0
        };
        let mut bytes = stack.other_bytes;
        for format in &stack.formats {
            bytes += format.dense_bytes + touched * format.expert_bytes;
            let weights = format.dense_weights + sums.expert_share * format.expert_weights;
            let factor = FactorId::Compute(phase, format.block_type);
            let flops = 2.0 * weights * tokens * passes;
            self.compute(
                terms,
                TermKind::Multiply,
                factor,
                self.arithmetic(phase, format.block_type),
                flops,
            );
        }
        self.stream(terms, TermKind::Weights, bytes * passes);
    }

    /// Attention of `tokens` tokens that follow `first` cached ones, in `passes` passes.
    fn attend(
        &self,
        terms: &mut Terms,
        phase: Phase,
        groups: &[AttentionGroup],
        span: Span,
        cache: (CacheType, CacheType),
    ) {
        let (mut flops, mut bytes) = (0.0, 0.0);
        for group in groups {
            let attention = &group.attention;
            let visible = span.visible(attention.window, attention.bidirectional);
            let lengths = (attention.key_length + attention.value_length) as f64;
            flops += 2.0 * group.layers * attention.heads as f64 * lengths * visible * span.tokens;
            let row = cache.0.bytes_per_element() * attention.key_length as f64
                + cache.1.bytes_per_element() * attention.value_length as f64;
            bytes += group.layers * attention.kv_heads as f64 * row * visible * span.reads;
        }
        self.compute(
            terms,
            TermKind::Attend,
            FactorId::Attention(phase),
            self.attention_arithmetic(phase),
            flops,
        );
        self.stream(terms, TermKind::Cache, bytes);
    }
}

/// A run of tokens that attend to what came before them.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Positions in the cache before the first of them.
    first: f64,
    /// How many tokens follow one another.
    length: f64,
    /// How many tokens attend, over all sequences.
    tokens: f64,
    /// How often the visible cache is read.
    reads: f64,
}

impl Span {
    /// Mean number of positions that a token of the span sees, itself included: the mean of `min(window, first + i)` for
    /// `i = 1 ..= length`, or all of them where attention is bidirectional.
    fn visible(&self, window: Option<u64>, bidirectional: bool) -> f64 {
        if bidirectional {
            return window.map_or(self.length, |window| self.length.min(window as f64));
        }
        mean_visible(
            window.map_or(f64::INFINITY, |window| window as f64),
            self.first,
            self.length,
        )
    }
}

/// The mean of `min(window, first + i)` over `i = 1 ..= length`.
#[must_use]
pub fn mean_visible(window: f64, first: f64, length: f64) -> f64 {
    if length <= 0.0 {
        return 0.0;
    }
    // Positions before the window is full, then the window itself.
    let growing = (window - first).clamp(0.0, length).floor();
    let sum = growing * first
        + growing * (growing + 1.0) / 2.0
        + if growing < length {
            (length - growing) * window
        } else {
            0.0
        };
    sum / length
}

/// The terms of the whole prompt; empty if there is none.
#[must_use]
pub fn prefill(scenario: &Scenario<'_>, machine: &Machine<'_>) -> Terms {
    let (sums, work) = (scenario.sums, &scenario.workload);
    let mut terms = Terms::new();
    if work.prompt == 0 {
        return terms;
    }
    let (prompt, sequences) = (work.prompt as f64, work.sequences as f64);
    let tokens = prompt * sequences;
    let passes = (tokens / work.ubatch.min(work.batch) as f64).ceil();
    let per_pass = tokens / passes;
    let cache = (work.key_type, work.value_type);
    let phase = Phase::Prefill;
    let span = Span {
        first: work.depth as f64,
        length: prompt,
        tokens,
        reads: passes,
    };
    let encodes = !sums.encoder.formats.is_empty();
    if encodes {
        machine.stack(&mut terms, phase, sums, &sums.encoder, per_pass, passes);
        machine.attend(&mut terms, phase, &sums.encoder_attention, span, cache);
        machine.stream(
            &mut terms,
            TermKind::Activations,
            sums.encoder_activation_bytes * tokens,
        );
        machine.fixed(
            &mut terms,
            TermKind::Operations,
            FactorId::Operation(phase),
            sums.encoder_operations * passes,
        );
    } else {
        machine.stack(&mut terms, phase, sums, &sums.decoder, per_pass, passes);
        machine.attend(&mut terms, phase, &sums.attention, span, cache);
        machine.stream(
            &mut terms,
            TermKind::Activations,
            sums.decoder_activation_bytes * tokens,
        );
        machine.stream(&mut terms, TermKind::Cache, sums.recurrent_bytes * sequences * passes);
        let recurrence = FactorId::Attention(phase);
        machine.compute(
            &mut terms,
            TermKind::Attend,
            recurrence,
            machine.attention_arithmetic(phase),
            sums.recurrent_flops * tokens,
        );
        machine.fixed(
            &mut terms,
            TermKind::Operations,
            FactorId::Operation(phase),
            sums.decoder_operations * passes,
        );
        // Logits are wanted for the last position only.
        machine.stack(&mut terms, Phase::Decode, sums, &sums.head, sequences, 1.0);
    }
    machine.fixed(&mut terms, TermKind::Pass, FactorId::Pass(phase), 1.0);
    terms
}

/// The terms of one decoding step, the mean over the generation; empty if nothing is generated.
#[must_use]
pub fn decode_step(scenario: &Scenario<'_>, machine: &Machine<'_>) -> Terms {
    let (sums, work) = (scenario.sums, &scenario.workload);
    let mut terms = Terms::new();
    if work.generate == 0 || sums.decoder.formats.is_empty() {
        return terms;
    }
    let sequences = work.sequences as f64;
    let phase = if work.sequences == 1 {
        Phase::Decode
    } else {
        Phase::Prefill
    };
    let cache = (work.key_type, work.value_type);
    // An encoder-decoder's prompt lies in the encoder; the decoder begins with an empty cache.
    let first = if sums.encoder.formats.is_empty() {
        work.depth + work.prompt
    } else {
        work.depth
    } as f64;
    machine.stack(&mut terms, phase, sums, &sums.decoder, sequences, 1.0);
    machine.stack(&mut terms, phase, sums, &sums.head, sequences, 1.0);
    let span = Span {
        first,
        length: work.generate as f64,
        tokens: sequences,
        reads: sequences,
    };
    machine.attend(&mut terms, Phase::Decode, &sums.attention, span, cache);
    let crossed = Span {
        first: work.prompt.saturating_sub(1) as f64,
        length: 1.0,
        ..span
    };
    machine.attend(&mut terms, Phase::Decode, &sums.cross_attention, crossed, cache);
    machine.stream(
        &mut terms,
        TermKind::Activations,
        sums.decoder_activation_bytes * sequences,
    );
    machine.stream(&mut terms, TermKind::Cache, sums.recurrent_bytes * sequences);
    let factor = FactorId::Attention(Phase::Decode);
    let arithmetic = machine.attention_arithmetic(Phase::Decode);
    machine.compute(
        &mut terms,
        TermKind::Attend,
        factor,
        arithmetic,
        sums.recurrent_flops * sequences,
    );
    machine.fixed(
        &mut terms,
        TermKind::Operations,
        FactorId::Operation(Phase::Decode),
        sums.decoder_operations,
    );
    machine.fixed(&mut terms, TermKind::Pass, FactorId::Pass(Phase::Decode), 1.0);
    terms
}
