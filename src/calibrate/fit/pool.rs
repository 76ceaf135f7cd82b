//! The pooled fit: every device's measurements at once, with factors that a device shares with its class and a class with its kind.
//!
//! `position of a factor = mean + kind + class + device`, each deviation with the spread that [`super::prior`] states; the compute factors of
//! a phase have three more in common. A device without measurements has its class's factors, a class without measurements its
//! kind's, with the spreads as their uncertainty. So a factor is pulled towards what is known of like devices as far as the
//! device's own data is silent.

use super::prior::{self, Prior, SHARED_COMPUTE};
use super::{Covariance, FitError, Group, Loading, Point, Problem, Tail, factor_at, minimise, position_of, slope};
use crate::calibration::{Calibration, FactorId, Phase};
use crate::device::BackendKind;
use crate::quant::BlockType;
use nalgebra::DMatrix;
use std::collections::{BTreeSet, HashMap};

/// One backend of one device, as the pooled fit groups measurements.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// The device's id.
    pub device: String,
    /// Its backend.
    pub backend: BackendKind,
    /// The backend's class.
    pub class: String,
}

/// Whose deviation a parameter is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Level {
    /// All CPUs, or all GPUs.
    Kind(bool),
    Class(String),
    Device(String, BackendKind),
}

/// What deviates: a factor, or all compute factors of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Factor(FactorId),
    SharedCompute(Phase),
}

/// The parameters of a pooled fit by what they stand for.
#[derive(Debug, Clone, Default)]
struct Parameters {
    index: HashMap<(Level, Part), usize>,
}

impl Parameters {
    /// The loading of `factor` of a member: registers the parameters it needs if `grow`, else uses those there are.
    fn loading(&mut self, member: &Member, factor: FactorId, levels: usize, grow: bool) -> Loading {
        let own = prior::of(factor, member.backend);
        let mut loading = Loading {
            mean: position_of(factor, own.mean),
            terms: Vec::with_capacity(6),
        };
        let shared = match factor {
            FactorId::Compute(phase, _) => Some((Part::SharedCompute(phase), SHARED_COMPUTE)),
            _ => None,
        };
        for (part, prior) in [Some((Part::Factor(factor), own)), shared].into_iter().flatten() {
            for (level, spread) in levels_of(member, prior).into_iter().take(levels) {
                let next = self.index.len();
                let key = (level, part);
                match self.index.get(&key) {
                    Some(&parameter) => loading.terms.push((parameter, spread)),
                    None if grow => {
                        self.index.insert(key, next);
                        loading.terms.push((next, spread));
                    }
                    None => {}
                }
            }
        }
        loading
    }
}

fn levels_of(member: &Member, prior: Prior) -> [(Level, f64); 3] {
    [
        (Level::Kind(member.backend == BackendKind::Cpu), prior.root),
        (Level::Class(member.class.clone()), prior.class),
        (Level::Device(member.device.clone(), member.backend), prior.device),
    ]
}

/// The pooled fit of many devices.
#[derive(Debug)]
pub struct Pool {
    parameters: Parameters,
    solution: Vec<f64>,
    covariance: Option<Covariance>,
    measured: BTreeSet<FactorId>,
}

/// The factors of a member or a class, and the covariance of their logarithms in the same order.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Which factors; those of block types never measured anywhere are left out.
    pub factors: Vec<FactorId>,
    /// Their values.
    pub values: Vec<f64>,
    /// The covariance of their logarithms.
    pub covariance: DMatrix<f64>,
    /// Value and standard error of the logarithm of the compute factor of a block type never measured, prefill and decode.
    pub other: [(f64, f64); 2],
}

impl Estimate {
    /// Standard error of a prediction from the uncertainty of the factors, given its derivatives by their logarithms.
    #[must_use]
    pub fn sigma(&self, gradient: &[(FactorId, f64)]) -> f64 {
        let mut variance = 0.0;
        for &(a, da) in gradient {
            let Some(at_a) = self.factors.iter().position(|&factor| factor == a) else {
                if let FactorId::Compute(phase, _) = a {
                    variance += (da * self.other[phase as usize].1).powi(2);
                }
                continue;
            };
            for &(b, db) in gradient {
                if let Some(at_b) = self.factors.iter().position(|&factor| factor == b) {
                    variance += da * db * self.covariance[(at_a, at_b)];
                }
            }
        }
        variance.max(0.0).sqrt()
    }
}

