//! What to run on a device, or on which device to run a model: candidates held against what is wanted, the best first, and those that
//! failed by the least.

use super::compare::Purchase;
use crate::model::QualityMetric;
use crate::output::{Record, number};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// By what candidates are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// The largest [`effective_parameters`], then the most bits per weight, then the lowest price, then the least energy; precisions of a
    /// model whose quality is published stand among each other as published.
    Quality,
    /// The most decoded tokens per second.
    Speed,
    /// The least energy for a decoded token.
    Energy,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Wants {
    /// By what to rank.
    pub goal: Goal,
    /// Decoded tokens per second, at least.
    pub min_tokens_per_s: f64,
    /// Memory, at most; what the device leaves to users if none.
    pub max_memory_bytes: Option<f64>,
    /// How many to name.
    pub top: usize,
}

/// What can be recommended.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The prediction.
    pub record: Record,
    /// Whether the model generates: an encoder does not.
    pub generates: bool,
    /// Longest context that the model was trained for; none if its source does not say.
    pub context_length: Option<u64>,
    /// What the device costs; none if nobody says.
    pub price: Option<Purchase>,
}

/// Why a candidate is none.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Failure {
    /// It decodes too slowly.
    TooSlow {
        /// what it does
        tokens_per_s: f64,
        /// what is wanted
        wanted: f64,
    },
    /// It does not fit in the device's memory.
    DoesNotFit {
        /// what it needs
        memory_bytes: f64,
        /// what there is
        capacity_bytes: f64,
    },
    /// It fits, and needs more than is allowed.
    TooLarge {
        /// what it needs
        memory_bytes: f64,
        /// what is allowed
        limit_bytes: f64,
    },
    /// The model was trained for shorter contexts.
    ShortContext {
        /// what it was trained for
        trained: u64,
        /// what is wanted
        wanted: u64,
    },
    /// The device states no energies to rank it by.
    NoEnergy,
}

impl Failure {
    /// How many times it would have to be better.
    fn shortfall(&self) -> f64 {
        match *self {
            Self::TooSlow { tokens_per_s, wanted } => wanted / tokens_per_s,
            Self::DoesNotFit {
                memory_bytes,
                capacity_bytes,
            } => memory_bytes / capacity_bytes,
            Self::TooLarge {
                memory_bytes,
                limit_bytes,
            } => memory_bytes / limit_bytes,
            Self::ShortContext { trained, wanted } => wanted as f64 / trained.max(1) as f64,
            Self::NoEnergy => f64::INFINITY,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooSlow { tokens_per_s, wanted } => {
                write!(f, "{} of {} tokens/s", number::rate(tokens_per_s), number::rate(wanted))
            }
            Self::DoesNotFit {
                memory_bytes,
                capacity_bytes,
            } => write!(
                f,
                "needs {} of {}",
                number::bytes(memory_bytes),
                number::bytes(capacity_bytes)
            ),
            Self::TooLarge {
                memory_bytes,
                limit_bytes,
            } => write!(
                f,
                "needs {} of {} allowed",
                number::bytes(memory_bytes),
                number::bytes(limit_bytes)
            ),
            Self::ShortContext { trained, wanted } => write!(f, "trained for {trained} of {wanted} tokens"),
            Self::NoEnergy => f.write_str("the device states no energies"),
        }
    }
}

/// What kept a pick from a precision that ranks higher.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct HeldBack {
    /// The precision.
    pub precision: String,
    /// What it fails by.
    pub failures: Vec<Failure>,
}

/// A candidate that is recommended.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Pick {
    /// What it is ranked by for quality.
    pub effective_parameters: f64,
    /// Bits of the file per parameter.
    pub bits_per_weight: f64,
    /// What the device costs; none if nobody says.
    pub price: Option<Purchase>,
    /// Whether the whole 90 % interval of the speed is fast enough.
    pub surely_fast_enough: bool,
    /// The next better precision of the same model on the same device that failed, if one did.
    pub held_back: Option<HeldBack>,
    /// The prediction.
    pub prediction: Record,
}

/// A candidate that failed.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Miss {
    /// The model.
    pub model: String,
    /// The device.
    pub hardware: String,
    /// The precision that fails by the least.
    pub precision: String,
    /// Everything it fails by.
    pub failures: Vec<Failure>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Recommendation {
    /// Pairs of a model and a device that were considered.
    pub considered: usize,
    /// Those among them that have a precision which is good enough.
    pub good_enough: usize,
    /// The best, in order.
    pub picks: Vec<Pick>,
    /// Pairs without a precision that is good enough, those that failed by the least first.
    pub nearest_misses: Vec<Miss>,
}

