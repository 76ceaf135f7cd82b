//! The fit of one backend of one device, with the calibration of its class as what is believed before.
//!
//! The positions of all factors that the class states are normal about the class's, with its covariance. Points pull those that they
//! depend on; those that none depends on follow as far as the class says that they move together (a device that is slow in one
//! format is expected to be slow in all), and else stay.
//!
//! A fixed cost that one point alone says is higher stays too: a slow run is a cost or a disturbance, and it takes a second one to
//! tell. That it is lower needs no second: nothing disturbs a run into being fast.

use super::belief::Belief;
use super::{Covariance, FitError, Group, Loading, Point, Problem, Tail, factor_at, minimise, slope};
use crate::calibrate::fit::pool::Estimate;
use crate::calibration::{Calibration, FactorId, Phase};
use crate::quant::BlockType;
use argmin::core::CostFunction;
use nalgebra::DMatrix;
use std::collections::BTreeSet;

/// A factor is determined by the points if they halve its uncertainty, as variance.
const DETERMINED: f64 = 0.5;
/// A factor that is as many of its class's standard deviations away from it has moved.
const MOVED: f64 = 0.5;

/// The factors of one backend of one device.
#[derive(Debug, Clone)]
pub struct DeviceFit {
    /// The class's calibration with the fitted factors in it.
    pub calibration: Calibration,
    /// The factors and their uncertainty.
    pub estimate: Estimate,
    /// The factors that the points determine.
    pub determined: BTreeSet<FactorId>,
    /// The costs that one point alone speaks of, and says are higher: they are the class's.
    pub on_one_point: BTreeSet<FactorId>,
    /// What the points and the class's belief cost at these factors, to be compared among fits of the same points.
    pub cost: f64,
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
        let loadings = belief.loadings(held);
        let problem = Problem {
            tail: Tail::Heavy,
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

    /// Whether the points say that the factor is higher than believed, or about as high, be it right or wrong.
    fn raises(&self, at: usize, belief: &Belief) -> bool {
        let (_, loading) = &self.problem.groups[0].loadings[at];
        let moved = (loading.value(&self.solution) - belief.means[at]) / belief.covariance[(at, at)].sqrt();
        moved > MOVED || (moved > -MOVED && self.determines(at, belief))
    }

    /// The point that says most of a factor: whose residual changes most with it; none where no point hangs on it.
    fn says_most(&self, factor: FactorId) -> Option<usize> {
        let calibration = self.problem.groups[0].at(&self.solution);
        let change = |point: &Point<'_>| {
            let (_, gradient) = point.log_error_and_gradient(&calibration);
            let derivative = gradient.iter().find(|(of, _)| *of == factor);
            derivative.map_or(0.0, |(_, derivative)| (derivative * point.scale()).abs())
        };
        let changes: Vec<f64> = self.problem.points.iter().map(change).collect();
        let most = (0..changes.len()).max_by(|&a, &b| changes[a].total_cmp(&changes[b]))?;
        (changes[most] > 0.0).then_some(most)
    }

    /// The costs that the points raise, but do not speak of without the one that says most.
    fn costs_on_one_point(
        &self,
        class: &Calibration,
        belief: &Belief,
        held: &BTreeSet<FactorId>,
    ) -> Result<Vec<FactorId>, FitError> {
        let mut costs = Vec::new();
        for (at, &factor) in belief.factors.iter().enumerate() {
            if factor.is_utilization() || held.contains(&factor) || !self.raises(at, belief) {
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
    let cost = problem.cost(&solution).map_err(|error| FitError::Solver {
        message: error.to_string(),
    })?;
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
        cost,
    })
}
