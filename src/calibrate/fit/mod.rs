//! The fit: factors that minimise the robust relative error of the law itself ([`crate::perf::latency`]; there is no second formula)
//! under a normal prior on the positions of the factors: the log odds of a utilization, the logarithm of a cost.
//!
//! With `t(θ)` the predicted and `t` the measured seconds, `r = ln(t(θ) / t) / σ · √weight`, and `z` the standardised deviations of
//! the positions from their prior,
//!
//! ```text
//! cost(z) = Σ 2·(√(1 + r²) - 1) + Σ z²
//! ```
//!
//! The pseudo-Huber loss is quadratic near zero and linear for outliers. One device's factors have it as their prior too ([`Tail`]): a
//! class knows the middle of its devices better than how far the next one may lie from it. Measured logarithmic errors are
//! differentiated through the share that each term has in the time, `∂ ln t / ∂ ln U = -share`, `∂ ln t / ∂ ln cost = share`.
//!
//! This module and the fit of power ([`super::energy`]), which shares its optimiser, are the only ones that name argmin, and nalgebra.

mod belief;
mod covariance;
pub mod device;
pub mod pool;
pub mod prior;

use crate::calibration::{Calibration, FactorId, Phase};
use crate::perf::latency::{self, Machine, Term, TermKind};
use crate::scenario::Scenario;
use argmin::core::{CostFunction, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

pub use covariance::Covariance;

/// Spread of one measurement's logarithm that is taken for granted: run-to-run noise and what no form of this size can say.
const fn noise(phase: Phase) -> f64 {
    match phase {
        Phase::Prefill => 0.08,
        Phase::Decode => 0.06,
    }
}

/// Weight of a point whose repetitions scatter by `spread`, their relative standard deviation, beside one whose repetitions agree: the
/// variances add, `noise² / (noise² + spread²)`.
#[must_use]
pub fn weight_of_spread(phase: Phase, spread: f64) -> f64 {
    let noise = noise(phase).powi(2);
    noise / (noise + spread * spread)
}

/// A measurement as the fit sees it.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// The question that it answers.
    pub scenario: Scenario<'a>,
    /// Which phase was timed.
    pub phase: Phase,
    /// Measured seconds: of the whole prompt, or of one decoded token.
    pub seconds: f64,
    /// How much it counts, in (0, 1].
    pub weight: f64,
    /// Which [`Group`] it belongs to: one backend of one device.
    pub group: usize,
}

/// A factor from its position on the real line: a utilization `x / (1 + x)` with `x = eˡ`, which stays in (0, 1), and a cost `eˡ`.
#[must_use]
pub fn factor_at(factor: FactorId, position: f64) -> f64 {
    let x = position.exp();
    if factor.is_utilization() { x / (1.0 + x) } else { x }
}

/// The position of a factor: the inverse of [`factor_at`].
#[must_use]
pub fn position_of(factor: FactorId, value: f64) -> f64 {
    if factor.is_utilization() {
        (value / (1.0 - value)).ln()
    } else {
        value.ln()
    }
}

/// `d ln factor / d position`.
fn slope(factor: FactorId, value: f64) -> f64 {
    if factor.is_utilization() { 1.0 - value } else { 1.0 }
}

/// How the [position](factor_at) of one factor of a group depends on the parameters: `prior mean + Σ loading · z`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loading {
    /// The position where all parameters are zero.
    pub mean: f64,
    /// Parameters and their coefficients.
    pub terms: Vec<(usize, f64)>,
}

impl Loading {
    fn value(&self, z: &[f64]) -> f64 {
        self.mean
            + self
                .terms
                .iter()
                .map(|&(parameter, loading)| loading * z[parameter])
                .sum::<f64>()
    }
}

/// The factors of one backend of one device.
#[derive(Debug, Clone)]
pub struct Group {
    /// A calibration whose factors the fit replaces.
    pub base: Calibration,
    /// The factors that the points of the group depend on.
    pub loadings: Vec<(FactorId, Loading)>,
}

