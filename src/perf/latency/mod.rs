//! Latency: a pass over the model is a sum of terms, each an amount of work over a rate, each rate a peak of the data sheet
//! times a factor of the calibration.
//!
//! For a pass over `n` tokens at a context of `c` positions, with the device's bandwidth `B` and its peaks `P`:
//!
//! ```text
//! bandwidth = B · U_memory · g(threads) · U_interconnect^log2(domains)
//! stream = weights + activations = (weight bytes + activation bytes) / bandwidth
//! multiply = Σ_format  2 · n · weights(format) / (P(format) · U_compute(phase, format))
//! cache = KV bytes / bandwidth
//! attend = n · attention FLOPs(c) / (P · U_attention(phase))
//! fixed = operations · t_operation(phase) + t_pass(phase)
//!
//! t = stream + multiply + cache + attend + fixed                      for a prompt on a GPU
//!     √(weights² + multiply²) + activations + cache + attend + fixed  for a prompt on a CPU
//!     √(stream² + multiply²) + √(cache² + attend²) + fixed            for a decoded token
//! ```
//!
//! While a token is decoded each weight is used once, and a part of the arithmetic hides behind the stream that brings it. Attention is
//! another kernel at another moment: it hides behind its own stream, the cache's, and behind no weights. The root of the sum of
//! squares is what predicts devices and models best that the fit had not seen (`reports/accuracy/`).
//!
//! What an operation costs is cycles, stated as seconds at a clock of 2 GHz. In a power mode both costs are longer as its clock is slower.
//!
//! `P` is the peak of the arithmetic that multiplies; for a token that a GPU decodes, what its cores could do per cycle ([`Unit::Cores`]).
//!
//! `g(threads)` is the share of the saturated bandwidth that so many cores draw. Where memory lies in two domains (two sockets, or two
//! dies in a package), `U_interconnect` of the bandwidth is left: half of the reads cross from one to the other. A mixture of experts streams the experts that
//! `n` tokens are expected to touch, `1 - (1 - used/experts)^n` of them.
//!
//! Where an engine's CPU threads [split the cache](crate::calibration::CalibrationFile::splits_cache) of the one sequence that decodes, attention takes as
//! long as if the last block of the cache were full ([`mean_in_blocks`]): they share out its cells whether these are filled or not.

mod machine;
mod matrices;
mod summary;
mod term;
#[cfg(test)]
mod tests;

pub(crate) use machine::Rates;
pub use machine::{Machine, Unit};
pub use matrices::{Derivatives, Errors, Prepared};
pub use summary::Summary;
pub use term::{Kernels, Overlap, Term, TermKind, Terms, Totals};

use crate::calibration::Phase;
use crate::perf::sums::{AttentionGroup, ModelSums};
use crate::quant::CacheType;
use crate::scenario::{Scenario, Workload};
use matrices::Stack;
use summary::Tally;

/// What takes the terms of a phase.
trait Gather {
    /// Adds the terms of multiplying a stack's matrices by so many tokens.
    fn multiply(&mut self, machine: &Machine<'_>, stack: Stack, tokens: f64);

    /// Adds another term.
    fn add(&mut self, term: &Term);
}

/// The terms of a phase, handed on one by one. Some of them are of the same kind and factor.
///
/// All of it is to be compiled into its caller: sums that stay in registers take half the time of sums in memory.
struct Pass<'a, G> {
    machine: &'a Machine<'a>,
    sums: &'a ModelSums,
    gather: &'a mut G,
}

