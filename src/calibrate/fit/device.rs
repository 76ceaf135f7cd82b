//! The fit of one backend of one device, with the calibration of its class as what is believed before.
//!
//! The positions of all factors that the class states are normal about the class's, with its covariance. Points pull those that they
//! depend on; those that none depends on follow as far as the class says that they move together (a device that is slow in one
//! format is expected to be slow in all), and else stay.
//!
//! A fixed cost that one point alone speaks of stays too: a slow run is a cost or a disturbance, and it takes a second one to tell.

use super::{Covariance, FitError, Group, Loading, Point, Problem, factor_at, minimise, position_of, prior, slope};
use crate::calibrate::fit::pool::Estimate;
use crate::calibration::{Calibration, FactorId, Phase};
use crate::device::BackendKind;
use crate::quant::BlockType;
use nalgebra::{Cholesky, DMatrix};
use std::collections::BTreeSet;

/// A factor is determined by the points if they halve its uncertainty, as variance.
const DETERMINED: f64 = 0.5;
/// The least spread of a position that is believed in: a class of one device knows its factors, not those of the next.
const LEAST_SPREAD: f64 = 0.1;
/// A factor that is as many of its class's standard deviations away from it has moved.
const MOVED: f64 = 0.5;
/// Utilizations this near to one have a position that says nothing.
const MOST_UTILIZATION: f64 = 0.98;

/// The factors of one backend of one device.
#[derive(Debug, Clone)]
pub struct DeviceFit {
    /// The class's calibration with the fitted factors in it.
    pub calibration: Calibration,
    /// The factors and their uncertainty.
    pub estimate: Estimate,
    /// The factors that the points determine.
    pub determined: BTreeSet<FactorId>,
    /// The costs that one point alone speaks of: they are the class's.
    pub on_one_point: BTreeSet<FactorId>,
}

/// What is believed of the positions before the points are seen.
struct Belief {
    factors: Vec<FactorId>,
    means: Vec<f64>,
    covariance: DMatrix<f64>,
}

impl Belief {
    /// The class's factors: those it states, those that `used` needs, and one for each phase that stands for block types that nobody
    /// measured.
    fn of(class: &Calibration, kind: BackendKind, used: &BTreeSet<FactorId>) -> Self {
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
        }
        Self {
            factors,
            means,
            covariance,
        }
    }

    /// Where the factors of `some` stand.
    fn positions_of(&self, some: &BTreeSet<FactorId>) -> impl Iterator<Item = usize> {
        (0..self.factors.len()).filter(|&at| some.contains(&self.factors[at]))
    }

    /// How the positions load on independent standard normal parameters: the Cholesky factor of their covariance. Rounded
    /// correlations may not make a covariance; then its diagonal is raised until they do.
    /// Those of `held` stay at their means.
    fn loadings(&self, held: &BTreeSet<FactorId>) -> Result<Vec<(FactorId, Loading)>, FitError> {
        let root = [0.0, 1e-6, 1e-4, 1e-2, 0.1, 0.3, 1.0]
            .into_iter()
            .find_map(|jitter| {
                let mut covariance = self.covariance.clone();
                for at in 0..covariance.nrows() {
                    covariance[(at, at)] *= 1.0 + jitter;
                }
                Some(Cholesky::new(covariance)?.l())
            })
            .ok_or(FitError::Singular)?;
        let loading = |at: usize| Loading {
            mean: self.means[at],
            terms: (0..=at)
                .map(|parameter| (parameter, root[(at, parameter)]))
                .filter(|&(_, coefficient)| coefficient != 0.0 && !held.contains(&self.factors[at]))
                .collect(),
        };
        Ok(self
            .factors
            .iter()
            .enumerate()
            .map(|(at, &factor)| (factor, loading(at)))
            .collect())
    }
}

/// The points' best account of the factors, under a belief.
struct Solved<'a> {
    problem: Problem<'a>,
    solution: Vec<f64>,
    /// Of the positions, in the order of the belief's factors.
    covariance: DMatrix<f64>,
}

impl<'a> Solved<'a> {
    /// The factors of `held` stay where they are believed to be, as uncertain as they are.
    fn of(
        points: impl Iterator<Item = Point<'a>>,
        class: &Calibration,
        belief: &Belief,
        held: &BTreeSet<FactorId>,
    ) -> Result<Self, FitError> {
        let loadings = belief.loadings(held)?;
        let problem = Problem {
            points: points.map(|point| Point { group: 0, ..point }).collect(),
            parameters: loadings.len(),
            groups: vec![Group {
                base: class.clone(),
                loadings,
            }],
        };
        let solution = minimise(&problem)?;
        let loadings: Vec<&Loading> = problem.groups[0].loadings.iter().map(|(_, loading)| loading).collect();
        let mut covariance = Covariance::at(&problem, &solution)?.of(&loadings);
        for at in belief.positions_of(held) {
            covariance[(at, at)] = belief.covariance[(at, at)];
        }
        Ok(Self {
            problem,
            solution,
            covariance,
        })
    }

    fn determines(&self, at: usize, belief: &Belief) -> bool {
        self.covariance[(at, at)] < DETERMINED * belief.covariance[(at, at)]
    }

