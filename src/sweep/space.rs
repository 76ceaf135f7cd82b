//! All rows of a sweep, by number.

use super::asked::{Asked, Caches};
use super::skipped::Skipped;
use crate::catalog::{CatalogError, Entry};
use crate::decide::{Target, TargetError};
use crate::device::DerivedError;
use crate::economy::Terms;
use crate::model::Model;
use crate::quant::{NotStored, Precision};
use crate::scenario::{ScenarioError, Workload};
use std::sync::Arc;

/// Why a sweep cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// A name is not there.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Something that was named can be asked nowhere.
    #[error("{flag} {value} can be asked nowhere in this sweep: {why}")]
    Impossible {
        /// the flag
        flag: &'static str,
        /// as named
        value: String,
        /// why not
        why: String,
    },
    /// A piece of work that cannot be.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A device runs at no such clock, or sits in no such machine.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// No combination is left.
    #[error("there is nothing to sweep: {why}")]
    Nothing {
        /// why not
        why: String,
    },
    /// More rows than can be numbered.
    #[error("this sweep has more rows than can be counted; name fewer values")]
    TooManyRows,
}

impl SpaceError {
    /// The same where a target failed.
    pub(super) fn of_target(error: TargetError) -> Self {
        match error {
            TargetError::Catalog(error) => Self::Catalog(error),
            TargetError::Scenario(error) => Self::Scenario(error),
            TargetError::Derived(error) => Self::Derived(error),
        }
    }

    /// The same where a model has no stored precision.
    pub(super) fn of_stored(error: &NotStored) -> Self {
        Self::Impossible {
            flag: "--prec",
            value: Precision::Stored.to_string(),
            why: error.to_string(),
        }
    }
}

/// All rows of a sweep: what was asked with its names looked up, without what cannot be asked.
///
/// Rows are numbered from 0, models outermost; then precisions, devices with backend and power mode, cache types, layers on the GPU,
/// threads, batches, micro-batches, sequences, contexts, prompts, generated tokens and, innermost, depths.
#[derive(Debug)]
pub struct Space {
    pub(super) groups: Vec<Group>,
    pub(super) lanes: Vec<Lane>,
    pub(super) work: Work,
    pub(super) skipped: Vec<Skipped>,
}

/// A model and everything it is asked.
#[derive(Debug)]
pub(super) struct Group {
    pub model: Arc<Entry<Model>>,
    pub precisions: Vec<Precision>,
    /// What is asked in each of the precisions.
    pub lots: Vec<Lot>,
    /// The number of the row behind its last.
    pub end: u64,
}

/// A target and what energy is worth on it.
#[derive(Debug)]
pub(super) struct Lane {
    pub target: Target,
    pub terms: Terms,
}

/// A model in one precision on one target.
#[derive(Debug)]
pub(super) struct Lot {
    /// Which of the lanes.
    pub lane: usize,
    pub caches: Arc<[Caches]>,
    pub gpu_layers: Arc<[Option<u64>]>,
    pub threads: Arc<[Option<u64>]>,
    /// The number of the row behind its last, from the first of its precision.
    pub end: u64,
}

/// The axes that are the same for every model and target.
#[derive(Debug)]
pub(super) struct Work {
    pub batch: Vec<u64>,
    pub ubatch: Vec<u64>,
    pub sequences: Vec<u64>,
    pub context: Vec<Option<u64>>,
    pub prompt: Vec<u64>,
    pub generate: Vec<u64>,
    pub depth: Vec<u64>,
    pub repack: bool,
}

impl Work {
    /// # Errors
    /// [`ScenarioError`]: a value that can be asked of no machine.
    pub fn new(asked: &Asked) -> Result<Self, ScenarioError> {
        let work = Self {
            batch: asked.batch.clone(),
            ubatch: asked.ubatch.clone(),
            sequences: asked.sequences.clone(),
            context: if asked.context.is_empty() {
                vec![None]
            } else {
                asked.context.iter().copied().map(Some).collect()
            },
            prompt: asked.prompt.clone(),
            generate: asked.generate.clone(),
            depth: asked.depth.clone(),
            repack: asked.repack,
        };
        let nothing = Workload {
            prompt: 0,
            generate: 0,
            ..Workload::default()
        };
        type Set = fn(&mut Workload, u64);
        let axes: [(&[u64], Set); 8] = [
            (&work.batch, |work, value| work.batch = value),
            (&work.ubatch, |work, value| work.ubatch = value),
            (&work.sequences, |work, value| work.sequences = value),
            (&asked.context, |work, value| work.context = Some(value)),
            (&work.prompt, |work, value| work.prompt = value),
            (&work.generate, |work, value| work.generate = value),
            (&work.depth, |work, value| work.depth = value),
            (asked.threads.listed(), |work, value| work.threads = Some(value)),
        ];
        for (values, set) in axes {
            for &value in values {
                let mut alone = nothing;
                set(&mut alone, value);
                alone.check()?;
            }
        }
        // A context that holds not even the least of the work holds none of it.
        let least = |values: &[u64]| values.iter().copied().min().unwrap_or(0);
        for &context in &work.context {
            Workload {
                context,
                prompt: least(&work.prompt),
                generate: least(&work.generate),
                depth: least(&work.depth),
                ..nothing
            }
            .check()?;
        }
        Ok(work)
    }

    /// How many pieces of work there are of one cache type, number of layers and number of threads.
    pub fn len(&self) -> u64 {
        let lengths = [
            self.batch.len(),
            self.ubatch.len(),
            self.sequences.len(),
            self.context.len(),
            self.prompt.len(),
            self.generate.len(),
            self.depth.len(),
        ];
        lengths
            .into_iter()
            .fold(1, |rows, length| rows.saturating_mul(length as u64))
    }
}

impl Space {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// What was left out because it cannot be asked.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }
}

impl Group {
    /// How many rows each of its precisions has.
    pub fn rows_per_precision(&self) -> u64 {
        self.lots.last().map_or(0, |lot| lot.end)
    }
}
