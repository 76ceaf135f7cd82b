//! What a sweep is asked: a list for every axis.

use crate::catalog::Choice;
use crate::device::BackendKind;
use crate::economy::Terms;
use crate::quant::{CacheType, Precision};
use std::fmt;

/// What is asked of one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick<T> {
    /// Nothing: what the device or the model itself would choose.
    Own,
    /// Everything that there is.
    All,
    /// These.
    Listed(Vec<T>),
}

impl<T> Pick<T> {
    /// Those that were listed; none if it was left to others.
    pub(super) fn listed(&self) -> &[T] {
        match self {
            Self::Listed(items) => items,
            Self::Own | Self::All => &[],
        }
    }
}

/// How keys and values are cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caches {
    /// The keys.
    pub keys: CacheType,
    /// The values.
    pub values: CacheType,
}

impl fmt::Display for Caches {
    /// `q8_0`, or `q8_0/q4_0` for keys and values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keys.name())?;
        if self.keys == self.values {
            Ok(())
        } else {
            write!(f, "/{}", self.values.name())
        }
    }
}

/// The axes of a sweep, the outermost first: the last one changes from row to row.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Names or paths of models.
    pub models: Pick<String>,
    /// Precisions; `All` are llama.cpp's mixes and those of other frameworks.
    pub precisions: Pick<Precision>,
    /// Names or paths of devices.
    pub hardware: Pick<String>,
    /// What computes.
    pub backends: Pick<BackendKind>,
    /// Power modes.
    pub power_modes: Pick<String>,
    /// Cache types; `All` are those of keys and values alike.
    pub caches: Pick<Caches>,
    /// Layers on a GPU.
    pub gpu_layers: Pick<u64>,
    /// CPU threads; `All` are 1 to the number of cores.
    pub threads: Pick<u64>,
    /// Logical batches.
    pub batch: Vec<u64>,
    /// Physical batches.
    pub ubatch: Vec<u64>,
    /// Sequences side by side.
    pub sequences: Vec<u64>,
    /// Sizes of the cache; as the work fills it if empty.
    pub context: Vec<u64>,
    /// Prompts.
    pub prompt: Vec<u64>,
    /// Generated tokens.
    pub generate: Vec<u64>,
    /// Tokens in the cache before.
    pub depth: Vec<u64>,
    /// Whether weights are repacked for the CPU.
    pub repack: bool,
    /// What energy is worth.
    pub terms: Terms,
    /// What the predictions rest on.
    pub calibration: Choice,
}
