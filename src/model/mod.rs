//! A model is the list of its weight tensors; every closed form is a sum over that list, so the forms cannot disagree.

mod config;
mod dimensions;
mod error;
mod family;
mod file;
pub mod gguf;
mod mixer;
mod quality;
mod tensor;

pub use config::{ConfigError, parse_config, read_config};
pub use dimensions::{Dimensions, RopeFactors};
pub use error::ModelError;
pub use family::Family;
pub use file::{ModelFile, ModelFileError, Published, PublishedSize, Size};
pub use mixer::{Attention, Mixer, Recurrent};
pub use quality::{Quality, QualityError, QualityMetric, QualityTable, QualityValue};
pub use tensor::{Role, Stack, Tensor, Use};

use crate::quant::Precision;

/// How completely a model is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// Its architecture is one of the [families](Family): every tensor's use and every layer's mixer is known.
    Exact,
    /// Read from a GGUF of another architecture: parameters and bytes are exact, the rest follows a generic rule.
    Generic,
}

/// A model: its tensors and what else the closed forms ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The catalogue id, or the file's stem.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// llama.cpp's name of the architecture (`llama`, `qwen2`, ...).
    pub architecture: String,
    /// How completely it is known.
    pub knowledge: Knowledge,
    /// Every weight tensor, in the order of the file.
    pub tensors: Vec<Tensor>,
    /// One mixer a layer; an encoder's layers first where there are both.
    pub mixers: Vec<Mixer>,
    /// Cross attention of a decoder on the encoder's output, one entry a decoder layer that has it.
    pub cross_attention: Vec<Attention>,
    /// Width of the residual stream (`n_embd`).
    pub hidden_size: u64,
    /// Width of the widest feed-forward layer (of one expert in a mixture).
    pub feed_forward_size: u64,
    /// Number of tokens in the vocabulary.
    pub vocabulary_size: u64,
    /// Longest context it was trained for; none if the source does not say.
    pub context_length: Option<u64>,
    /// Number of experts of a mixture, 0 if none.
    pub experts: u64,
    /// Experts that one token uses, 0 if none.
    pub experts_used: u64,
    /// The paper's shape of it (equations 7 to 15 know nothing else).
    pub paper: PaperShape,
    /// The S of the paper's formulas when the user names no context (1024 for the paper's own models).
    pub paper_context: Option<u64>,
    /// Id of the model of which this is another form (a paper's idea of it, tensors stored otherwise), not one more to choose from.
    pub variant_of: Option<String>,
    /// How good its answers are in each precision, as published; the first table that has a precision speaks for it.
    pub quality: Vec<QualityTable>,
    /// The family that its tensors were built by; none for a GGUF of an architecture that is not one of them.
    pub family: Option<Family>,
    /// What its tensors were built from; none where they were read from a GGUF header.
    pub dimensions: Option<Dimensions>,
}

/// The dimensions that the paper's equations take: `L`, `H`, `I` and `V`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaperShape {
    /// `L`, number of layers.
    pub layers: u64,
    /// `H`, hidden size.
    pub hidden_size: u64,
    /// `I`, feed-forward size.
    pub feed_forward_size: u64,
    /// `V`, vocabulary size.
    pub vocabulary_size: u64,
}

impl Model {
    /// The published figure of how good its answers are in a precision; none where no source is known.
    #[must_use]
    pub fn quality(&self, precision: Precision) -> Option<Quality<'_>> {
        self.quality.iter().find_map(|table| table.quality(precision))
    }

    /// The name of one of its tensors in a GGUF: `blk.0.attn_q.weight`, `enc.blk.0.attn_q.weight`, `output_norm.bias`, ...
    #[must_use]
    pub fn tensor_name(&self, tensor: &Tensor) -> String {
        let stem = tensor.role.stem();
        let suffix = match tensor.role {
            Role::SsmA | Role::SsmD | Role::FfnGateInputScale | Role::FfnDownExpertsScale => "",
            _ if tensor.bias => ".bias",
            _ => ".weight",
        };
        match (tensor.layer, self.cross_attention.is_empty(), tensor.stack) {
            (None, _, _) => format!("{stem}{suffix}"),
            (Some(layer), true, _) => format!("blk.{layer}.{stem}{suffix}"),
            (Some(layer), false, Stack::Encoder) => format!("enc.blk.{layer}.{stem}{suffix}"),
            (Some(layer), false, _) => format!("dec.blk.{layer}.{stem}{suffix}"),
        }
    }

    /// Number of parameters, `Σ columns·rows·experts` over every tensor but the RoPE factor tables.
    ///
    /// Those tables are constants that the converter computes: a checkpoint has none, and its published count leaves
    /// them out. They are in the file all the same, so the bytes of the weights count them.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors
            .iter()
            .filter(|tensor| !tensor.role.is_rope_table())
            .map(Tensor::elements)
            .sum()
    }
}
