//! Model files to measure with: of any known model and mix, complete enough for llama.cpp to load and run, with weights that mean
//! nothing. Speed depends on shapes and block types, not on values, so nothing need be downloaded.

mod blocks;
mod metadata;

use std::path::Path;

use crate::gguf::{self, Contents, Data, NewTensor, Progress, WriteError};
use crate::model::gguf::tensor_name;
use crate::model::{Model, Tensor};
use crate::quant::{BlockType, Mix};

/// What the weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyntheticData {
    /// Random, finite and small, so that the model runs as a trained one does.
    #[default]
    Random,
    /// A hole in the file: for tools that look at the header only.
    Sparse,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What the weights are.
    pub data: SyntheticData,
    /// The mix that the block types follow, for the name that llama.cpp prints.
    pub mix: Option<Mix>,
}

/// Why a model has no synthetic file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// Not one block type a tensor.
    #[error("{types} block types were given for the {tensors} tensors of {model}")]
    Types {
        /// The model.
        model: String,
        /// Its tensors.
        tensors: usize,
        /// The types given.
        types: usize,
    },
    /// A tensor of no known role, and so of no name.
    #[error("{model} has tensors whose roles are not known: a file of its kind cannot be made")]
    Unknown {
        /// The model.
        model: String,
    },
    /// A model without layers.
    #[error("{model} has no layers")]
    NoLayers {
        /// The model.
        model: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Writes a file of `model` with its tensors stored as `types`, and gives back its length in bytes.
///
/// Memory stays flat (a few MiB a block type in use); the speed is that of the disk. The file has its name only when complete.
///
/// # Errors
/// [`SyntheticError`] if the model cannot be written so, or the system refuses; no part of a file is left then.
pub fn write(
    model: &Model,
    types: &[BlockType],
    path: &Path,
    options: Options,
    progress: Progress<'_>,
) -> Result<u64, SyntheticError> {
    let contents = contents(model, types, options)?;
    let mut pool = blocks::Pool::default();
    let mut fill = |index: usize, output: &mut dyn std::io::Write| {
        let bytes = contents
            .tensors
            .get(index)
            .and_then(|tensor| tensor.bytes().ok())
            .unwrap_or_default();
        match (model.tensors.get(index), types.get(index)) {
            (Some(tensor), Some(&block_type)) => pool.write(output, block_type, blocks::Values::of(tensor), bytes),
            _ => Ok(()),
        }
    };
    let data = match options.data {
        SyntheticData::Random => Data::From(&mut fill),
        SyntheticData::Sparse => Data::Hole,
    };
    Ok(gguf::write(path, &contents, data, progress)?)
}

/// Length of the file that [`write()`] would make, bytes.
///
/// # Errors
/// [`SyntheticError`] if it would make none.
pub fn file_bytes(model: &Model, types: &[BlockType], options: Options) -> Result<u64, SyntheticError> {
    Ok(contents(model, types, options)?.file_bytes()?)
}

/// Metadata and tensor records.
fn contents(model: &Model, types: &[BlockType], options: Options) -> Result<Contents, SyntheticError> {
    let name = || model.id.clone();
    if types.len() != model.tensors.len() {
        return Err(SyntheticError::Types {
            model: name(),
            tensors: model.tensors.len(),
            types: types.len(),
        });
    }
    if model.mixers.is_empty() {
        return Err(SyntheticError::NoLayers { model: name() });
    }
    let record = |(tensor, &block_type): (&Tensor, &BlockType)| {
        let dimensions = tensor.shape();
        tensor_name(model, tensor).map(|name| NewTensor {
            name,
            dimensions,
            block_type,
        })
    };
    let tensors: Option<Vec<NewTensor>> = model.tensors.iter().zip(types).map(record).collect();
    let tensors = tensors.ok_or_else(|| SyntheticError::Unknown { model: name() })?;
    Ok(Contents {
        metadata: metadata::of(model, options.mix),
        tensors,
    })
}