impl Pool {
    /// Fits `points`, whose groups are `members`.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit(points: Vec<Point<'_>>, members: &[Member]) -> Result<Self, FitError> {
        let mut parameters = Parameters::default();
        let start: Vec<Calibration> = members.iter().map(|member| starting_point(member.backend)).collect();
        let mut used: Vec<BTreeSet<FactorId>> = vec![BTreeSet::new(); members.len()];
        for point in &points {
            used[point.group].extend(point.factors(&start[point.group]));
        }
        let groups = members
            .iter()
            .zip(start)
            .zip(&used)
            .map(|((member, base), used)| Group {
                base,
                loadings: used
                    .iter()
                    .map(|&factor| (factor, parameters.loading(member, factor, 3, true)))
                    .collect(),
            })
            .collect();
        let problem = Problem {
            tail: Tail::Normal,
            points,
            groups,
            parameters: parameters.index.len(),
        };
        let solution = minimise(&problem)?;
        let mut measured: BTreeSet<FactorId> = used.into_iter().flatten().collect();
        measured.extend([FactorId::Memory, FactorId::CoreShare, FactorId::Interconnect]);
        for phase in [Phase::Prefill, Phase::Decode] {
            measured.extend([
                FactorId::Attention(phase),
                FactorId::Operation(phase),
                FactorId::Pass(phase),
            ]);
        }
        let covariance = Covariance::at(&problem, &solution).ok();
        Ok(Self {
            parameters,
            solution,
            covariance,
            measured,
        })
    }

    fn value(&self, factor: FactorId, loading: &Loading) -> f64 {
        factor_at(factor, loading.value(&self.solution))
    }

    /// The factors of a member; of a device that was not measured, those of its class.
    #[must_use]
    pub fn calibration(&self, member: &Member) -> Calibration {
        let mut calibration = starting_point(member.backend);
        let mut parameters = self.parameters.clone();
        for factor in FactorId::all() {
            let loading = parameters.loading(member, factor, 3, false);
            calibration.set_factor(factor, self.value(factor, &loading));
        }
        calibration
    }

    /// The factors of a measured member and their uncertainty, or (`of_class`) those of any device of its class: the uncertainty
    /// then includes how devices of a class differ.
    ///
    /// # Errors
    /// [`FitError::Singular`] if the uncertainty cannot be told.
    pub fn estimate(&self, member: &Member, of_class: bool) -> Result<Estimate, FitError> {
        let covariance = self.covariance.as_ref().ok_or(FitError::Singular)?;
        let levels = if of_class { 2 } else { 3 };
        let mut parameters = self.parameters.clone();
        let factors: Vec<FactorId> = self.measured.iter().copied().collect();
        let loadings: Vec<Loading> = factors
            .iter()
            .map(|&factor| parameters.loading(member, factor, levels, false))
            .collect();
        let mut matrix = covariance.of(&loadings.iter().collect::<Vec<_>>());
        // Deviations that no measurement has a parameter for keep their spread.
        for (a, &factor_a) in factors.iter().enumerate() {
            let own = prior::of(factor_a, member.backend);
            for (level, spread) in levels_of(member, own) {
                if !self.has(&level, Part::Factor(factor_a), of_class) {
                    matrix[(a, a)] += spread * spread;
                }
            }
            let FactorId::Compute(phase, _) = factor_a else {
                continue;
            };
            for (level, spread) in levels_of(member, SHARED_COMPUTE) {
                if self.has(&level, Part::SharedCompute(phase), of_class) {
                    continue;
                }
                for (b, &factor_b) in factors.iter().enumerate() {
                    if matches!(factor_b, FactorId::Compute(other, _) if other == phase) {
                        matrix[(a, b)] += spread * spread;
                    }
                }
            }
        }
        let other = [Phase::Prefill, Phase::Decode].map(|phase| {
            // A block type that nobody measured: what all of the phase share, and the spread of block types about it.
            let unmeasured = BlockType::ALL
                .iter()
                .copied()
                .map(|block_type| FactorId::Compute(phase, block_type))
                .find(|factor| !self.measured.contains(factor) && !is_plain(*factor))
                .unwrap_or(FactorId::Compute(phase, BlockType::Q8_1));
            let loading = parameters.loading(member, unmeasured, levels, false);
            let own = prior::of(unmeasured, member.backend);
            let shared = covariance.of(&[&loading])[(0, 0)];
            let spread = own.root.hypot(own.class).hypot(own.device);
            let unshared: f64 = levels_of(member, SHARED_COMPUTE)
                .into_iter()
                .filter(|(level, _)| !self.has(level, Part::SharedCompute(phase), of_class))
                .map(|(_, spread)| spread * spread)
                .sum();
            (
                self.value(unmeasured, &loading),
                (shared + unshared + spread * spread).sqrt(),
            )
        });
        let values: Vec<f64> = factors
            .iter()
            .zip(&loadings)
            .map(|(&factor, loading)| self.value(factor, loading))
            .collect();
        // From positions to logarithms of the factors.
        for (a, (&factor_a, &value_a)) in factors.iter().zip(&values).enumerate() {
            for (b, (&factor_b, &value_b)) in factors.iter().zip(&values).enumerate() {
                matrix[(a, b)] *= slope(factor_a, value_a) * slope(factor_b, value_b);
            }
        }
        Ok(Estimate {
            factors,
            values,
            covariance: matrix,
            other,
        })
    }

    fn has(&self, level: &Level, part: Part, of_class: bool) -> bool {
        let outside = of_class && matches!(level, Level::Device(..));
        !outside && self.parameters.index.contains_key(&(level.clone(), part))
    }
}

fn is_plain(factor: FactorId) -> bool {
    matches!(factor, FactorId::Compute(_, block_type) if block_type.is_plain())
}

/// The factors before anything is measured.
fn starting_point(backend: BackendKind) -> Calibration {
    let mut calibration = Calibration::bare();
    for factor in FactorId::all() {
        calibration.set_factor(factor, prior::of(factor, backend).mean);
    }
    calibration
}
