//! Which setting is best for each phase, by the law and by how much, and what the law cannot tell apart.
//!
//! Every combination of the knobs' positions is predicted, a microsecond each, so that the best is the best of all and not of a
//! path. Of settings that cost the same the one nearest to the default is taken, and the cache's type is left alone unless another is
//! better beyond doubt, since what it costs the model's answers is no part of the goal. A difference counts as told apart if it is more than
//! the 90 % interval of the ratio leaves open ([`ratio_sigma`]).

mod grid;
mod setting;

pub use setting::{Knob, Setting};

use crate::calibration::Phase;
use crate::decide::Target;
use crate::model::Model;
use crate::perf::sums::ModelSums;
use crate::perf::{Interval, QUANTILE_90, ratio_sigma};
use crate::quant::Precision;
use crate::scenario::{ScenarioError, Workload};
use grid::{Grid, Point, Spent};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// The least time.
    Speed,
    /// The least energy.
    Energy,
    /// The least action, energy times time.
    Action,
}

impl Goal {
    fn cost(self, spent: Spent) -> Option<f64> {
        match self {
            Self::Speed => Some(spent.seconds),
            Self::Energy => spent.joules,
            Self::Action => spent.joules.map(|joules| joules * spent.seconds),
        }
    }

    /// How often the time of a phase enters its cost, for the uncertainty.
    const fn powers_of_time(self) -> f64 {
        match self {
            Self::Speed | Self::Energy => 1.0,
            Self::Action => 2.0,
        }
    }
}

/// Why nothing can be tuned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// The question cannot be asked.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The device states no energies.
    #[error(
        "{device} states no powers or energies, so that it cannot be tuned for them; tune for speed, or add [power] and the energies of its backend"
    )]
    NoEnergy {
        /// device id
        device: String,
    },
    /// There is neither prompt nor generation.
    #[error("there is nothing to tune without a prompt or a generation; raise --prompt or --generate")]
    NoWork,
    /// No setting fits.
    #[error("the model fits in no setting of this device; `edgeprof predict` says by how much and what would fit")]
    NothingFits,
}

/// How a figure compares with the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is the best.
    Best,
    /// The law gives the same figure.
    Same,
    /// The intervals leave open which is better.
    Open,
    /// It is worse, by more than the intervals leave open.
    Worse,
    /// It does not fit in memory.
    DoesNotFit,
}

/// One position of a knob, all others as the best setting of the phase has them.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Alternative {
    /// The knob.
    pub knob: Knob,
    /// Its position.
    pub value: String,
    /// Whether the default has it there.
    pub is_default: bool,
    /// Seconds of the phase; none where it does not fit.
    pub seconds: Option<f64>,
    /// Its energy, if the device states energies and it fits.
    pub joules: Option<f64>,
    /// What the goal has of the best: 0.8 is a fifth less speed, or the best's energy over this one's; none where it does not fit.
    pub of_best: Option<f64>,
    /// How sure that is.
    pub verdict: Verdict,
    /// Memory of the setting.
    pub memory_bytes: f64,
}

/// A knob whose positions are all the same to the law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Indistinct {
    /// The knob.
    pub knob: Knob,
    /// Why.
    pub why: &'static str,
}

/// The best setting for a phase.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Best {
    /// The phase.
    pub phase: Phase,
    /// The setting.
    pub setting: Setting,
    /// Tokens of the phase.
    pub tokens: f64,
    /// Seconds of the phase.
    pub seconds: f64,
    /// Its energy, if the device states energies.
    pub joules: Option<f64>,
    /// Seconds with the default setting; none where that does not fit.
    pub default_seconds: Option<f64>,
    /// Energy with the default setting, if the device states energies and it fits.
    pub default_joules: Option<f64>,
    /// The default's time, energy or action over the best's; none where the default does not fit.
    pub gain: Option<f64>,
    /// 90 % interval of the gain.
    pub gain_interval: Option<Interval>,
    /// Knobs whose position gains more over the default's than the intervals leave open.
    pub worth_setting: Vec<Knob>,
    /// Every other position of every knob.
    pub alternatives: Vec<Alternative>,
    /// Knobs that the law does not tell apart in this phase.
    pub indistinct: Vec<Indistinct>,
}

/// The best setting for the whole request: the knobs of both phases the same, but for the threads.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BestRequest {
    /// The setting; its threads are those of decoding.
    pub setting: Setting,
    /// Threads of the prompt.
    pub prefill_threads: Option<u64>,
    /// Seconds of both phases.
    pub seconds: f64,
    /// Their energy, if the device states energies.
    pub joules: Option<f64>,
    /// The default's time, energy or action over the best's; none where the default does not fit.
    pub gain: Option<f64>,
}

/// What tuning found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Tuning {
    /// What is wanted.
    pub goal: Goal,
    /// The setting without tuning.
    pub default: Setting,
    /// Knobs that have more than one position here.
    pub knobs: Vec<Knob>,
    /// Predictions that were made.
    pub settings: usize,
    /// Those among them that do not fit in memory.
    pub settings_that_do_not_fit: usize,
    /// The best of each phase that there is.
    pub phases: Vec<Best>,
    /// The best of the whole request.
    pub request: BestRequest,
}