impl<G: Gather> Pass<'_, G> {
    #[inline(always)]
    fn add(&mut self, term: Term) {
        if term.amount > 0.0 {
            self.gather.add(&term);
        }
    }

    /// `passes` passes of a stack's matrices over `tokens` tokens each; a share of the stack's layers is a fraction of a pass.
    #[inline(always)]
    fn stack(&mut self, phase: Phase, stack: Stack, tokens: f64, passes: f64) {
        let used = self.sums.expert_share;
        let touched = if used < 1.0 {
            1.0 - (1.0 - used).powf(tokens)
        } else {
            1.0
        };
        let bytes = stack.sums(phase, self.sums).bytes(touched);
        self.gather.multiply(self.machine, stack, tokens * passes);
        self.add(self.machine.stream(TermKind::Weights, bytes * passes));
    }

    /// Attention of a span in the machine's share of the layers.
    #[inline(always)]
    fn attend(&mut self, phase: Phase, groups: &[AttentionGroup], span: Span, cache: (CacheType, CacheType)) {
        // What is attended to, and what takes as long.
        let (mut flops, mut spent, mut bytes) = (0.0, 0.0, 0.0);
        let (key_bytes, value_bytes) = (cache.0.bytes_per_element(), cache.1.bytes_per_element());
        for group in groups {
            let visible = span.visible(group.attention.window, group.attention.bidirectional);
            let of_group = group.flops * visible * span.tokens;
            flops += of_group;
            if let Some(beyond) = span.beyond_window {
                let cells = group.attention.window.map(|window| window + beyond);
                spent += of_group * mean_in_blocks(cells, span.first, span.length) / visible;
            }
            bytes += (key_bytes * group.key_elements + value_bytes * group.value_elements) * visible * span.reads;
        }
        let layers = self.machine.part.layers;
        let term = self.machine.attend(phase, flops * layers);
        self.add(if spent > flops {
            Term {
                rate: term.rate * flops / spent,
                seconds: term.seconds * spent / flops,
                ..term
            }
        } else {
            term
        });
        self.add(self.machine.stream(TermKind::Cache, bytes * layers));
    }

    /// The recurrences of `tokens` tokens, whose states are read and written `updates` times, in the machine's share of the layers.
    #[inline(always)]
    fn recur(&mut self, phase: Phase, updates: f64, tokens: f64) {
        let layers = self.machine.part.layers;
        let (bytes, flops) = (self.sums.recurrent_bytes, self.sums.recurrent_flops);
        if bytes == 0.0 {
            return;
        }
        self.add(self.machine.stream(TermKind::Cache, bytes * updates * layers));
        self.add(self.machine.attend(phase, flops * tokens * layers));
    }

    /// Bytes of activations that every layer moves for `tokens` tokens.
    #[inline(always)]
    fn activate(&mut self, bytes: f64, tokens: f64) {
        let bytes = bytes * tokens * self.machine.part.layers;
        self.add(self.machine.stream(TermKind::Activations, bytes));
    }

    /// The fixed costs of so many operations.
    #[inline(always)]
    fn operate(&mut self, phase: Phase, operations: f64) {
        let operations = operations * self.machine.part.layers;
        self.add(self.machine.operations(phase, operations));
    }

    /// The fixed cost of a phase.
    #[inline(always)]
    fn begin(&mut self, phase: Phase) {
        self.add(self.machine.pass(phase));
    }

    /// The whole prompt; nothing if there is none.
    #[inline(always)]
    fn prefill(&mut self, work: &Workload) {
        if work.prompt == 0 {
            return;
        }
        let phase = Phase::Prefill;
        let (sums, part) = (self.sums, self.machine.part);
        let (prompt, sequences) = (work.prompt as f64, work.sequences as f64);
        let tokens = prompt * sequences;
        let ubatch = work.ubatch.min(work.batch);
        let cache = (work.key_type, work.value_type);
        let encodes = sums.encodes();
        let (attention, activation_bytes, operations, passes) = if encodes {
            // Every position sees every other, so that llama.cpp never spreads a prompt over two passes.
            let together = (ubatch / work.prompt).clamp(1, work.sequences);
            (
                &sums.encoder_attention,
                sums.encoder_activation_bytes,
                sums.encoder_operations,
                work.sequences.div_ceil(together) as f64,
            )
        } else {
            (
                &sums.attention,
                sums.decoder_activation_bytes,
                sums.decoder_operations,
                work.prompt.saturating_mul(work.sequences).div_ceil(ubatch) as f64,
            )
        };
        self.stack(phase, Stack::Layers, tokens / passes, passes * part.layers);
        let span = Span {
            first: work.depth as f64,
            length: prompt,
            tokens,
            reads: if encodes { sequences } else { passes },
            beyond_window: None,
        };
        self.attend(phase, attention, span, cache);
        self.activate(activation_bytes, tokens);
        if !encodes {
            self.recur(phase, sequences * passes, tokens);
        }
        self.operate(phase, operations * passes);
        if part.head {
            if !encodes {
                self.stack(phase, Stack::Head, sequences, 1.0);
            }
            self.begin(phase);
        }
    }

    /// One decoding step, the mean over the generation; nothing if nothing is generated.
    #[inline(always)]
    fn decode_step(&mut self, work: &Workload) {
        let (sums, part) = (self.sums, self.machine.part);
        if work.generate == 0 || sums.decoder.formats.is_empty() {
            return;
        }
        let phase = Phase::Decode;
        let sequences = work.sequences as f64;
        self.stack(phase, Stack::Layers, sequences, part.layers);
        if part.head {
            self.stack(phase, Stack::Head, sequences, 1.0);
        }
        // An encoder-decoder's prompt lies in the encoder; the decoder begins with an empty cache.
        let first = if sums.encodes() {
            work.depth
        } else {
            work.depth + work.prompt
        };
        let span = Span {
            first: first as f64,
            length: work.generate as f64,
            tokens: sequences,
            reads: sequences,
            beyond_window: (self.machine.splits_cache && work.can_split_cache()).then_some(work.ubatch),
        };
        self.attend(phase, &sums.attention, span, (work.key_type, work.value_type));
        if work.prompt > 0 && !sums.cross.formats.is_empty() {
            // llama.cpp keeps no cache of the encoder's output: every step makes its keys and values anew.
            let encoded = work.prompt as f64 * sequences;
            self.stack(phase, Stack::Cross, encoded, part.layers);
            self.activate(sums.cross_activation_bytes, encoded);
            let crossed = Span {
                first: work.prompt as f64 - 1.0,
                length: 1.0,
                beyond_window: None,
                ..span
            };
            let single = (CacheType::F32, CacheType::F32);
            self.attend(phase, &sums.cross_attention, crossed, single);
        }
        self.activate(sums.decoder_activation_bytes, sequences);
        self.recur(phase, sequences, sequences);
        self.operate(phase, sums.decoder_operations);
        if part.head {
            self.begin(phase);
        }
    }
}

