//! The terms of a phase and their sums.

use super::Machine;
use crate::calibration::{FactorId, Phase};
use arrayvec::ArrayVec;

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

/// One term: `seconds = amount / (rate · U)` for a utilization `U`, `amount · factor / rate` for a fixed cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// What it stands for.
    pub kind: TermKind,
    /// The factor it was scaled by.
    pub factor: FactorId,
    /// Bytes, FLOPs or a count.
    pub amount: f64,
    /// The nominal rate, per second; of a fixed cost the clock over that at which the cost is stated.
    pub rate: f64,
    /// Its seconds.
    pub seconds: f64,
}

/// The most terms that a phase can have: three of memory, two of overhead, attention, and one per block type (head and layers apart
/// in prefill), of which the richest mixes have eight.
const MOST_TERMS: usize = 16;

/// How the streams and the arithmetic of a phase make its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// A prompt on a GPU: their sum.
    None,
    /// A prompt on a CPU: the root of the sum of squares of multiplying and of reading weights, and the sum of all else. Caches of a
    /// core fetch the next weights while it multiplies many tokens by these; activations are read and written by other kernels.
    Weights,
    /// A decoded token: the root of the sum of squares of arithmetic and its stream, of matrices and of attention.
    Both,
}

impl Overlap {
    /// Of a phase on a machine.
    #[must_use]
    #[inline]
    pub fn of(phase: Phase, machine: &Machine<'_>) -> Self {
        match phase {
            Phase::Prefill if machine.on_cpu() => Self::Weights,
            Phase::Prefill => Self::None,
            Phase::Decode => Self::Both,
        }
    }
}

/// The seconds of kernels of one kind, each of which computes with what it streams. Kernels of two kinds follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Kernels {
    /// Seconds of arithmetic.
    pub arithmetic_s: f64,
    /// Seconds of reading and writing.
    pub stream_s: f64,
}

impl Kernels {
    /// The time of one after the other: their sum.
    #[must_use]
    #[inline]
    pub fn in_turn(&self) -> f64 {
        self.arithmetic_s + self.stream_s
    }

    /// The time of both at once, in part: the root of the sum of their squares.
    #[must_use]
    #[inline]
    pub fn at_once(&self) -> f64 {
        (self.arithmetic_s * self.arithmetic_s + self.stream_s * self.stream_s).sqrt()
    }

    /// What each adds to the time of both at once, `seconds · ∂ time / ∂ seconds`: arithmetic and stream, which sum to it.
    #[inline]
    fn visible(&self) -> Self {
        let time = self.at_once();
        if time == 0.0 {
            return *self;
        }
        Self {
            arithmetic_s: self.arithmetic_s * (self.arithmetic_s / time),
            stream_s: self.stream_s * (self.stream_s / time),
        }
    }
}

impl std::ops::Add for Kernels {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            arithmetic_s: self.arithmetic_s + other.arithmetic_s,
            stream_s: self.stream_s + other.stream_s,
        }
    }
}

/// The terms of a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    items: ArrayVec<Term, MOST_TERMS>,
    overlap: Overlap,
}

impl Terms {
    pub(super) fn new(overlap: Overlap) -> Self {
        Self {
            items: ArrayVec::new(),
            overlap,
        }
    }

    /// How streaming and arithmetic make the time.
    #[must_use]
    pub const fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// The terms.
    #[must_use]
    pub fn as_slice(&self) -> &[Term] {
        &self.items
    }

    /// There is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Seconds of all terms together.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.totals().seconds()
    }

    /// The seconds that each term adds to the whole, `term · ∂ seconds / ∂ term`, in the order of the terms. They sum to
    /// [`Terms::seconds`]: a term that hides behind a longer one adds less than it takes by itself.
    pub fn contributions(&self) -> impl Iterator<Item = (&Term, f64)> {
        let totals = self.totals();
        let visible = totals.visible(self.overlap);
        let share = |all: f64, visible: f64| if all > 0.0 { visible / all } else { 1.0 };
        let multiply = share(totals.matrices.arithmetic_s, visible.matrices.arithmetic_s);
        let weights = share(totals.matrices.stream_s, visible.matrices.stream_s);
        let activations = share(totals.activations_s, visible.activations_s);
        let attend = share(totals.attention.arithmetic_s, visible.attention.arithmetic_s);
        let cache = share(totals.attention.stream_s, visible.attention.stream_s);
        self.as_slice().iter().map(move |term| {
            let visible = match term.kind {
                TermKind::Multiply => multiply,
                TermKind::Weights => weights,
                TermKind::Activations => activations,
                TermKind::Attend => attend,
                TermKind::Cache => cache,
                TermKind::Operations | TermKind::Pass => 1.0,
            };
            (term, term.seconds * visible)
        })
    }

    /// The sums over the terms that the figures of a phase are made of.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for term in self.as_slice() {
            totals.add(term);
        }
        totals.overlapping(self.overlap)
    }
}

