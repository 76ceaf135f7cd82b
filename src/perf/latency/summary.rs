//! What the terms of a phase come to: all that a prediction needs of them.

use super::matrices::{Derivatives, Prepared, STACKS, Stack};
use super::term::{Overlap, Term, TermKind, Totals};
use super::{Gather, Machine};

/// What the terms of a phase come to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    /// Their sums.
    pub totals: Totals,
    /// How the seconds hang on the factors.
    pub derivatives: Derivatives,
    /// The highest peak that weights are multiplied at, FLOP/s; 0 where none are.
    pub peak: f64,
}

/// The terms of a phase while they are added up.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    overlap: Overlap,
    prepared: &'a Prepared,
    totals: Totals,
    peak: f64,
    operations_s: f64,
    pass_s: f64,
    /// Tokens that each stack multiplies.
    tokens: [f64; STACKS],
}

impl<'a> Tally<'a> {
    #[inline(always)]
    pub(super) fn new(overlap: Overlap, prepared: &'a Prepared) -> Self {
        Self {
            overlap,
            prepared,
            totals: Totals::default(),
            peak: 0.0,
            operations_s: 0.0,
            pass_s: 0.0,
            tokens: [0.0; STACKS],
        }
    }

    #[inline(always)]
    pub(super) fn summary(&self) -> Summary {
        let totals = self.totals.overlapping(self.overlap);
        let seen = totals.visible(self.overlap);
        let multiplied = totals.matrices.arithmetic_s;
        let visible = if multiplied > 0.0 {
            seen.matrices.arithmetic_s / multiplied
        } else {
            1.0
        };
        // Seconds are inverse to a utilization and proportional to a cost.
        let common = [
            -seen.memory_s(),
            -seen.attention.arithmetic_s,
            self.operations_s,
            self.pass_s,
        ];
        Summary {
            totals,
            derivatives: Derivatives {
                common,
                by_stack: self.tokens.map(|tokens| -visible * tokens),
            },
            peak: self.peak,
        }
    }
}

impl Gather for Tally<'_> {
    #[inline(always)]
    fn multiply(&mut self, _: &Machine<'_>, stack: Stack, tokens: f64) {
        let matrices = self.prepared.matrices(stack);
        self.totals.flops += matrices.flops * tokens;
        self.totals.matrices.arithmetic_s += matrices.seconds * tokens;
        self.tokens[stack as usize] += tokens;
        if tokens > 0.0 && matrices.peak > self.peak {
            self.peak = matrices.peak;
        }
    }

    #[inline(always)]
    fn add(&mut self, term: &Term) {
        self.totals.add(term);
        match term.kind {
            TermKind::Operations => self.operations_s += term.seconds,
            TermKind::Pass => self.pass_s += term.seconds,
            TermKind::Weights | TermKind::Cache | TermKind::Activations | TermKind::Multiply | TermKind::Attend => {}
        }
    }
}