/// Hands the terms of a phase to `gather`.
#[inline(always)]
fn each(phase: Phase, scenario: &Scenario<'_>, machine: &Machine<'_>, gather: &mut impl Gather) {
    let mut pass = Pass {
        machine,
        sums: scenario.sums,
        gather,
    };
    match phase {
        Phase::Prefill => pass.prefill(&scenario.workload),
        Phase::Decode => pass.decode_step(&scenario.workload),
    }
}

/// Takes the terms as they are.
struct List<'a> {
    phase: Phase,
    scenario: &'a Scenario<'a>,
    terms: Terms,
}

impl Gather for List<'_> {
    fn multiply(&mut self, machine: &Machine<'_>, stack: Stack, tokens: f64) {
        let sums = self.scenario.sums;
        let multiplied = stack.multiplied(self.phase, self.scenario.workload.sequences);
        for format in &stack.sums(self.phase, sums).formats {
            let of_one = machine.multiply(multiplied, format, sums.expert_share);
            let (amount, seconds) = (of_one.amount * tokens, of_one.seconds * tokens);
            if amount > 0.0 {
                self.add(&Term {
                    amount,
                    seconds,
                    ..of_one
                });
            }
        }
    }

    fn add(&mut self, term: &Term) {
        self.terms.add(term);
    }
}

/// The terms of the whole prompt, or of one decoding step (the mean over the generation); empty if there is none.
#[must_use]
pub fn terms(phase: Phase, scenario: &Scenario<'_>, machine: &Machine<'_>) -> Terms {
    let mut list = List {
        phase,
        scenario,
        terms: Terms::new(Overlap::of(phase, machine)),
    };
    each(phase, scenario, machine, &mut list);
    list.terms
}