impl Group {
    /// The calibration at `z`.
    #[must_use]
    pub fn at(&self, z: &[f64]) -> Calibration {
        let mut calibration = self.base.clone();
        for (factor, loading) in &self.loadings {
            calibration.set_factor(*factor, factor_at(*factor, loading.value(z)));
        }
        calibration
    }
}

/// How firmly parameters are believed to be about zero: what those cost that are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// `z²`.
    Normal,
    /// `2·(√(1 + z²) - 1)`: the same near zero, linear far from it, so that measurements which agree outweigh any belief.
    Heavy,
}

impl Tail {
    fn cost(self, z: f64) -> f64 {
        match self {
            Self::Normal => z * z,
            Self::Heavy => 2.0 * (z.hypot(1.0) - 1.0),
        }
    }

    /// Half the slope of the cost over `z`; the weight that a normal prior would need for the same slope.
    fn weight(self, z: f64) -> f64 {
        match self {
            Self::Normal => 1.0,
            Self::Heavy => z.hypot(1.0).recip(),
        }
    }
}

/// A least-squares problem in `parameters` parameters that are expected to be about zero, give or take one.
#[derive(Debug, Clone)]
pub struct Problem<'a> {
    /// What one costs that is not.
    pub tail: Tail,
    /// The measurements.
    pub points: Vec<Point<'a>>,
    /// The groups that the points name.
    pub groups: Vec<Group>,
    /// Number of parameters.
    pub parameters: usize,
}

impl Problem<'_> {
    /// What the cost is divided by for the optimiser, whose first step is as long as the gradient: the curvature that all points
    /// together could have.
    fn curvature(&self) -> f64 {
        self.points
            .iter()
            .map(|point| point.scale().powi(2))
            .sum::<f64>()
            .max(1.0)
    }
}

/// What the law says of one point: `ln(predicted seconds / measured seconds)` and its derivatives by log factor.
struct Residual {
    value: f64,
    derivatives: Vec<(FactorId, f64)>,
}

fn residual(point: &Point<'_>, calibration: &Calibration) -> Residual {
    let machine = Machine::new(&point.scenario, calibration);
    let terms = latency::terms(point.phase, &point.scenario, &machine);
    let seconds = terms.seconds();
    let mut derivatives: Vec<(FactorId, f64)> = Vec::with_capacity(12);
    let mut streamed = 0.0;
    for (term, contribution) in terms.contributions() {
        let share = contribution / seconds * term.factor.sign();
        match derivatives.iter_mut().find(|(factor, _)| *factor == term.factor) {
            Some((_, sum)) => *sum += share,
            None => derivatives.push((term.factor, share)),
        }
        if term.factor == FactorId::Memory {
            streamed += share;
        }
    }
    for (factor, sensitivity) in machine.bandwidth_sensitivities() {
        if sensitivity > 0.0 {
            derivatives.push((factor, streamed * sensitivity));
        }
    }
    Residual {
        value: (seconds / point.seconds).ln(),
        derivatives,
    }
}

impl Point<'_> {
    /// `ln(predicted / measured)` seconds under a calibration.
    #[must_use]
    pub fn log_error(&self, calibration: &Calibration) -> f64 {
        residual(self, calibration).value
    }

    /// The same, and its derivatives by the logarithms of the factors.
    #[must_use]
    pub fn log_error_and_gradient(&self, calibration: &Calibration) -> (f64, Vec<(FactorId, f64)>) {
        let residual = residual(self, calibration);
        (residual.value, residual.derivatives)
    }

    /// The share of the predicted seconds that reading and multiplying weights adds.
    #[must_use]
    pub fn share_of_weights(&self, calibration: &Calibration) -> f64 {
        let machine = Machine::new(&self.scenario, calibration);
        let terms = latency::terms(self.phase, &self.scenario, &machine);
        let of_weights = |term: &Term| matches!(term.kind, TermKind::Multiply | TermKind::Weights);
        let added = terms.contributions().filter(|(term, _)| of_weights(term));
        added.map(|(_, seconds)| seconds).sum::<f64>() / terms.seconds()
    }

    /// The factors that the prediction depends on.
    #[must_use]
    pub fn factors(&self, calibration: &Calibration) -> Vec<FactorId> {
        residual(self, calibration)
            .derivatives
            .into_iter()
            .map(|(factor, _)| factor)
            .collect()
    }

    fn scale(&self) -> f64 {
        self.weight.sqrt() / noise(self.phase)
    }
}

