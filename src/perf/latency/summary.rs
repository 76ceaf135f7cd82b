//! What the terms of a phase come to: all that a prediction needs of them.

use super::Machine;
use super::term::{Overlap, Term, TermKind, Totals};
use crate::calibration::FactorId;
use arrayvec::ArrayVec;

/// What the terms of a phase come to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    /// Their sums.
    pub totals: Totals,
    /// Variance of the seconds that the errors of the factors make: `Σ_ij s_i · s_j · cov(i, j)`, with `s_i` the derivative of the
    /// seconds by the logarithm of factor `i`.
    pub variance: f64,
    /// The highest peak that weights are multiplied at, FLOP/s; 0 where none are.
    pub peak: f64,
}

/// The most matrices of a block type, and attentions, that are told apart.
const MOST_ARITHMETIC: usize = 24;
/// An operation's cost and a pass's.
const MOST_FIXED: usize = 2;
/// The same, and streaming.
const MOST_DERIVATIVES: usize = MOST_ARITHMETIC + MOST_FIXED + 1;

/// The terms of a phase while they are added up.
#[derive(Debug, Default)]
pub(super) struct Tally {
    totals: Totals,
    peak: f64,
    /// Factors (by their index) and the seconds that hang on each. A factor may stand there twice.
    arithmetic: ArrayVec<(usize, f64), MOST_ARITHMETIC>,
    fixed: ArrayVec<(usize, f64), MOST_FIXED>,
}

impl Tally {
    #[inline(always)]
    pub(super) fn add(&mut self, term: &Term) {
        self.totals.add(term);
        let share = (term.factor.index(), term.seconds);
        match term.kind {
            // Streaming has one factor: its total will do.
            TermKind::Weights | TermKind::Cache | TermKind::Activations => {}
            TermKind::Operations | TermKind::Pass => {
                // A phase has one cost of each kind.
                let _ = self.fixed.try_push(share);
            }
            TermKind::Multiply | TermKind::Attend => {
                if term.kind == TermKind::Multiply {
                    self.peak = if term.rate > self.peak { term.rate } else { self.peak };
                }
                // Of a file with more block types than there is room for, the last factor speaks for the rest.
                if self.arithmetic.try_push(share).is_err()
                    && let Some((_, seconds)) = self.arithmetic.last_mut()
                {
                    *seconds += term.seconds;
                }
            }
        }
    }

    #[inline]
    pub(super) fn summary(self, overlap: Overlap, machine: &Machine<'_>) -> Summary {
        let totals = self.totals.overlapping(overlap);
        let (arithmetic, streaming) = overlap.visible(&totals);
        let streamed = totals.memory_s * streaming;

        // Seconds are inverse to a utilization and proportional to a cost.
        let mut derivatives: ArrayVec<(usize, f64), MOST_DERIVATIVES> = ArrayVec::new();
        derivatives.push((FactorId::Memory.index(), -streamed));
        for &(factor, seconds) in &self.arithmetic {
            derivatives.push((factor, -seconds * arithmetic));
        }
        derivatives.extend(self.fixed);
        let mut variance = 0.0;
        for (at, &(factor, derivative)) in derivatives.iter().enumerate() {
            let covariances = machine.calibration.covariances(factor);
            let mut others = 0.0;
            for &(other, by) in &derivatives[..at] {
                others += by * covariances[other];
            }
            variance += derivative * (derivative * covariances[factor] + 2.0 * others);
        }
        // What a core draws goes into the time by way of the bandwidth.
        let core_share = streamed * machine.core_share_sensitivity;
        let of_core_share = machine.calibration.covariance(FactorId::CoreShare, FactorId::CoreShare);
        Summary {
            totals,
            variance: variance + core_share * core_share * of_core_share,
            peak: self.peak,
        }
    }
}
