//! The pooled fit of the factors of power: every device's watts at once.
//!
//! `ln factor = mean + kind + class + device`, each deviation normal with the spread that [`PRIORS`] states, and a peak shows more
//! than the mean by a factor that all peaks share. With `r = ln(power / watts) / σ · √weight` the cost is that of the speed fit,
//! `Σ 2·(√(1 + r²) - 1) + Σ z²`.

use super::Point;
use crate::calibrate::fit::pool::Member;
use crate::calibrate::fit::{FitError, solve};
use crate::calibration::{POWER_FACTORS, PowerFactors, propagate};
use crate::device::BackendKind;
use argmin::core::{CostFunction, Gradient};
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use std::collections::HashMap;

/// The belief about a factor: its typical value, and how far kinds, classes and devices are from it, as logarithms.
#[derive(Debug, Clone, Copy)]
struct Prior {
    mean: f64,
    spread: [f64; 3],
}

/// Of what stands, of arithmetic and of streaming. A machine at work stands at about its idle power; full load is arithmetic at its
/// busiest, and waiting for memory draws less.
const PRIORS: [Prior; POWER_FACTORS] = [
    Prior {
        mean: 1.0,
        spread: [0.1, 0.1, 0.1],
    },
    Prior {
        mean: 0.7,
        spread: [0.3, 0.2, 0.3],
    },
    Prior {
        mean: 0.4,
        spread: [0.3, 0.2, 0.3],
    },
];
/// The logarithm of a peak over the mean, and how sure that is.
const PEAK: (f64, f64) = (0.15, 0.15);
/// Spread of one measured power's logarithm that is taken for granted.
const NOISE: f64 = 0.10;
/// How much a peak counts beside a mean.
const PEAK_WEIGHT: f64 = 0.3;

/// Whose deviation a parameter is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Level {
    /// All CPUs, or all GPUs.
    Kind(bool),
    Class(String),
    Device(String, BackendKind),
}

fn levels(member: &Member) -> [Level; 3] {
    [
        Level::Kind(member.backend == BackendKind::Cpu),
        Level::Class(member.class.clone()),
        Level::Device(member.device.clone(), member.backend),
    ]
}

/// How the logarithm of a factor depends on the parameters: `mean + Σ coefficient · z`.
#[derive(Debug, Clone)]
struct Loading {
    mean: f64,
    terms: Vec<(usize, f64)>,
}

impl Loading {
    fn value(&self, z: &[f64]) -> f64 {
        let deviation: f64 = self.terms.iter().map(|&(at, by)| by * z[at]).sum();
        (self.mean + deviation).exp()
    }
}

/// One point and the loadings of its factors.
#[derive(Debug, Clone)]
struct Row {
    point: Point,
    factors: [Loading; POWER_FACTORS],
}

/// The least-squares problem. Parameter 0 is what peaks have in common.
#[derive(Debug, Clone)]
struct Problem {
    priors: [Prior; POWER_FACTORS],
    rows: Vec<Row>,
    index: HashMap<(Level, usize), usize>,
}

impl Problem {
    fn of<'a>(points: impl Iterator<Item = &'a Point>, priors: [Prior; POWER_FACTORS]) -> Self {
        let mut problem = Self {
            priors,
            rows: Vec::new(),
            index: HashMap::new(),
        };
        for point in points {
            for factor in 0..POWER_FACTORS {
                for level in levels(&point.member) {
                    let next = problem.index.len() + 1;
                    problem.index.entry((level, factor)).or_insert(next);
                }
            }
            let factors = std::array::from_fn(|factor| problem.loading(&point.member, factor, 3));
            problem.rows.push(Row {
                point: point.clone(),
                factors,
            });
        }
        problem
    }

    fn parameters(&self) -> usize {
        self.index.len() + 1
    }

    /// The loading of a member's factor through so many levels.
    fn loading(&self, member: &Member, factor: usize, deep: usize) -> Loading {
        let Prior { mean, spread } = self.priors[factor];
        let terms = levels(member)
            .into_iter()
            .zip(spread)
            .take(deep)
            .filter_map(|(level, spread)| Some((*self.index.get(&(level, factor))?, spread)))
            .collect();
        Loading { mean: mean.ln(), terms }
    }

    /// Calls `visit` with each standardised residual and its gradient.
    fn visit(&self, z: &[f64], mut visit: impl FnMut(f64, &[(usize, f64)])) {
        let mut gradient = Vec::new();
        for Row { point, factors } in &self.rows {
            // The cap is left out here: it would hide how far beyond it the power is.
            let parts: [f64; POWER_FACTORS] = std::array::from_fn(|at| point.parts[at] * factors[at].value(z));
            let power: f64 = parts.iter().sum();
            let weight: f64 = if point.peak { PEAK_WEIGHT } else { 1.0 };
            let scale = weight.sqrt() / NOISE;
            let mut residual = (power / point.watts).ln();
            gradient.clear();
            for (part, loading) in parts.iter().zip(factors) {
                for &(at, by) in &loading.terms {
                    gradient.push((at, part / power * by * scale));
                }
            }
            if point.peak {
                residual += PEAK.0 + PEAK.1 * z[0];
                gradient.push((0, PEAK.1 * scale));
            }
            visit(residual * scale, &gradient);
        }
    }

    /// What the cost is divided by for the optimiser's first step.
    fn curvature(&self) -> f64 {
        self.rows.len() as f64 / (NOISE * NOISE)
    }
}

