//! Combinations that cannot be asked, counted by reason.

use crate::device::BackendKind;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// Why a combination cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The device lacks the backend.
    NoBackend(BackendKind),
    /// The device lacks the power mode.
    NoPowerMode(String),
    /// Nothing speaks for the device and its class.
    NoCalibration,
    /// More threads than the power mode leaves cores.
    ThreadsBeyondCores,
    /// More layers than the model has.
    LayersBeyondModel,
    /// Layers are left to a CPU that the device does not describe.
    NoHost,
    /// The model was not read from a GGUF file.
    NotStored,
    /// A row of the cache is no whole number of blocks.
    CacheType(String),
    /// The context does not hold the work.
    ContextTooSmall,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBackend(kind) => write!(f, "no {kind} backend"),
            Self::NoPowerMode(mode) => write!(f, "no power mode `{mode}`"),
            Self::NoCalibration => f.write_str("no calibration"),
            Self::ThreadsBeyondCores => f.write_str("more threads than cores"),
            Self::LayersBeyondModel => f.write_str("more layers than the model has"),
            Self::NoHost => f.write_str("no CPU for the layers that a GPU leaves"),
            Self::NotStored => f.write_str("not a GGUF file, so no stored precision"),
            Self::CacheType(caches) => write!(f, "no whole blocks in a KV cache of {caches}"),
            Self::ContextTooSmall => f.write_str("a context that does not hold depth, prompt and generated tokens"),
        }
    }
}

/// How many combinations were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The reason.
    pub reason: Reason,
    /// How many combinations.
    pub combinations: u64,
    /// The devices or models concerned.
    pub of: BTreeSet<String>,
}

/// The most names that are told one by one.
const TOLD: usize = 3;

impl fmt::Display for Skipped {
    /// `no vulkan backend: 24 (pi4, pi5 and 3 others)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.combinations)?;
        if self.of.is_empty() {
            return Ok(());
        }
        let told: Vec<&str> = self.of.iter().take(TOLD).map(String::as_str).collect();
        write!(f, " ({}", told.join(", "))?;
        match self.of.len() - told.len() {
            0 => f.write_str(")"),
            1 => f.write_str(" and 1 other)"),
            others => write!(f, " and {others} others)"),
        }
    }
}

/// What was left out while a space was laid out.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub skipped: Vec<Skipped>,
    /// Why a value that was named could not be asked somewhere, by flag and value.
    refusals: HashMap<(&'static str, String), String>,
}

impl Ledger {
    /// Counts combinations that cannot be asked of a device or model, and remembers why for the values in `named`.
    pub fn skip(&mut self, reason: Reason, of: &str, combinations: u64, named: &[(&'static str, String)], why: &str) {
        for (flag, value) in named {
            let refusal = self.refusals.entry((flag, value.clone()));
            refusal.or_insert_with(|| why.to_owned());
        }
        let at = self.skipped.iter().position(|skipped| skipped.reason == reason);
        let at = at.unwrap_or_else(|| {
            self.skipped.push(Skipped {
                reason,
                combinations: 0,
                of: BTreeSet::new(),
            });
            self.skipped.len() - 1
        });
        let skipped = &mut self.skipped[at];
        skipped.combinations = skipped.combinations.saturating_add(combinations);
        skipped.of.insert(of.to_owned());
    }

    /// Why a named value could not be asked, if it could not somewhere.
    pub fn why(&self, flag: &'static str, value: &str) -> Option<&str> {
        self.refusals.get(&(flag, value.to_owned())).map(String::as_str)
    }
}
