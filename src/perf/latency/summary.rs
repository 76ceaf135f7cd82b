//! What the terms of a phase come to: all that a prediction needs of them.

use super::term::{Overlap, Term, TermKind, Totals};
use super::{Gather, Machine};
use crate::calibration::{FactorId, Phase};
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

/// A factor, by its index, and the seconds that hang on it.
#[derive(Debug, Clone, Copy)]
struct Share {
    factor: usize,
    seconds: f64,
}

impl Share {
    #[inline(always)]
    const fn of(factor: FactorId, seconds: f64) -> Self {
        Self {
            factor: factor.index(),
            seconds,
        }
    }
}

/// The most factors that terms of a phase can have.
const MOST_TERM_SHARES: usize = 24;
/// The same, and the factors of the bandwidth.
const MOST_SHARES: usize = MOST_TERM_SHARES + 2;

/// The terms of a phase while they are added up.
#[derive(Debug)]
pub(super) struct Tally {
    phase: Phase,
    totals: Totals,
    peak: f64,
    /// Of streaming, operations and pass, then of each arithmetic.
    shares: ArrayVec<Share, MOST_SHARES>,
}

const STREAM: usize = 0;
const OPERATIONS: usize = 1;
const PASS: usize = 2;
const ARITHMETIC: usize = 3;

impl Tally {
    #[inline(always)]
    pub(super) fn new(phase: Phase) -> Self {
        let mut shares = ArrayVec::new();
        shares.push(Share::of(FactorId::Memory, 0.0));
        shares.push(Share::of(FactorId::Operation(phase), 0.0));
        shares.push(Share::of(FactorId::Pass(phase), 0.0));
        Self {
            phase,
            totals: Totals::default(),
            peak: 0.0,
            shares,
        }
    }

    #[inline(always)]
    fn compute(&mut self, term: &Term) {
        let new = Share::of(term.factor, term.seconds);
        let same = self.shares[ARITHMETIC..]
            .iter_mut()
            .find(|share| share.factor == new.factor);
        match same {
            Some(share) => share.seconds += new.seconds,
            None => {
                // Of a file with more block types than there is room for, the last speaks for the rest.
                if self.shares.len() < MOST_TERM_SHARES {
                    self.shares.push(new);
                } else {
                    self.shares[MOST_TERM_SHARES - 1].seconds += new.seconds;
                }
            }
        }
    }

    #[inline(always)]
    pub(super) fn summary(&mut self, machine: &Machine<'_>) -> Summary {
        let overlap = Overlap::of(self.phase);
        let totals = self.totals.overlapping(overlap);
        let (arithmetic, streaming) = overlap.visible(&totals);
        let streamed = totals.memory_s * streaming;

        // Seconds are inverse to a utilization and proportional to a cost.
        self.shares[STREAM].seconds = -streamed;
        for share in &mut self.shares[ARITHMETIC..] {
            share.seconds *= -arithmetic;
        }
        // What a core draws, and what crosses between domains, goes into the time by way of the bandwidth.
        for (factor, sensitivity) in machine.bandwidth_sensitivities() {
            if sensitivity > 0.0 {
                // There is room for both.
                let _ = self.shares.try_push(Share::of(factor, -streamed * sensitivity));
            }
        }
        let mut variance = 0.0;
        let mut before: &[Share] = &[];
        for (at, share) in self.shares.iter().enumerate() {
            let covariances = machine.calibration.covariances(share.factor);
            let mut others = 0.0;
            for other in before {
                others += other.seconds * covariances[other.factor];
            }
            variance += share.seconds * (share.seconds * covariances[share.factor] + 2.0 * others);
            before = &self.shares[..=at];
        }
        Summary {
            totals,
            variance,
            peak: self.peak,
        }
    }
}

impl Gather for Tally {
    #[inline(always)]
    fn add(&mut self, term: &Term) {
        self.totals.add(term);
        match term.kind {
            // The sum of all of it will do.
            TermKind::Weights | TermKind::Cache | TermKind::Activations => {}
            TermKind::Operations => self.shares[OPERATIONS].seconds += term.seconds,
            TermKind::Pass => self.shares[PASS].seconds += term.seconds,
            TermKind::Attend => self.compute(term),
            TermKind::Multiply => {
                if term.rate > self.peak {
                    self.peak = term.rate;
                }
                self.compute(term);
            }
        }
    }
}
