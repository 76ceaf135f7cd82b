//! What the terms of a phase come to: all that a prediction needs of them.

use super::term::{Overlap, Term, TermKind, Totals};
use super::{Gather, Machine};
use crate::calibration::{FactorId, Phase};

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

/// The most factors that the weights of a phase can be multiplied at.
const MOST_SHARES: usize = 16;

/// The terms of a phase while they are added up.
#[derive(Debug)]
pub(super) struct Tally {
    phase: Phase,
    totals: Totals,
    peak: f64,
    operations_s: f64,
    pass_s: f64,
    /// Factors that weights are multiplied at, by index, and the seconds that hang on each.
    factors: [usize; MOST_SHARES],
    seconds: [f64; MOST_SHARES],
    count: usize,
}

impl Tally {
    #[inline(always)]
    pub(super) fn new(phase: Phase) -> Self {
        Self {
            phase,
            totals: Totals::default(),
            peak: 0.0,
            operations_s: 0.0,
            pass_s: 0.0,
            factors: [0; MOST_SHARES],
            seconds: [0.0; MOST_SHARES],
            count: 0,
        }
    }

    #[inline(always)]
    fn multiply(&mut self, term: &Term) {
        let factor = term.factor.index();
        let same = self.factors[..self.count].iter().position(|of| *of == factor);
        // Of a file with more block types than there is room for, the last speaks for the rest.
        let full = (self.count == MOST_SHARES).then_some(MOST_SHARES - 1);
        match same.or(full) {
            Some(at) => self.seconds[at] += term.seconds,
            None => {
                self.factors[self.count] = factor;
                self.seconds[self.count] = term.seconds;
                self.count += 1;
            }
        }
    }

    #[inline(always)]
    pub(super) fn summary(&self, machine: &Machine<'_>) -> Summary {
        let totals = self.totals.overlapping(Overlap::of(self.phase));
        Summary {
            totals,
            variance: self.variance(machine, &totals),
            peak: self.peak,
        }
    }

    /// Seconds are inverse to a utilization and proportional to a cost; what a core draws, and what crosses between domains, goes into
    /// them by way of the bandwidth.
    #[inline(always)]
    fn variance(&self, machine: &Machine<'_>, totals: &Totals) -> f64 {
        let overlap = Overlap::of(self.phase);
        let (matrices, attention) = (totals.matrices.visible(overlap), totals.attention.visible(overlap));
        let streamed = matrices.stream_s + attention.stream_s;
        let multiplied = totals.matrices.arithmetic_s;
        let arithmetic = if multiplied > 0.0 {
            matrices.arithmetic_s / multiplied
        } else {
            1.0
        };
        let [(core_share, of_cores), (interconnect, of_domains)] = machine.bandwidth_sensitivities();
        // Those that every phase has, spelt out: what their number is known of needs no loop.
        let common = [
            (FactorId::Memory.index(), -streamed),
            (core_share.index(), -streamed * of_cores),
            (interconnect.index(), -streamed * of_domains),
            (FactorId::Attention(self.phase).index(), -attention.arithmetic_s),
            (FactorId::Operation(self.phase).index(), self.operations_s),
            (FactorId::Pass(self.phase).index(), self.pass_s),
        ];
        let mut variance = 0.0;
        for (at, &(factor, seconds)) in common.iter().enumerate() {
            let covariances = machine.calibration.covariances(factor);
            let mut others = 0.0;
            for &(other, seconds) in &common[..at] {
                others += seconds * covariances[other];
            }
            variance += seconds * (seconds * covariances[factor] + 2.0 * others);
        }
        let (factors, seconds) = (&self.factors[..self.count], &self.seconds[..self.count]);
        for (at, (&factor, &seconds_of_it)) in factors.iter().zip(seconds).enumerate() {
            let covariances = machine.calibration.covariances(factor);
            let mut others = 0.0;
            for (&other, &seconds) in factors[..at].iter().zip(seconds) {
                others += seconds * covariances[other];
            }
            let mut commons = 0.0;
            for (other, seconds) in common {
                commons += seconds * covariances[other];
            }
            let own = -arithmetic * seconds_of_it;
            variance += own * (own * covariances[factor] + 2.0 * (commons - arithmetic * others));
        }
        variance
    }
}

impl Gather for Tally {
    #[inline(always)]
    fn add(&mut self, term: &Term) {
        self.totals.add(term);
        match term.kind {
            // The sum of all of it will do.
            TermKind::Weights | TermKind::Cache | TermKind::Activations | TermKind::Attend => {}
            TermKind::Operations => self.operations_s += term.seconds,
            TermKind::Pass => self.pass_s += term.seconds,
            TermKind::Multiply => {
                if term.rate > self.peak {
                    self.peak = term.rate;
                }
                self.multiply(term);
            }
        }
    }
}