impl CostFunction for Problem {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, z: &Self::Param) -> Result<f64, argmin::core::Error> {
        let mut cost: f64 = z.iter().map(|z| z * z).sum();
        self.visit(z, |r, _| cost += 2.0 * ((1.0 + r * r).sqrt() - 1.0));
        Ok(cost / self.curvature())
    }
}

impl Gradient for Problem {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, z: &Self::Param) -> Result<Vec<f64>, argmin::core::Error> {
        let mut gradient: Vec<f64> = z.iter().map(|z| 2.0 * z).collect();
        self.visit(z, |r, derivatives| {
            for &(at, derivative) in derivatives {
                gradient[at] += 2.0 * r / (1.0 + r * r).sqrt() * derivative;
            }
        });
        let curvature = self.curvature();
        Ok(gradient.into_iter().map(|slope| slope / curvature).collect())
    }
}

/// Factors as fitted: what stands, arithmetic and streaming.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The three.
    pub factors: [f64; POWER_FACTORS],
    /// The covariance of their logarithms.
    pub covariance: [[f64; POWER_FACTORS]; POWER_FACTORS],
}

/// The pooled fit.
#[derive(Debug)]
pub struct Pool {
    problem: Problem,
    solution: Vec<f64>,
    hessian: Cholesky<f64, Dyn>,
}