impl Terms {
    /// Adds to the term of the same kind and factor, or begins it.
    pub(super) fn add(&mut self, new: &Term) {
        let same = self
            .items
            .iter()
            .position(|term| term.kind == new.kind && term.factor == new.factor);
        // Of a file with more block types than there is room for, the last term takes the rest, so that no time is lost.
        let full = self.items.is_full().then_some(MOST_TERMS - 1);
        match same.or(full) {
            Some(at) => {
                self.items[at].amount += new.amount;
                self.items[at].seconds += new.seconds;
            }
            None => self.items.push(*new),
        }
    }
}

/// The work of a phase and the time it takes, by what bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Operations of multiplying and attending.
    pub flops: f64,
    /// Bytes of weights, cache and activations.
    pub bytes: f64,
    /// Weights streamed and multiplied.
    pub matrices: Kernels,
    /// Attention and recurrences, which stream the cache.
    pub attention: Kernels,
    /// Seconds of reading and writing activations.
    pub activations_s: f64,
    /// Seconds of fixed costs.
    pub overhead_s: f64,
    /// Seconds in which a stream and its arithmetic run at once.
    pub hidden_s: f64,
}

impl Totals {
    #[inline(always)]
    pub(super) fn add(&mut self, term: &Term) {
        match term.kind {
            TermKind::Multiply => {
                self.flops += term.amount;
                self.matrices.arithmetic_s += term.seconds;
            }
            TermKind::Attend => {
                self.flops += term.amount;
                self.attention.arithmetic_s += term.seconds;
            }
            TermKind::Weights => {
                self.bytes += term.amount;
                self.matrices.stream_s += term.seconds;
            }
            TermKind::Activations => {
                self.bytes += term.amount;
                self.activations_s += term.seconds;
            }
            TermKind::Cache => {
                self.bytes += term.amount;
                self.attention.stream_s += term.seconds;
            }
            TermKind::Operations | TermKind::Pass => self.overhead_s += term.seconds,
        }
    }

    /// With the seconds that hide.
    #[inline]
    pub(super) fn overlapping(self, overlap: Overlap) -> Self {
        let apart = self.compute_s() + self.memory_s();
        let together = match overlap {
            Overlap::None => apart,
            Overlap::Weights => self.matrices.at_once() + self.attention.in_turn() + self.activations_s,
            Overlap::Both => self.with_activations().at_once() + self.attention.at_once(),
        };
        Self {
            hidden_s: apart - together,
            ..self
        }
    }

    /// While one token is decoded, its activations flow with the weights.
    #[inline]
    fn with_activations(&self) -> Kernels {
        Kernels {
            stream_s: self.matrices.stream_s + self.activations_s,
            ..self.matrices
        }
    }

    /// What each sum adds to the time; what hides behind another adds less than it takes by itself.
    #[inline]
    pub(super) fn visible(&self, overlap: Overlap) -> Self {
        match overlap {
            Overlap::None => *self,
            Overlap::Weights => Self {
                matrices: self.matrices.visible(),
                ..*self
            },
            Overlap::Both => {
                let all = self.with_activations();
                let visible = all.visible();
                let share = if all.stream_s > 0.0 {
                    visible.stream_s / all.stream_s
                } else {
                    1.0
                };
                Self {
                    matrices: Kernels {
                        stream_s: self.matrices.stream_s * share,
                        ..visible
                    },
                    attention: self.attention.visible(),
                    activations_s: self.activations_s * share,
                    ..*self
                }
            }
        }
    }

    /// Seconds of multiplying and attending.
    #[must_use]
    #[inline]
    pub fn compute_s(&self) -> f64 {
        self.matrices.arithmetic_s + self.attention.arithmetic_s
    }

    /// Seconds of reading and writing.
    #[must_use]
    #[inline]
    pub fn memory_s(&self) -> f64 {
        self.matrices.stream_s + self.attention.stream_s + self.activations_s
    }

    /// `compute + memory + overhead - hidden`.
    #[must_use]
    #[inline]
    pub fn seconds(&self) -> f64 {
        self.compute_s() + self.memory_s() + self.overhead_s - self.hidden_s
    }
}

impl std::ops::Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            flops: self.flops + other.flops,
            bytes: self.bytes + other.bytes,
            matrices: self.matrices + other.matrices,
            attention: self.attention + other.attention,
            activations_s: self.activations_s + other.activations_s,
            overhead_s: self.overhead_s + other.overhead_s,
            hidden_s: self.hidden_s + other.hidden_s,
        }
    }
}
