//! The uncertainty of a fit: the inverse of the Gauss-Newton Hessian at the solution (Laplace's approximation).

use super::{FitError, Loading, Problem};
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

/// The covariance of the parameters of a [`Problem`] at its solution.
#[derive(Debug, Clone)]
pub struct Covariance {
    factor: Cholesky<f64, Dyn>,
    parameters: usize,
}

impl Covariance {
    /// `(JᵀWJ + P)⁻¹`, with the weights `W` that the robust loss leaves each point at `z`, and `P` those of the prior.
    ///
    /// # Errors
    /// [`FitError::Singular`] if the matrix cannot be inverted.
    pub fn at(problem: &Problem<'_>, z: &[f64]) -> Result<Self, FitError> {
        let parameters = problem.parameters;
        let prior = z.iter().map(|&z| problem.tail.weight(z));
        let mut hessian = DMatrix::from_diagonal(&DVector::from_iterator(parameters, prior));
        problem.visit(z, |r, derivatives| {
            let weight = 1.0 / (1.0 + r * r).sqrt();
            for &(a, da) in derivatives {
                for &(b, db) in derivatives {
                    hessian[(a, b)] += weight * da * db;
                }
            }
        });
        let factor = Cholesky::new(hessian).ok_or(FitError::Singular)?;
        Ok(Self { factor, parameters })
    }

    /// The covariance matrix of log factors, given how each loads on the parameters.
    #[must_use]
    pub fn of(&self, loadings: &[&Loading]) -> DMatrix<f64> {
        let mut transposed = DMatrix::<f64>::zeros(self.parameters, loadings.len());
        for (column, loading) in loadings.iter().enumerate() {
            for &(parameter, coefficient) in &loading.terms {
                transposed[(parameter, column)] += coefficient;
            }
        }
        let solved = self.factor.solve(&transposed);
        transposed.transpose() * solved
    }
}