impl Pool {
    /// Fits points of any devices.
    ///
    /// # Errors
    /// [`FitError`] if there is none, or the optimiser fails.
    pub fn fit<'a>(points: impl Iterator<Item = &'a Point>) -> Result<Self, FitError> {
        Self::solve(Problem::of(points, PRIORS))
    }

    /// Fits points of one device, with its class's factors as what is believed before.
    ///
    /// # Errors
    /// As [`Pool::fit`].
    pub fn of_device<'a>(points: impl Iterator<Item = &'a Point>, class: &PowerFactors) -> Result<Self, FitError> {
        let values = class.values();
        let priors = std::array::from_fn(|factor| Prior {
            mean: values[factor],
            spread: [0.0, 0.0, class.covariance[factor][factor].sqrt()],
        });
        Self::solve(Problem::of(points, priors))
    }

    fn solve(problem: Problem) -> Result<Self, FitError> {
        if problem.rows.is_empty() {
            return Err(FitError::NoPoints);
        }
        let size = problem.parameters();
        let solution = solve(problem.clone(), size)?;
        let mut hessian = DMatrix::<f64>::identity(size, size);
        problem.visit(&solution, |r, derivatives| {
            let weight = 1.0 / (1.0 + r * r).sqrt();
            for &(a, da) in derivatives {
                for &(b, db) in derivatives {
                    hessian[(a, b)] += weight * da * db;
                }
            }
        });
        let hessian = Cholesky::new(hessian).ok_or(FitError::Singular)?;
        Ok(Self {
            problem,
            solution,
            hessian,
        })
    }

    /// The factors of a member, or (`of_class`) of any device of its class: then their uncertainty includes how devices differ.
    #[must_use]
    pub fn estimate(&self, member: &Member, of_class: bool) -> Estimate {
        let deep = if of_class { 2 } else { 3 };
        let loadings: [Loading; POWER_FACTORS] =
            std::array::from_fn(|factor| self.problem.loading(member, factor, deep));
        let vectors = loadings.each_ref().map(|loading| {
            let mut vector = DVector::<f64>::zeros(self.solution.len());
            for &(at, by) in &loading.terms {
                vector[at] += by;
            }
            vector
        });
        let solved = vectors.each_ref().map(|vector| self.hessian.solve(vector));
        let mut covariance = vectors
            .each_ref()
            .map(|vector| solved.each_ref().map(|solved| vector.dot(solved)));
        for (factor, row) in covariance.iter_mut().enumerate() {
            // Deviations that no point has a parameter for keep their spread.
            for (at, (level, spread)) in levels(member)
                .into_iter()
                .zip(self.problem.priors[factor].spread)
                .enumerate()
            {
                if at >= deep || !self.problem.index.contains_key(&(level, factor)) {
                    row[factor] += spread * spread;
                }
            }
        }
        Estimate {
            factors: loadings.each_ref().map(|loading| loading.value(&self.solution)),
            covariance,
        }
    }

    /// `ln(predicted / measured)` of a point's power under an estimate, and the standard error that the factors give it.
    #[must_use]
    pub fn log_error(&self, point: &Point, estimate: &Estimate) -> (f64, f64) {
        let power = point.power(estimate.factors);
        let peak = if point.peak {
            PEAK.0 + PEAK.1 * self.solution[0]
        } else {
            0.0
        };
        let shares = std::array::from_fn(|at| point.parts[at] * estimate.factors[at] / power);
        let variance = propagate(shares, &estimate.covariance);
        ((power / point.watts).ln() + peak, variance.sqrt())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::calibration::Phase;

    fn point(device: &str, compute: f64, memory: f64, watts: f64) -> Point {
        Point {
            member: Member {
                device: device.to_owned(),
                backend: BackendKind::Cpu,
                class: "c".to_owned(),
            },
            model: "m".to_owned(),
            phase: Phase::Decode,
            case: String::new(),
            source: String::new(),
            watts,
            mode: None,
            parts: [2.0, compute, memory],
            rates: [1.0, 1.0],
            most: 100.0,
            peak: false,
        }
    }

    #[test]
    fn factors_that_made_the_points_are_found_again() {
        // 0.8 of 10 W of arithmetic, 0.4 of 10 W of streaming, beyond 2 W idle
        let points: Vec<Point> = [(10.0, 0.0), (0.0, 10.0), (5.0, 5.0), (8.0, 4.0), (2.0, 9.0)]
            .into_iter()
            .flat_map(|(c, m)| std::iter::repeat_n(point("d", c, m, 2.0 + 0.8 * c + 0.4 * m), 6))
            .collect();
        let pool = Pool::fit(points.iter()).unwrap();
        let own = pool.estimate(&points[0].member, false);
        assert!((own.factors[0] - 1.0).abs() < 0.02, "{own:?}");
        assert!((own.factors[1] / 0.8 - 1.0).abs() < 0.02, "{own:?}");
        assert!((own.factors[2] / 0.4 - 1.0).abs() < 0.02, "{own:?}");
        // A device that nobody measured is less certain than the one that was.
        let class = pool.estimate(&points[0].member, true);
        assert!(class.covariance[1][1] > own.covariance[1][1] + 0.25 * 0.25 * 0.9);
    }

    #[test]
    fn the_gradient_is_that_of_the_cost() {
        let points = [point("a", 6.0, 3.0, 7.0), point("b", 1.0, 8.0, 5.0)];
        let problem = Problem::of(points.iter(), PRIORS);
        let z: Vec<f64> = (0..problem.parameters()).map(|at| 0.1 * (at as f64 - 3.0)).collect();
        let gradient = problem.gradient(&z).unwrap();
        for at in 0..z.len() {
            let moved = |by: f64| {
                let mut z = z.clone();
                z[at] += by;
                problem.cost(&z).unwrap()
            };
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((slope - gradient[at]).abs() < 1e-7, "{at}: {slope} {}", gradient[at]);
        }
    }

    #[test]
    fn nothing_to_fit_is_said() {
        assert_eq!(Pool::fit(std::iter::empty()).unwrap_err(), FitError::NoPoints);
    }
}
