//! What is believed of a device's factors before its points are seen: those of its class, with its covariance.

use super::{Loading, position_of, prior, slope};
use crate::calibration::{Calibration, FactorId, Phase};
use crate::device::BackendKind;
use crate::quant::BlockType;
use nalgebra::{Cholesky, DMatrix};
use std::collections::BTreeSet;

/// The least spread of a position that is believed in: a class of one device knows its factors, not those of the next.
const LEAST_SPREAD: f64 = 0.1;
/// How far a format of this machine and build may lie from where its class's devices have it, beside what those say: another kernel,
/// chosen for another instruction set or since another release, is up to twice as fast (the prompts of Q8_0 on Zen 5 run at half the rate
/// of Q4_0's, on the Zen 4 that its class knows at the same).
const FORMAT_SPREAD: f64 = 0.25;
/// Utilizations this near to one have a position that says nothing.
const MOST_UTILIZATION: f64 = 0.98;

/// What is believed of the positions before the points are seen.
pub(super) struct Belief {
    pub factors: Vec<FactorId>,
    pub means: Vec<f64>,
    pub covariance: DMatrix<f64>,
}

impl Belief {
    /// The class's factors: those it states, those that `used` needs, and one for each phase that stands for block types that nobody
    /// measured.
    pub fn of(class: &Calibration, kind: BackendKind, used: &BTreeSet<FactorId>) -> Self {
        let stated = |factor: &FactorId| class.file.factors.contains_key(&factor.to_string());
        let mut factors: Vec<FactorId> = FactorId::all()
            .filter(|factor| stated(factor) || used.contains(factor))
            .collect();
        factors.extend([Phase::Prefill, Phase::Decode].map(|phase| unmeasured(phase, &factors)));
        factors.dedup();
        let mut means = Vec::with_capacity(factors.len());
        let mut slopes = Vec::with_capacity(factors.len());
        let mut own_spread = Vec::with_capacity(factors.len());
        for &factor in &factors {
            let value = class.factor(factor);
            let known = value > 0.0 && (!factor.is_utilization() || value < MOST_UTILIZATION);
            let general = prior::of(factor, kind);
            let value = if known { value } else { general.mean };
            means.push(position_of(factor, value));
            slopes.push(slope(factor, value));
            own_spread.push(if known {
                LEAST_SPREAD
            } else {
                general.root.hypot(general.class).hypot(general.device)
            });
        }
        let size = factors.len();
        let mut covariance = DMatrix::from_fn(size, size, |a, b| {
            class.covariance(factors[a], factors[b]) / (slopes[a] * slopes[b])
        });
        for (at, spread) in own_spread.into_iter().enumerate() {
            covariance[(at, at)] = covariance[(at, at)].max(spread * spread);
            if matches!(factors[at], FactorId::Compute(..)) {
                covariance[(at, at)] += FORMAT_SPREAD * FORMAT_SPREAD;
            }
        }
        Self {
            factors,
            means,
            covariance,
        }
    }

    /// Where the factors of `some` stand.
    pub fn positions_of(&self, some: &BTreeSet<FactorId>) -> impl Iterator<Item = usize> {
        (0..self.factors.len()).filter(|&at| some.contains(&self.factors[at]))
    }

    /// How the positions load on independent standard normal parameters: a root of their covariance, so that those of `held` stay at
    /// their means.
    pub fn loadings(&self, held: &BTreeSet<FactorId>) -> Vec<(FactorId, Loading)> {
        let root =
            Cholesky::new(self.covariance.clone()).map_or_else(|| nearest_root(&self.covariance), |root| root.l());
        let loading = |at: usize| Loading {
            mean: self.means[at],
            terms: (0..root.ncols())
                .map(|parameter| (parameter, root[(at, parameter)]))
                .filter(|&(_, coefficient)| coefficient != 0.0 && !held.contains(&self.factors[at]))
                .collect(),
        };
        let of = |(at, &factor): (usize, &FactorId)| (factor, loading(at));
        self.factors.iter().enumerate().map(of).collect()
    }
}

/// A root of the covariance next to `matrix`, which rounded or summarised correlations have left none: negative eigenvalues of the
/// correlations become zero, and the variances stay.
fn nearest_root(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let deviations = matrix.diagonal().map(f64::sqrt);
    let correlations = DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |a, b| {
        matrix[(a, b)] / (deviations[a] * deviations[b])
    });
    let eigen = correlations.symmetric_eigen();
    let scale = DMatrix::from_diagonal(&eigen.eigenvalues.map(|value| value.max(0.0).sqrt()));
    let mut root = eigen.eigenvectors * scale;
    for (mut row, deviation) in root.row_iter_mut().zip(deviations.iter()) {
        let length = row.norm();
        row *= deviation / length;
    }
    root
}

/// A compute factor of the phase that is not among `factors`, to stand for all such.
fn unmeasured(phase: Phase, factors: &[FactorId]) -> FactorId {
    let of_phase = |&block_type: &BlockType| FactorId::Compute(phase, block_type);
    BlockType::ALL
        .iter()
        .filter(|block_type| !block_type.is_plain())
        .map(of_phase)
        .find(|factor| !factors.contains(factor))
        .unwrap_or(FactorId::Compute(phase, BlockType::Q8_1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn every_class_is_a_belief_with_the_uncertainties_that_it_states() {
        let catalog = Catalog::builtin();
        for id in catalog.calibration_ids().filter(|id| id.starts_with("class-")) {
            let class = catalog.calibration(id).unwrap();
            let belief = Belief::of(&class, BackendKind::Cuda, &BTreeSet::new());
            for (at, (factor, loading)) in belief.loadings(&BTreeSet::new()).iter().enumerate() {
                let variance: f64 = loading.terms.iter().map(|(_, coefficient)| coefficient.powi(2)).sum();
                assert!(
                    (variance / belief.covariance[(at, at)] - 1.0).abs() < 1e-9,
                    "{id} {factor}"
                );
            }
        }
    }

    #[test]
    fn correlations_that_contradict_each_other_are_brought_together() {
        // a is all of b and all of c, which are strangers: 1, 1, 0 is no correlation matrix.
        let matrix = DMatrix::from_row_slice(3, 3, &[4.0, 2.0, 2.0, 2.0, 1.0, 0.0, 2.0, 0.0, 1.0]);
        assert!(Cholesky::new(matrix.clone()).is_none());
        let root = nearest_root(&matrix);
        let near = &root * root.transpose();
        assert!((near[(0, 0)] - 4.0).abs() < 1e-12 && (near[(1, 1)] - 1.0).abs() < 1e-12);
        // The eigenvalues are 1 - √2, 1 and 1 + √2; without the first, √2 of each 2 and 0.17 between b and c.
        assert!(
            near[(0, 1)] > 1.4 && near[(0, 1)] < 2.0 && near[(1, 2)].abs() < 0.4,
            "{near}"
        );
    }
}
