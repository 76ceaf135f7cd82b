//! The terms of a phase and their sums.

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

/// How the stream and the arithmetic of a kernel make its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// One after the other: their sum.
    None,
    /// In part at once: the root of the sum of their squares.
    Partial,
}

impl Overlap {
    /// Of a phase.
    #[must_use]
    pub const fn of(phase: Phase) -> Self {
        match phase {
            Phase::Prefill => Self::None,
            Phase::Decode => Self::Partial,
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
    /// The time that both take together.
    #[must_use]
    #[inline]
    pub fn seconds(&self, overlap: Overlap) -> f64 {
        let Self { arithmetic_s, stream_s } = *self;
        match overlap {
            Overlap::None => arithmetic_s + stream_s,
            Overlap::Partial => (arithmetic_s * arithmetic_s + stream_s * stream_s).sqrt(),
        }
    }

    /// What each adds to the time, `seconds · ∂ together / ∂ seconds`: arithmetic and stream, which sum to [`Kernels::seconds`].
    #[inline]
    pub(super) fn visible(&self, overlap: Overlap) -> Self {
        let together = self.seconds(overlap);
        if overlap == Overlap::None || together == 0.0 {
            return *self;
        }
        Self {
            arithmetic_s: self.arithmetic_s * (self.arithmetic_s / together),
            stream_s: self.stream_s * (self.stream_s / together),
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
        let Totals {
            matrices, attention, ..
        } = self.totals();
        let share = |all: f64, visible: f64| if all > 0.0 { visible / all } else { 1.0 };
        let shares = [matrices, attention].map(|kernels| {
            let visible = kernels.visible(self.overlap);
            (
                share(kernels.arithmetic_s, visible.arithmetic_s),
                share(kernels.stream_s, visible.stream_s),
            )
        });
        let [matrices, attention] = shares;
        self.as_slice().iter().map(move |term| {
            let visible = match term.kind {
                TermKind::Multiply => matrices.0,
                TermKind::Weights | TermKind::Activations => matrices.1,
                TermKind::Attend => attention.0,
                TermKind::Cache => attention.1,
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
    /// Weights streamed and multiplied, activations read and written.
    pub matrices: Kernels,
    /// Attention and recurrences, which stream the cache.
    pub attention: Kernels,
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
            TermKind::Weights | TermKind::Activations => {
                self.bytes += term.amount;
                self.matrices.stream_s += term.seconds;
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
        let together = self.matrices.seconds(overlap) + self.attention.seconds(overlap);
        Self {
            hidden_s: apart - together,
            ..self
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
        self.matrices.stream_s + self.attention.stream_s
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
            overhead_s: self.overhead_s + other.overhead_s,
            hidden_s: self.hidden_s + other.hidden_s,
        }
    }
}