/// Parameters of a dense model that a mixture of experts is taken to be worth, the geometric mean of all and of those that a token
/// uses; all of them where a token uses all.
#[must_use]
pub fn effective_parameters(record: &Record) -> f64 {
    let all = record.parameters as f64;
    record
        .active_parameters
        .map_or(all, |active| (all * all.min(active as f64)).sqrt())
}

fn bits_per_weight(record: &Record) -> f64 {
    8.0 * record.weight_bytes as f64 / record.parameters.max(1) as f64
}

/// Less is better; what is not known comes last.
fn ascending(a: Option<f64>, b: Option<f64>) -> Ordering {
    let key = |figure: Option<f64>| figure.unwrap_or(f64::INFINITY);
    key(a).total_cmp(&key(b))
}

/// The better of two first.
fn rank(goal: Goal, a: &Candidate, b: &Candidate) -> Ordering {
    let speed = |c: &Candidate| c.record.decode_tokens_per_s.unwrap_or(0.0);
    let faster = speed(b).total_cmp(&speed(a));
    let frugal = ascending(a.record.decode_energy_j_per_token, b.record.decode_energy_j_per_token);
    let quality = || {
        let bits = |c: &Candidate| bits_per_weight(&c.record);
        let parameters = effective_parameters(&b.record).total_cmp(&effective_parameters(&a.record));
        let price = |c: &Candidate| c.price.map(|price| price.amount);
        parameters
            .then_with(|| bits(b).total_cmp(&bits(a)))
            .then_with(|| ascending(price(a), price(b)))
    };
    let first = match goal {
        Goal::Quality => quality().then(frugal),
        Goal::Speed => faster.then_with(quality),
        Goal::Energy => frugal.then_with(quality),
    };
    let name = |c: &Candidate| (c.record.model.clone(), c.record.hardware.clone());
    first.then(faster).then_with(|| name(a).cmp(&name(b)))
}

/// How many times worse than the unquantised model a candidate is published to be, by which metric.
fn published_loss(record: &Record) -> Option<(QualityMetric, f64)> {
    let quality = record.quality.as_ref()?;
    let ratio = quality.over_unquantised?;
    let loss = match quality.metric {
        QualityMetric::Perplexity => ratio,
        QualityMetric::Accuracy => 1.0 / ratio,
    };
    Some((quality.metric, loss))
}

/// Sorts, the best first.
///
/// Bits per weight are a proxy, so that where quality is wanted, the precisions of a model with a published figure share the places that
/// the proxy gives them in the order of the figures; those without one keep their places.
fn sort<T>(goal: Goal, of: impl Fn(&T) -> &Candidate, all: &mut Vec<T>) {
    all.sort_by(|a, b| rank(goal, of(a), of(b)));
    if goal != Goal::Quality {
        return;
    }
    let mut slots: Vec<Option<T>> = all.drain(..).map(Some).collect();
    let judged = |slot: &Option<T>| {
        let record = &of(slot.as_ref()?).record;
        let (metric, loss) = published_loss(record)?;
        Some(((record.model.clone(), metric.name()), loss))
    };
    let mut places: BTreeMap<(String, &str), Vec<(usize, f64)>> = BTreeMap::new();
    for (place, slot) in slots.iter().enumerate() {
        if let Some((key, loss)) = judged(slot) {
            places.entry(key).or_default().push((place, loss));
        }
    }
    for places in places.into_values() {
        let mut best_first = places.clone();
        best_first.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let moved: Vec<Option<T>> = best_first
            .iter()
            .map(|&(place, _)| slots.get_mut(place)?.take())
            .collect();
        for ((place, _), item) in places.into_iter().zip(moved) {
            if let Some(slot) = slots.get_mut(place) {
                *slot = item;
            }
        }
    }
    all.extend(slots.into_iter().flatten());
}

fn failures(candidate: &Candidate, wants: &Wants) -> Vec<Failure> {
    let record = &candidate.record;
    let mut failures = Vec::new();
    let (memory_bytes, capacity_bytes) = (record.memory_bytes as f64, record.capacity_bytes as f64);
    if !record.fits {
        failures.push(Failure::DoesNotFit {
            memory_bytes,
            capacity_bytes,
        });
    }
    if let Some(limit_bytes) = wants.max_memory_bytes.filter(|limit| memory_bytes > *limit) {
        failures.push(Failure::TooLarge {
            memory_bytes,
            limit_bytes,
        });
    }
    if let Some(tokens_per_s) = record.decode_tokens_per_s.filter(|rate| *rate < wants.min_tokens_per_s) {
        failures.push(Failure::TooSlow {
            tokens_per_s,
            wanted: wants.min_tokens_per_s,
        });
    }
    let wanted = record.workload.context;
    if let Some(trained) = candidate.context_length.filter(|trained| *trained < wanted) {
        failures.push(Failure::ShortContext { trained, wanted });
    }
    if wants.goal == Goal::Energy && record.decode_energy_j_per_token.is_none() {
        failures.push(Failure::NoEnergy);
    }
    failures
}

