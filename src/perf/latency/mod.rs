//! Latency: a pass over the model is a sum of terms, each an amount of work over a rate, each rate a peak of the data sheet
//! times a factor of the calibration.
//!
//! For a pass over `n` tokens at a context of `c` positions, with the device's bandwidth `B` and its peaks `P`:
//!
//! ```text
//! stream = (weight bytes + KV bytes + activation bytes) / (B · U_memory · g(threads))
//! arithmetic = Σ_format  2 · n · weights(format) / (P(format) · U_compute(phase, format))
//!            + n · attention FLOPs(c) / (P · U_attention(phase))
//! fixed = operations · t_operation(phase) + t_pass(phase)
//!
//! t = stream + arithmetic + fixed              for a prompt
//!     √(stream² + arithmetic²) + fixed         for a decoded token
//! ```
//!
//! While a token is decoded each weight is used once, and a part of the arithmetic hides behind the stream that brings it; the
//! root of the sum of squares is what predicts devices and models best that the fit had not seen (`reports/accuracy/`).
//!
//! `g(threads)` is the share of the saturated bandwidth that so many cores draw. A mixture of experts streams the experts that
//! `n` tokens are expected to touch, `1 - (1 - used/experts)^n` of them.

mod machine;
mod term;
#[cfg(test)]
mod tests;

pub use machine::Machine;
pub use term::{Overlap, Term, TermKind, Terms, Totals};

use crate::calibration::{FactorId, Phase};
use crate::model::Attention;
use crate::perf::sums::{AttentionGroup, ModelSums, StackSums};
use crate::quant::CacheType;
use crate::scenario::Scenario;

impl Machine<'_> {
    /// `passes` passes of a stack's matrices over `tokens` tokens each; a share of the stack's layers is a fraction of a pass.
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

    /// Attention of a span in the machine's share of the layers.
    fn attend(
        &self,
        terms: &mut Terms,
        phase: Phase,
        groups: &[AttentionGroup],
        span: Span,
        cache: (CacheType, CacheType),
    ) {
        let (mut flops, mut bytes) = (0.0, 0.0);
        let cell = |attention: &Attention| {
            cache.0.bytes_per_element() * attention.key_length as f64
                + cache.1.bytes_per_element() * attention.value_length as f64
        };
        for group in groups {
            let attention = &group.attention;
            let visible = span.visible(attention.window, attention.bidirectional);
            let lengths = (attention.key_length + attention.value_length) as f64;
            flops += 2.0 * group.layers * attention.heads as f64 * lengths * visible * span.tokens;
            bytes += group.layers * attention.kv_heads as f64 * cell(attention) * visible * span.reads;
        }
        self.compute(
            terms,
            TermKind::Attend,
            FactorId::Attention(phase),
            self.attention_arithmetic(phase),
            flops * self.part.layers,
        );
        self.stream(terms, TermKind::Cache, bytes * self.part.layers);
    }

    /// The recurrences of `tokens` tokens, whose states are read and written `updates` times, in the machine's share of the layers.
    fn recur(&self, terms: &mut Terms, phase: Phase, sums: &ModelSums, updates: f64, tokens: f64) {
        let layers = self.part.layers;
        self.stream(terms, TermKind::Cache, sums.recurrent_bytes * updates * layers);
        let flops = sums.recurrent_flops * tokens * layers;
        let arithmetic = self.attention_arithmetic(phase);
        self.compute(terms, TermKind::Attend, FactorId::Attention(phase), arithmetic, flops);
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
    let mut terms = Terms::new(Overlap::None);
    if work.prompt == 0 {
        return terms;
    }
    let phase = Phase::Prefill;
    let layers = machine.part.layers;
    let (prompt, sequences) = (work.prompt as f64, work.sequences as f64);
    let tokens = prompt * sequences;
    let ubatch = work.ubatch.min(work.batch);
    let cache = (work.key_type, work.value_type);
    let encodes = !sums.encoder.formats.is_empty();
    let (stack, attention, activation_bytes, operations, passes) = if encodes {
        // Every position sees every other, so that llama.cpp never spreads a prompt over two passes.
        let together = (ubatch / work.prompt).clamp(1, work.sequences);
        (
            &sums.encoder,
            &sums.encoder_attention,
            sums.encoder_activation_bytes,
            sums.encoder_operations,
            work.sequences.div_ceil(together) as f64,
        )
    } else {
        (
            &sums.decoder,
            &sums.attention,
            sums.decoder_activation_bytes,
            sums.decoder_operations,
            (tokens / ubatch as f64).ceil(),
        )
    };
    machine.stack(&mut terms, phase, sums, stack, tokens / passes, passes * layers);
    let span = Span {
        first: work.depth as f64,
        length: prompt,
        tokens,
        reads: if encodes { sequences } else { passes },
    };
    machine.attend(&mut terms, phase, attention, span, cache);
    machine.stream(&mut terms, TermKind::Activations, activation_bytes * tokens * layers);
    if !encodes {
        machine.recur(&mut terms, phase, sums, sequences * passes, tokens);
    }
    let operation = FactorId::Operation(phase);
    machine.fixed(
        &mut terms,
        TermKind::Operations,
        operation,
        operations * passes * layers,
    );
    if machine.part.head {
        if !encodes {
            // Logits are wanted for the last position only.
            machine.stack(&mut terms, Phase::Decode, sums, &sums.head, sequences, 1.0);
        }
        machine.fixed(&mut terms, TermKind::Pass, FactorId::Pass(phase), 1.0);
    }
    terms
}