/// What is to be known of a phase of `scenario` on a machine before the lengths of its work are.
#[must_use]
#[inline(always)]
pub fn prepare(phase: Phase, scenario: &Scenario<'_>, machine: &Machine<'_>) -> Prepared {
    Prepared::new(phase, scenario.sums, scenario.workload.sequences, machine)
}

/// How the errors of the factors move together in a phase of `scenario` on a machine, whatever the lengths of its work.
#[must_use]
pub fn errors(phase: Phase, scenario: &Scenario<'_>, machine: &Machine<'_>) -> Errors {
    Errors::new(phase, scenario.sums, scenario.workload.sequences, machine)
}

/// What the [`terms`] come to, `prepared` for the machine and as many sequences (but one and many).
#[must_use]
#[inline(always)]
pub fn summary(phase: Phase, scenario: &Scenario<'_>, machine: &Machine<'_>, prepared: &Prepared) -> Summary {
    let mut tally = Tally::new(Overlap::of(phase, machine), prepared);
    each(phase, scenario, machine, &mut tally);
    tally.summary()
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
    /// Where threads share out the cache by blocks, the cells that a layer with a window has room for beyond it: a ubatch.
    beyond_window: Option<u64>,
}

impl Span {
    /// Mean number of positions that a token of the span sees, itself included: the mean of `min(window, first + i)` for
    /// `i = 1 ..= length`, or all of them where attention is bidirectional.
    #[inline]
    fn visible(&self, window: Option<u64>, bidirectional: bool) -> f64 {
        match window.map(|window| window as f64) {
            None if bidirectional => self.length,
            None => self.first + (self.length + 1.0) / 2.0,
            Some(window) if bidirectional => self.length.min(window),
            Some(window) => mean_visible(window, self.first, self.length),
        }
    }
}

/// Cells of the KV cache that llama.cpp adds to what a pass looks at at a time.
const BLOCK: f64 = 256.0;

/// `Σ c(k)` over `k = 1 ..= positions`, with `c(k) = k` in the first block, which is shared out by heads, and from then on `k` rounded up
/// to whole blocks.
fn sum_in_blocks(positions: f64) -> f64 {
    let full = (positions / BLOCK).floor();
    if full < 1.0 {
        return positions * (positions + 1.0) / 2.0;
    }
    let first = BLOCK * (BLOCK + 1.0) / 2.0;
    let further = BLOCK * BLOCK * (full * (full + 1.0) / 2.0 - 1.0);
    first + further + (positions - full * BLOCK) * BLOCK * (full + 1.0)
}

/// Mean number of cells that a token costs whose cache is shared out by blocks, over the contexts `first + i` for `i = 1 ..= length`, in a
/// layer whose cache has `cells` at most; all of them whole numbers.
///
/// `t` threads take `1/t` of the cells each, rounded up to whole blocks, and one of them has only cells that count: it works as long as
/// if all did. (Of a layer with a window, whose cache is a ring, that is so with three threads or more.)
#[must_use]
#[inline]
pub fn mean_in_blocks(cells: Option<u64>, first: f64, length: f64) -> f64 {
    let last = first + length;
    let cells = cells.map_or(f64::INFINITY, |cells| cells as f64);
    let growing = sum_in_blocks(last.min(cells)) - sum_in_blocks(first.min(cells));
    let beyond = (last - cells).max(0.0) - (first - cells).max(0.0);
    let sum = if beyond > 0.0 {
        growing + beyond * cells
    } else {
        growing
    };
    sum / length
}

/// The mean of `min(window, first + i)` over `i = 1 ..= length`, all of them whole numbers.
#[must_use]
#[inline]
pub fn mean_visible(window: f64, first: f64, length: f64) -> f64 {
    if length <= 0.0 {
        return 0.0;
    }
    // Positions before the window is full, then the window itself.
    let growing = (window - first).clamp(0.0, length);
    let sum = growing * first
        + growing * (growing + 1.0) / 2.0
        + if growing < length {
            (length - growing) * window
        } else {
            0.0
        };
    sum / length
}
