//! The terms of a phase and their sums.

use super::Gather;
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

/// The most terms that a phase can have: three of memory, two of overhead, attention, and one per block type (head and layers apart
/// in prefill), of which the richest mixes have eight.
const MOST_TERMS: usize = 16;

/// How the seconds of streaming and of arithmetic make the time of a pass.
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

    /// The time that a stream of `memory_s` and arithmetic of `compute_s` take together.
    #[must_use]
    #[inline]
    pub fn together(self, memory_s: f64, compute_s: f64) -> f64 {
        match self {
            Self::None => memory_s + compute_s,
            Self::Partial => (memory_s * memory_s + compute_s * compute_s).sqrt(),
        }
    }

    /// What a second of arithmetic and one of streaming add to the whole: `∂ together / ∂ compute` and `∂ together / ∂ memory`.
    #[inline]
    pub(super) fn visible(self, totals: &Totals) -> (f64, f64) {
        let Totals {
            compute_s, memory_s, ..
        } = *totals;
        let together = self.together(memory_s, compute_s);
        match self {
            Self::Partial if together > 0.0 => (compute_s / together, memory_s / together),
            _ => (1.0, 1.0),
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
        let (compute, memory) = self.overlap.visible(&self.totals());
        self.as_slice().iter().map(move |term| {
            let visible = match term.kind {
                TermKind::Multiply | TermKind::Attend => compute,
                TermKind::Weights | TermKind::Cache | TermKind::Activations => memory,
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

impl Gather for Terms {
    /// Adds to the term of the same kind and factor, or begins it.
    fn add(&mut self, new: &Term) {
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
    /// Seconds of multiplying and attending.
    pub compute_s: f64,
    /// Bytes of weights, cache and activations.
    pub bytes: f64,
    /// Seconds of reading and writing.
    pub memory_s: f64,
    /// Seconds of fixed costs.
    pub overhead_s: f64,
    /// Seconds in which streaming and arithmetic run at once.
    pub hidden_s: f64,
}

impl Totals {
    #[inline(always)]
    pub(super) fn add(&mut self, term: &Term) {
        match term.kind {
            TermKind::Multiply | TermKind::Attend => {
                self.flops += term.amount;
                self.compute_s += term.seconds;
            }
            TermKind::Weights | TermKind::Cache | TermKind::Activations => {
                self.bytes += term.amount;
                self.memory_s += term.seconds;
            }
            TermKind::Operations | TermKind::Pass => self.overhead_s += term.seconds,
        }
    }

    /// With the seconds that hide.
    #[inline]
    pub(super) fn overlapping(self, overlap: Overlap) -> Self {
        let Self {
            compute_s, memory_s, ..
        } = self;
        Self {
            hidden_s: compute_s + memory_s - overlap.together(memory_s, compute_s),
            ..self
        }
    }

    /// `compute + memory + overhead - hidden`.
    #[must_use]
    #[inline]
    pub fn seconds(&self) -> f64 {
        self.compute_s + self.memory_s + self.overhead_s - self.hidden_s
    }
}

impl std::ops::Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            flops: self.flops + other.flops,
            bytes: self.bytes + other.bytes,
            compute_s: self.compute_s + other.compute_s,
            memory_s: self.memory_s + other.memory_s,
            overhead_s: self.overhead_s + other.overhead_s,
            hidden_s: self.hidden_s + other.hidden_s,
        }
    }
}
