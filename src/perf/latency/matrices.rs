//! What the matrices of a model come to on a machine: the part of a phase that the lengths of the work only multiply.

use super::Machine;
use super::term::{Term, TermKind};
use crate::calibration::{COMMON_FACTORS, Covariance, FactorId, Phase};
use crate::perf::sums::{FormatSums, ModelSums, StackSums};
use crate::quant::BlockType;
use arrayvec::ArrayVec;
use std::array::from_fn;

/// Matrices that are multiplied by the same tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stack {
    /// The layers: of the encoder while a prompt is encoded, else of the decoder.
    Layers,
    /// What makes the logits.
    Head,
    /// What a decoding step makes keys and values of the encoder's output with.
    Cross,
}

/// How many there are.
pub(super) const STACKS: usize = 3;

impl Stack {
    const ALL: [Self; STACKS] = [Self::Layers, Self::Head, Self::Cross];

    /// Its sums in a phase.
    #[inline]
    pub(super) fn sums(self, phase: Phase, sums: &ModelSums) -> &StackSums {
        match (self, phase) {
            (Self::Layers, Phase::Prefill) if sums.encodes() => &sums.encoder,
            (Self::Layers, _) => &sums.decoder,
            (Self::Head, _) => &sums.head,
            (Self::Cross, _) => &sums.cross,
        }
    }

    /// The phase whose factors it is multiplied at: of decoding where it meets one vector, of prefill where it meets many.
    #[inline]
    pub(super) const fn multiplied(self, phase: Phase, sequences: u64) -> Phase {
        match (self, phase) {
            // Logits are wanted for the last position only.
            (Self::Head, Phase::Prefill) => Phase::Decode,
            (Self::Layers | Self::Head, Phase::Decode) if sequences == 1 => Phase::Decode,
            _ => Phase::Prefill,
        }
    }
}

impl Machine<'_> {
    /// The term of multiplying the matrices of a format by one token, which uses `expert_share` of the experts.
    #[inline]
    pub(super) fn multiply(&self, phase: Phase, format: &FormatSums, expert_share: f64) -> Term {
        let weights = format.dense_weights + expert_share * format.expert_weights;
        let factor = FactorId::Compute(phase, format.block_type);
        let unit = self.unit(phase, format.block_type);
        let term = self.compute(TermKind::Multiply, factor, unit, 2.0 * weights);
        match self.lost_gain(phase, format.block_type) {
            None => term,
            Some(lost) => Term {
                rate: term.rate / lost,
                seconds: term.seconds * lost,
                ..term
            },
        }
    }
}

/// What a phase has besides matrices, in the order of [`Common`].
const COMMON: usize = 4;

/// One number for each of: streaming, attention, operations, the pass.
pub(super) type Common = [f64; COMMON];

/// The matrices of a stack, multiplied by one token.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Matrices {
    /// Operations.
    pub flops: f64,
    /// Seconds of arithmetic.
    pub seconds: f64,
    /// The highest peak that they are multiplied at, FLOP/s; 0 where there are none.
    pub peak: f64,
}

/// The matrices of a phase on a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prepared {
    stacks: [Matrices; STACKS],
}

impl Prepared {
    /// The matrices of a phase of so many sequences.
    #[inline(always)]
    pub(super) fn new(phase: Phase, sums: &ModelSums, sequences: u64, machine: &Machine<'_>) -> Self {
        let mut stacks = [Matrices::default(); STACKS];
        for stack in Stack::ALL {
            let matrices = &mut stacks[stack as usize];
            let multiplied = stack.multiplied(phase, sequences);
            for format in &stack.sums(phase, sums).formats {
                let term = machine.multiply(multiplied, format, sums.expert_share);
                matrices.flops += term.amount;
                matrices.seconds += term.seconds;
                if term.rate > matrices.peak {
                    matrices.peak = term.rate;
                }
            }
        }
        Self { stacks }
    }

    /// A stack's matrices.
    #[inline]
    pub(super) const fn matrices(&self, stack: Stack) -> &Matrices {
        &self.stacks[stack as usize]
    }
}

/// How the seconds of a phase hang on the logarithms of the factors.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Derivatives {
    /// On what is common.
    pub(super) common: Common,
    /// On the factors of a stack, by the seconds of one token.
    pub(super) by_stack: [f64; STACKS],
}

/// What the errors of the factors come to in a stack's matrices, multiplied by one token.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct StackErrors {
    /// `Σ_ij s_i · s_j · cov(i, j)` over their factors, with `s_i` the seconds that hang on factor `i`.
    variance: f64,
    /// `Σ_i s_i · cov(i, j)` with each of what is common.
    with_common: Common,
}