/// The terms of one decoding step, the mean over the generation; empty if nothing is generated.
#[must_use]
pub fn decode_step(scenario: &Scenario<'_>, machine: &Machine<'_>) -> Terms {
    let (sums, work) = (scenario.sums, &scenario.workload);
    let mut terms = Terms::new(Overlap::Partial);
    if work.generate == 0 || sums.decoder.formats.is_empty() {
        return terms;
    }
    let layers = machine.part.layers;
    let (prompt, sequences) = (work.prompt as f64, work.sequences as f64);
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
    machine.stack(&mut terms, phase, sums, &sums.decoder, sequences, layers);
    if machine.part.head {
        machine.stack(&mut terms, phase, sums, &sums.head, sequences, 1.0);
    }
    let span = Span {
        first,
        length: work.generate as f64,
        tokens: sequences,
        reads: sequences,
    };
    machine.attend(&mut terms, Phase::Decode, &sums.attention, span, cache);
    if work.prompt > 0 && !sums.cross.formats.is_empty() {
        // llama.cpp keeps no cache of the encoder's output: every step makes its keys and values anew.
        let encoded = prompt * sequences;
        machine.stack(&mut terms, Phase::Prefill, sums, &sums.cross, encoded, layers);
        let bytes = sums.cross_activation_bytes * encoded * layers;
        machine.stream(&mut terms, TermKind::Activations, bytes);
        let crossed = Span {
            first: prompt - 1.0,
            length: 1.0,
            ..span
        };
        let single = (CacheType::F32, CacheType::F32);
        machine.attend(&mut terms, Phase::Decode, &sums.cross_attention, crossed, single);
    }
    let activation_bytes = sums.decoder_activation_bytes * sequences * layers;
    machine.stream(&mut terms, TermKind::Activations, activation_bytes);
    machine.recur(&mut terms, Phase::Decode, sums, sequences, sequences);
    let operation = FactorId::Operation(Phase::Decode);
    machine.fixed(
        &mut terms,
        TermKind::Operations,
        operation,
        sums.decoder_operations * layers,
    );
    if machine.part.head {
        machine.fixed(&mut terms, TermKind::Pass, FactorId::Pass(Phase::Decode), 1.0);
    }
    terms
}