/// How many times better a candidate would have to be in what it fails by the most. What does not fit has no rate to fail by, and reading
/// the rest from storage for every token bounds the one that it could have.
fn shortfall(candidate: &Candidate, failures: &[Failure], wants: &Wants) -> f64 {
    let paging = candidate.record.paging_s_per_token.unwrap_or(0.0);
    let least = 1.0_f64.max(wants.min_tokens_per_s * paging);
    failures.iter().map(Failure::shortfall).fold(least, f64::max)
}

/// How many misses are told.
const MISSES: usize = 5;

/// The best of `candidates` under `wants`: of each model on each device the best precision that is good enough, or every precision
/// where there is but one pair.
///
/// Quality is ranked by [`effective_parameters`] and by bits per weight, a proxy that knows neither what a model was trained on nor for what;
/// published figures put a model's precisions right among each other.
/// Candidates that generate nothing (encoders) are passed over.
#[must_use]
pub fn recommend(candidates: Vec<Candidate>, wants: &Wants) -> Recommendation {
    let pair = |candidate: &Candidate| (candidate.record.model.clone(), candidate.record.hardware.clone());
    let mut groups: Vec<Vec<(Candidate, Vec<Failure>)>> = Vec::new();
    for candidate in candidates {
        if !candidate.generates {
            continue;
        }
        let failures = failures(&candidate, wants);
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|(first, _)| pair(first) == pair(&candidate)))
        {
            Some(group) => group.push((candidate, failures)),
            None => groups.push(vec![(candidate, failures)]),
        }
    }
    let one_pair = groups.len() == 1;
    let considered = groups.len();
    let mut good: Vec<(Candidate, Option<HeldBack>)> = Vec::new();
    let mut nearest_misses: Vec<(f64, Miss)> = Vec::new();
    let mut good_enough = 0;
    for mut group in groups {
        sort(wants.goal, |(candidate, _)| candidate, &mut group);
        let passes = |(_, failures): &(Candidate, Vec<Failure>)| failures.is_empty();
        let first = group.iter().position(passes);
        good_enough += usize::from(first.is_some());
        let held_back = first.and_then(|first| first.checked_sub(1)).and_then(|before| {
            let (candidate, failures) = group.get(before)?;
            Some(HeldBack {
                precision: candidate.record.precision.to_string(),
                failures: failures.clone(),
            })
        });
        match first {
            Some(_) => {
                let taken = if one_pair { group.len() } else { 1 };
                let mut held_back = held_back;
                good.extend(
                    group
                        .into_iter()
                        .filter(passes)
                        .take(taken)
                        .map(|(candidate, _)| (candidate, held_back.take())),
                );
            }
            None => {
                let nearest = group
                    .iter()
                    .map(|(candidate, failures)| (shortfall(candidate, failures, wants), candidate, failures))
                    .min_by(|(a, ..), (b, ..)| a.total_cmp(b));
                nearest_misses.extend(nearest.map(|(shortfall, candidate, failures)| {
                    let miss = Miss {
                        model: candidate.record.model.clone(),
                        hardware: candidate.record.hardware.clone(),
                        precision: candidate.record.precision.to_string(),
                        failures: failures.clone(),
                    };
                    (shortfall, miss)
                }));
            }
        }
    }
    sort(wants.goal, |(candidate, _)| candidate, &mut good);
    nearest_misses.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let pick = |(candidate, held_back): (Candidate, Option<HeldBack>)| {
        let low = candidate.record.intervals().decode_tokens_per_s.map(|[low, _]| low);
        Pick {
            effective_parameters: effective_parameters(&candidate.record),
            bits_per_weight: bits_per_weight(&candidate.record),
            price: candidate.price,
            surely_fast_enough: low.is_some_and(|low| low >= wants.min_tokens_per_s),
            held_back,
            prediction: candidate.record,
        }
    };
    Recommendation {
        considered,
        good_enough,
        picks: good.into_iter().take(wants.top).map(pick).collect(),
        nearest_misses: nearest_misses.into_iter().map(|(_, miss)| miss).take(MISSES).collect(),
    }
}