/// How the errors of the factors move together in a phase on a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    stacks: [StackErrors; STACKS],
    /// `Σ_ij s_i · s_j · cov(i, j)` over the factors of two stacks: layers and head, layers and cross, head and cross.
    between: [f64; STACKS],
    /// Covariances of what is common.
    common: [Common; COMMON],
}

/// A factor by its index, and the seconds of one token that hang on it.
type Share = (usize, f64);

impl Errors {
    /// Those of a phase of so many sequences.
    pub(super) fn new(phase: Phase, sums: &ModelSums, sequences: u64, machine: &Machine<'_>) -> Self {
        let Covariance { all, with_common } = machine.calibration.covariances();
        let with_common = &with_common[phase as usize];
        let [of_cores, of_domains] = machine.bandwidth_sensitivities().map(|(_, sensitivity)| sensitivity);
        // What a core draws, and what crosses between domains, goes into seconds by way of the bandwidth.
        let gathered = |row: &[f64; COMMON_FACTORS]| -> Common {
            let &[memory, core_share, interconnect, attention, operation, pass] = row;
            let streaming = memory + of_cores * core_share + of_domains * interconnect;
            [streaming, attention, operation, pass]
        };
        let covariances = |factor: FactorId| gathered(&with_common[factor.index()]);
        let (memory, core_share) = (covariances(FactorId::Memory), covariances(FactorId::CoreShare));
        let interconnect = covariances(FactorId::Interconnect);
        let mut streaming: Common =
            from_fn(|at| memory[at] + of_cores * core_share[at] + of_domains * interconnect[at]);
        streaming[0] += machine.bandwidth_variance();
        let mut errors = Self {
            stacks: [StackErrors::default(); STACKS],
            between: [0.0; STACKS],
            common: [
                streaming,
                covariances(FactorId::Attention(phase)),
                covariances(FactorId::Operation(phase)),
                covariances(FactorId::Pass(phase)),
            ],
        };
        let shares = Stack::ALL.map(|stack| -> ArrayVec<Share, { BlockType::COUNT }> {
            let multiplied = stack.multiplied(phase, sequences);
            let share = |format: &FormatSums| {
                let term = machine.multiply(multiplied, format, sums.expert_share);
                (term.factor.index(), term.seconds)
            };
            // A stack has a block type once, so there is room for all.
            stack
                .sums(phase, sums)
                .formats
                .iter()
                .take(BlockType::COUNT)
                .map(share)
                .collect()
        });
        let between = |a: &[Share], b: &[Share]| -> f64 {
            let covariances = |&(factor, seconds): &Share| seconds * sum(b, &all[factor]);
            a.iter().map(covariances).sum()
        };
        for (stack, shares) in errors.stacks.iter_mut().zip(&shares) {
            stack.variance = between(shares, shares);
            for &(factor, seconds) in shares {
                for (sum, covariance) in stack.with_common.iter_mut().zip(gathered(&with_common[factor])) {
                    *sum += seconds * covariance;
                }
            }
        }
        let [layers, head, cross] = &shares;
        errors.between = [between(layers, head), between(layers, cross), between(head, cross)];
        errors
    }

    /// `dᵀ C d` for the factors' covariance `C` and the derivatives `d` of the phase's seconds by their logarithms.
    #[inline]
    pub(crate) fn variance(&self, derivatives: &Derivatives) -> f64 {
        let Derivatives { common, by_stack } = derivatives;
        let mut variance = 0.0;
        for (derivative, row) in common.iter().zip(&self.common) {
            variance += derivative * dot(common, row);
        }
        let of = |stack: Stack| {
            let (times, errors) = (by_stack[stack as usize], &self.stacks[stack as usize]);
            times * (times * errors.variance + 2.0 * dot(common, &errors.with_common))
        };
        let [layers, head, cross] = *by_stack;
        let [layers_head, layers_cross, head_cross] = self.between;
        variance += of(Stack::Layers) + of(Stack::Head) + 2.0 * layers * head * layers_head;
        if cross != 0.0 {
            variance += of(Stack::Cross) + 2.0 * cross * (layers * layers_cross + head * head_cross);
        }
        variance
    }
}

#[inline]
fn dot(a: &Common, b: &Common) -> f64 {
    (a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + a[3] * b[3])
}

/// `Σ_j s_j · cov(i, j)`, given the covariances of factor `i`.
#[inline]
fn sum(shares: &[Share], covariances: &[f64; FactorId::COUNT]) -> f64 {
    let mut sum = 0.0;
    for &(factor, seconds) in shares {
        sum += seconds * covariances[factor];
    }
    sum
}