impl Problem<'_> {
    /// Calls `visit` with each point's standardised residual and its gradient as (parameter, derivative) pairs.
    fn visit(&self, z: &[f64], mut visit: impl FnMut(f64, &[(usize, f64)])) {
        let calibrations: Vec<Calibration> = self.groups.iter().map(|group| group.at(z)).collect();
        let mut gradient = Vec::new();
        for point in &self.points {
            let residual = residual(point, &calibrations[point.group]);
            let scale = point.scale();
            gradient.clear();
            for (factor, derivative) in residual.derivatives {
                let loading = self.groups[point.group].loadings.iter().find(|(id, _)| *id == factor);
                let derivative = derivative * slope(factor, calibrations[point.group].factor(factor));
                for &(parameter, coefficient) in loading.iter().flat_map(|(_, loading)| &loading.terms) {
                    gradient.push((parameter, derivative * coefficient * scale));
                }
            }
            visit(residual.value * scale, &gradient);
        }
    }
}

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, z: &Self::Param) -> Result<f64, argmin::core::Error> {
        let mut cost: f64 = z.iter().map(|&z| self.tail.cost(z)).sum();
        self.visit(z, |r, _| cost += 2.0 * ((1.0 + r * r).sqrt() - 1.0));
        if !cost.is_finite() {
            // The line search would go on for ever.
            return Err(argmin::core::Error::msg(
                "measurements that no factors explain: are the rates of this machine?",
            ));
        }
        Ok(cost / self.curvature())
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, z: &Self::Param) -> Result<Vec<f64>, argmin::core::Error> {
        let mut gradient: Vec<f64> = z.iter().map(|&z| 2.0 * z * self.tail.weight(z)).collect();
        let curvature = self.curvature();
        self.visit(z, |r, derivatives| {
            let slope = 2.0 * r / (1.0 + r * r).sqrt();
            for &(parameter, derivative) in derivatives {
                gradient[parameter] += slope * derivative;
            }
        });
        Ok(gradient.into_iter().map(|slope| slope / curvature).collect())
    }
}

/// Why a fit failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Nothing to fit.
    #[error("there is no measurement to fit")]
    NoPoints,
    /// The optimiser gave up.
    #[error("the optimiser stopped without a solution: {message}")]
    Solver {
        /// what it said
        message: String,
    },
    /// The curvature at the solution is not positive definite.
    #[error("the measurements leave the uncertainty of the factors undetermined")]
    Singular,
}

/// Correction pairs that L-BFGS keeps.
const MEMORY: usize = 12;
/// The most iterations of a fit.
const MOST_ITERATIONS: u64 = 400;

/// The parameters of least cost.
///
/// # Errors
/// [`FitError`] if there is no point, or the optimiser fails.
pub fn minimise(problem: &Problem<'_>) -> Result<Vec<f64>, FitError> {
    if problem.points.is_empty() {
        return Err(FitError::NoPoints);
    }
    solve(problem.clone(), problem.parameters)
}

/// The parameters of least cost of any problem, from all of them zero.
///
/// # Errors
/// [`FitError::Solver`]
pub(super) fn solve<P>(problem: P, parameters: usize) -> Result<Vec<f64>, FitError>
where
    P: CostFunction<Param = Vec<f64>, Output = f64> + Gradient<Param = Vec<f64>, Gradient = Vec<f64>>,
{
    let solver_error = |error: argmin::core::Error| FitError::Solver {
        message: error.to_string(),
    };
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
        .with_tolerance_grad(1e-7)
        .and_then(|solver| solver.with_tolerance_cost(1e-11))
        .map_err(solver_error)?;
    let result = Executor::new(problem, solver)
        .configure(|state| state.param(vec![0.0; parameters]).max_iters(MOST_ITERATIONS))
        .run()
        .map_err(solver_error)?;
    result
        .state()
        .get_best_param()
        .cloned()
        .ok_or_else(|| FitError::Solver {
            message: "no parameters".to_owned(),
        })
}