    /// Whether the points say something of the factor, be it right or wrong.
    fn speaks_of(&self, at: usize, belief: &Belief) -> bool {
        let (_, loading) = &self.problem.groups[0].loadings[at];
        let moved = (loading.value(&self.solution) - belief.means[at]).abs();
        self.determines(at, belief) || moved > MOVED * belief.covariance[(at, at)].sqrt()
    }

    /// The point that says most of a factor: whose residual changes most with it.
    fn says_most(&self, factor: FactorId) -> Option<usize> {
        let calibration = self.problem.groups[0].at(&self.solution);
        let change = |point: &Point<'_>| {
            let (_, gradient) = point.log_error_and_gradient(&calibration);
            let derivative = gradient.iter().find(|(of, _)| *of == factor);
            derivative.map_or(0.0, |(_, derivative)| (derivative * point.scale()).abs())
        };
        let changes: Vec<f64> = self.problem.points.iter().map(change).collect();
        (0..changes.len()).max_by(|&a, &b| changes[a].total_cmp(&changes[b]))
    }

    /// The costs that the points speak of, but not without the one that says most.
    fn costs_on_one_point(
        &self,
        class: &Calibration,
        belief: &Belief,
        held: &BTreeSet<FactorId>,
    ) -> Result<Vec<FactorId>, FitError> {
        let mut costs = Vec::new();
        for (at, &factor) in belief.factors.iter().enumerate() {
            if factor.is_utilization() || held.contains(&factor) || !self.speaks_of(at, belief) {
                continue;
            }
            let Some(most) = self.says_most(factor) else { continue };
            let points = &self.problem.points;
            let others = (0..points.len())
                .filter(|&other| other != most)
                .map(|other| points[other]);
            if points.len() == 1 || !Self::of(others, class, belief, held)?.determines(at, belief) {
                costs.push(factor);
            }
        }
        Ok(costs)
    }
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

/// Fits `points`, all of one backend of one device; whatever group they name is not looked at.
///
/// # Errors
/// [`FitError`] if there is no point, or the optimiser fails.
pub fn fit(points: &[Point<'_>], class: &Calibration) -> Result<DeviceFit, FitError> {
    let kind = points.first().ok_or(FitError::NoPoints)?.scenario.backend_kind;
    let used: BTreeSet<FactorId> = points.iter().flat_map(|point| point.factors(class)).collect();
    let belief = Belief::of(class, kind, &used);
    let mut on_one_point = BTreeSet::new();
    let solved = loop {
        let solved = Solved::of(points.iter().copied(), class, &belief, &on_one_point)?;
        let more = solved.costs_on_one_point(class, &belief, &on_one_point)?;
        if more.is_empty() {
            break solved;
        }
        // Without one cost the point may lean on another.
        on_one_point.extend(more);
    };
    let determined = (0..belief.factors.len())
        .filter(|&at| used.contains(&belief.factors[at]))
        .filter(|&at| solved.determines(at, &belief))
        .map(|at| belief.factors[at])
        .collect();
    let Solved {
        problem,
        solution,
        mut covariance,
    } = solved;
    let loadings = &problem.groups[0].loadings;
    let values: Vec<f64> = loadings
        .iter()
        .map(|(factor, loading)| factor_at(*factor, loading.value(&solution)))
        .collect();
    // From positions to logarithms of the factors.
    let slopes: Vec<f64> = belief
        .factors
        .iter()
        .zip(&values)
        .map(|(&factor, &value)| slope(factor, value))
        .collect();
    for a in 0..slopes.len() {
        for b in 0..slopes.len() {
            covariance[(a, b)] *= slopes[a] * slopes[b];
        }
    }
    let mut calibration = problem.groups[0].at(&solution);
    let other = [Phase::Prefill, Phase::Decode].map(|phase| {
        let stands_for_it = |factor: &FactorId| {
            matches!(factor, FactorId::Compute(of, _) if *of == phase)
                && !used.contains(factor)
                && !class.file.factors.contains_key(&factor.to_string())
        };
        let at = belief.factors.iter().position(stands_for_it)?;
        // What a reader of the file adds for a block type that it does not list is not stated twice.
        let variance = covariance[(at, at)] - crate::calibration::UNMEASURED_FORMAT_ERROR.powi(2);
        Some((at, (values[at], variance.max(0.0).sqrt())))
    });
    for (phase, other) in [Phase::Prefill, Phase::Decode].into_iter().zip(other) {
        let Some((_, (value, _))) = other else { continue };
        for &block_type in BlockType::ALL {
            let factor = FactorId::Compute(phase, block_type);
            if !belief.factors.contains(&factor) {
                calibration.set_factor(factor, value);
            }
        }
    }
    let kept: Vec<usize> = (0..belief.factors.len())
        .filter(|&at| !other.iter().flatten().any(|(stand_in, _)| *stand_in == at))
        .collect();
    let estimate = Estimate {
        factors: kept.iter().map(|&at| belief.factors[at]).collect(),
        values: kept.iter().map(|&at| values[at]).collect(),
        covariance: DMatrix::from_fn(kept.len(), kept.len(), |a, b| covariance[(kept[a], kept[b])]),
        other: other.map(|other| other.map_or((0.1, 1.0), |(_, other)| other)),
    };
    Ok(DeviceFit {
        calibration,
        estimate,
        determined,
        on_one_point,
    })
}