/// Relative difference below which two costs are the same figure.
const SAME: f64 = 1e-9;

/// Tunes the knobs `turned` of `target` for `goal`.
///
/// # Errors
/// [`TuneError`]: what cannot be asked, and a device that does not state what the goal needs.
pub fn tune(
    target: &Target,
    model: &Model,
    sums: &ModelSums,
    precision: Precision,
    workload: Workload,
    goal: Goal,
    turned: &[Knob],
) -> Result<Tuning, TuneError> {
    let grid = Grid::new(target, model, sums, precision, workload, turned)?;
    let default = grid.point(&grid.default)?;
    let there_are = [Phase::Prefill, Phase::Decode].map(|phase| (phase, grid.tokens(phase)));
    if there_are.iter().all(|(_, tokens)| *tokens <= 0.0) {
        return Err(TuneError::NoWork);
    }
    let all = grid.points()?;
    let settings = all.len();
    let fitting: Vec<Point> = all.into_iter().filter(|point| point.fits).collect();
    if fitting.is_empty() {
        return Err(TuneError::NothingFits);
    }
    let no_energy = || TuneError::NoEnergy {
        device: target.device().id.clone(),
    };
    let mut phases = Vec::new();
    for (phase, tokens) in there_are {
        if tokens <= 0.0 {
            continue;
        }
        let best = least(&fitting, &grid.default, |point| point.cost(phase, goal)).ok_or_else(no_energy)?;
        let careful = grid.point(&best.setting.with(Knob::KvType, &grid.default))?;
        let best = match judge(&grid, best, &careful, phase, goal)?.1 {
            Verdict::Open | Verdict::Same => &careful,
            _ => best,
        };
        phases.push(describe(&grid, best, phase, goal, default.phase(phase))?);
    }
    let caches: Vec<_> = phases
        .iter()
        .map(|best| best.setting.kv_type)
        .chain([grid.default.kv_type])
        .collect();
    let mut in_question = fitting;
    let settings_that_do_not_fit = settings - in_question.len();
    in_question.retain(|point| caches.contains(&point.setting.kv_type));
    Ok(Tuning {
        goal,
        knobs: grid.knobs.iter().map(|(knob, _)| *knob).collect(),
        settings,
        settings_that_do_not_fit,
        phases,
        request: best_request(&in_question, &default, goal).ok_or_else(no_energy)?,
        default: grid.default,
    })
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

/// The point of the least cost, of those that cost the same the nearest to the default.
fn least<'a>(points: &'a [Point], default: &Setting, cost: impl Fn(&Point) -> Option<f64>) -> Option<&'a Point> {
    let mut best: Option<(&Point, f64)> = None;
    for point in points {
        let this = cost(point)?;
        let better = best.is_none_or(|(other, least)| {
            if same(this, least) {
                point.setting.distance(default) < other.setting.distance(default)
            } else {
                this < least
            }
        });
        if better {
            best = Some((point, this));
        }
    }
    best.map(|(point, _)| point)
}

/// How much `point` has of the best in a phase, and how sure that is.
fn judge(
    grid: &Grid<'_>,
    best: &Point,
    point: &Point,
    phase: Phase,
    goal: Goal,
) -> Result<(Option<f64>, Verdict), TuneError> {
    let (Some(least), Some(cost)) = (best.cost(phase, goal), point.cost(phase, goal)) else {
        return Ok((None, Verdict::DoesNotFit));
    };
    let of_best = least / cost;
    let verdict = if point.setting == best.setting {
        Verdict::Best
    } else if same(of_best, 1.0) {
        Verdict::Same
    } else {
        let (best, other) = (grid.ask(&best.setting)?, grid.ask(&point.setting)?);
        let sigma = sigma(phase, goal, (&best.0, &best.1), (&other.0, &other.1));
        if of_best.ln().abs() <= QUANTILE_90 * sigma {
            Verdict::Open
        } else {
            Verdict::Worse
        }
    };
    Ok((Some(of_best), verdict))
}

fn describe(grid: &Grid<'_>, best: &Point, phase: Phase, goal: Goal, before: Option<Spent>) -> Result<Best, TuneError> {
    let spent = best.phase(phase).ok_or(TuneError::NoWork)?;
    let cost = goal.cost(spent).unwrap_or(f64::NAN);
    let answer = grid.ask(&best.setting)?;
    let mut alternatives = Vec::new();
    let mut indistinct = Vec::new();
    let mut worth_setting = Vec::new();
    for (knob, positions) in &grid.knobs {
        let mut rows = Vec::new();
        for position in positions {
            let point = grid.point(&best.setting.with(*knob, position))?;
            let (of_best, verdict) = judge(grid, best, &point, phase, goal)?;
            let spent = point.phase(phase);
            let is_default = position.value(*knob) == grid.default.value(*knob);
            if is_default && matches!(verdict, Verdict::Worse | Verdict::DoesNotFit) {
                worth_setting.push(*knob);
            }
            rows.push(Alternative {
                knob: *knob,
                value: position.value(*knob),
                is_default,
                seconds: spent.map(|spent| spent.seconds),
                joules: spent.and_then(|spent| spent.joules),
                of_best,
                verdict,
                memory_bytes: point.memory_bytes,
            });
        }
        if rows
            .iter()
            .all(|row| matches!(row.verdict, Verdict::Best | Verdict::Same))
        {
            indistinct.push(Indistinct {
                knob: *knob,
                why: why_indistinct(*knob, phase),
            });
        }
        alternatives.extend(rows);
    }
    let default_answer = grid.ask(&grid.default)?;
    let gain = before.and_then(|before| Some(goal.cost(before)? / cost));
    let spread = if best.setting == grid.default {
        1.0
    } else {
        let sigma = sigma(
            phase,
            goal,
            (&answer.0, &answer.1),
            (&default_answer.0, &default_answer.1),
        );
        (QUANTILE_90 * sigma).exp()
    };
    Ok(Best {
        phase,
        setting: best.setting.clone(),
        tokens: grid.tokens(phase),
        seconds: spent.seconds,
        joules: spent.joules,
        default_seconds: before.map(|before| before.seconds),
        default_joules: before.and_then(|before| before.joules),
        gain,
        gain_interval: gain.map(|gain| [gain / spread, gain * spread]),
        worth_setting,
        alternatives,
        indistinct,
    })
}

/// The standard deviation of the logarithm of the ratio of two costs: that of the times, and for energies what their constants add.
fn sigma(phase: Phase, goal: Goal, a: crate::perf::Predicted<'_, '_>, b: crate::perf::Predicted<'_, '_>) -> f64 {
    let times = ratio_sigma(a, b, phase).unwrap_or(f64::INFINITY);
    let constants = match goal {
        Goal::Speed => 0.0,
        Goal::Energy | Goal::Action => energy_constants(a).max(energy_constants(b)),
    };
    (goal.powers_of_time() * times).hypot(constants)
}

/// What the constants of energy add to the deviation of a prediction's energy beyond that of its time.
fn energy_constants((scenario, prediction): crate::perf::Predicted<'_, '_>) -> f64 {
    let uncertain = prediction.uncertain(scenario);
    let (Some(energy), Some(time)) = (uncertain.decode_energy_j_per_token, uncertain.decode_tokens_per_s) else {
        return 0.0;
    };
    (energy.sigma * energy.sigma - time.sigma * time.sigma).max(0.0).sqrt()
}

/// Why the law gives one figure for every position of a knob.
const fn why_indistinct(knob: Knob, phase: Phase) -> &'static str {
    match (knob, phase) {
        (Knob::Ubatch, Phase::Decode) => "decoding computes one token of a sequence at a time",
        (Knob::Ubatch, Phase::Prefill) => "the prompt fits in the smallest of them",
        (Knob::Repack, Phase::Decode) => "decoding reads as many bytes in either layout",
        (Knob::Repack, Phase::Prefill) => "no matrix is of a type that this CPU repacks",
        (Knob::KvType, _) => "the model keeps no cache of this kind",
        (Knob::Threads, _) => "the phase does not depend on them",
        (Knob::PowerMode, _) => "the modes differ in nothing that this backend uses",
        (Knob::GpuLayers, _) => "the layers take as long on either side",
    }
}

/// The best for both phases together.
fn best_request(points: &[Point], default: &Point, goal: Goal) -> Option<BestRequest> {
    let phases = |prefill: &Point, decode: &Point| {
        let parts = [prefill.prefill, decode.decode];
        let mut parts = parts.into_iter().flatten();
        let first = parts.next()?;
        Some(parts.fold(first, |sum, part| Spent {
            seconds: sum.seconds + part.seconds,
            joules: sum.joules.zip(part.joules).map(|(a, b)| a + b),
        }))
    };
    let mut groups: Vec<(Setting, Vec<&Point>)> = Vec::new();
    for point in points {
        let common = Setting {
            threads: None,
            ..point.setting.clone()
        };
        match groups.iter_mut().find(|(setting, _)| *setting == common) {
            Some((_, group)) => group.push(point),
            None => groups.push((common, vec![point])),
        }
    }
    let mut best: Option<(&Point, &Point, Spent, f64)> = None;
    for (_, group) in &groups {
        for prefill in group {
            for decode in group {
                let spent = phases(prefill, decode)?;
                let cost = goal.cost(spent)?;
                let far = |prefill: &Point, decode: &Point| {
                    prefill.setting.distance(&default.setting) + decode.setting.distance(&default.setting)
                };
                let better = best.as_ref().is_none_or(|(p, d, _, least)| {
                    if same(cost, *least) {
                        far(prefill, decode) < far(p, d)
                    } else {
                        cost < *least
                    }
                });
                if better {
                    best = Some((prefill, decode, spent, cost));
                }
            }
        }
    }
    let (prefill, decode, spent, cost) = best?;
    Some(BestRequest {
        setting: decode.setting.clone(),
        prefill_threads: prefill.setting.threads,
        seconds: spent.seconds,
        joules: spent.joules,
        gain: phases(default, default).and_then(|before| Some(goal.cost(before)? / cost)),
    })
}
