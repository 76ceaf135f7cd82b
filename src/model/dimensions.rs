//! The dimensions of a model, as a catalogue file or a config.json states them, and the conditions they must meet.

use serde::{Deserialize, Serialize};

/// Why dimensions make no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A dimension that must be positive is zero.
    #[error("`{name}` is 0; it must be at least 1")]
    Zero {
        /// the dimension
        name: &'static str,
    },
    /// A dimension is beyond any model's.
    #[error("`{name}` is {value}; the most that is accepted is {most}")]
    TooLarge {
        /// the dimension
        name: &'static str,
        /// its value
        value: u64,
        /// the largest value accepted
        most: u64,
    },
    /// One dimension must be a multiple of another.
    #[error("`{name}` {value} is not a multiple of `{divisor_name}` {divisor}{cure}")]
    NotAMultiple {
        /// the dimension
        name: &'static str,
        /// its value
        value: u64,
        /// the dimension that must divide it
        divisor_name: &'static str,
        /// its value
        divisor: u64,
        /// what to do about it, with its separator, or nothing
        cure: &'static str,
    },
    /// One dimension must not exceed another.
    #[error("`{name}` {value} is more than `{limit_name}` {limit}")]
    Exceeds {
        /// the dimension
        name: &'static str,
        /// its value
        value: u64,
        /// the dimension that bounds it
        limit_name: &'static str,
        /// its value
        limit: u64,
    },
    /// A dimension that the family needs is absent.
    #[error("the family `{family}` needs `{name}`, which is not given")]
    Missing {
        /// the family
        family: &'static str,
        /// the dimension
        name: &'static str,
    },
    /// A list with one entry a layer has another length.
    #[error("`{name}` has {length} entries for {layers} layers")]
    WrongLength {
        /// the dimension
        name: &'static str,
        /// how many entries it has
        length: usize,
        /// how many it needs
        layers: u64,
    },
    /// The tensors together have more parameters than any model.
    #[error("these dimensions give {parameters} parameters; the most that is accepted is {most}")]
    TooManyParameters {
        /// the count
        parameters: u128,
        /// the largest count accepted
        most: u64,
    },
}

/// The tables of RoPE factors that the converter writes beside the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RopeFactors {
    /// `rope_freqs`, one factor a pair of dimensions (Llama 3.1 and later).
    Frequencies,
    /// `rope_factors_long` and `rope_factors_short` (LongRoPE: the long-context Phi models).
    LongAndShort,
}

/// The dimensions of a model: what, with its [family](crate::model::Family), determines every tensor.
///
/// Those that a family does not use are left out. Names are the field's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimensions {
    /// Number of layers (of the encoder, where there is one).
    pub layers: u64,
    /// Width of the residual stream.
    pub hidden_size: u64,
    /// Width of the feed-forward layer.
    pub feed_forward_size: u64,
    /// Query heads.
    pub heads: u64,
    /// Key and value heads; as many as query heads if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<u64>,
    /// Elements of one head; `hidden_size / heads` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<u64>,
    /// Number of tokens in the vocabulary.
    pub vocabulary_size: u64,
    /// Longest context it was trained for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    /// The output head is the token embedding.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tied_embeddings: bool,
    /// The query, key and value projections have biases (where the family leaves the choice).
    #[serde(default, skip_serializing_if = "is_false")]
    pub attention_bias: bool,
    /// The attention's output projection has a bias (where the family leaves the choice).
    #[serde(default, skip_serializing_if = "is_false")]
    pub attention_output_bias: bool,
    /// The feed-forward matrices have biases (where the family leaves the choice).
    #[serde(default, skip_serializing_if = "is_false")]
    pub feed_forward_bias: bool,
    /// The RoPE tables in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_factors: Option<RopeFactors>,
    /// How many of the last positions a sliding-window layer sees; all layers see everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<u64>,
    /// Every n-th layer has full attention and the others the family's local mixer (a sliding window, a recurrence).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_attention_every: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature is serde's
fn is_false(value: &bool) -> bool {
    !value
}

/// The most layers accepted.
const MOST_LAYERS: u64 = 10_000;
/// The largest width of any one matrix dimension accepted, vocabulary apart.
const MOST_WIDTH: u64 = 1 << 24;
/// The largest vocabulary accepted.
const MOST_TOKENS: u64 = 1 << 28;

impl Dimensions {
    /// Key and value heads.
    #[must_use]
    pub fn kv_heads(&self) -> u64 {
        self.kv_heads.unwrap_or(self.heads)
    }

    /// Elements of one head.
    #[must_use]
    pub fn head_dim(&self) -> u64 {
        self.head_dim
            .unwrap_or_else(|| self.hidden_size.checked_div(self.heads).unwrap_or(0))
    }

    /// Refuses dimensions that no model of any family can have.
    ///
    /// # Errors
    /// The first condition that does not hold.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (name, value, most) in [
            ("layers", Some(self.layers), MOST_LAYERS),
            ("hidden_size", Some(self.hidden_size), MOST_WIDTH),
            ("feed_forward_size", Some(self.feed_forward_size), MOST_WIDTH),
            ("heads", Some(self.heads), MOST_WIDTH),
            ("kv_heads", self.kv_heads, MOST_WIDTH),
            ("head_dim", self.head_dim, MOST_WIDTH),
            ("vocabulary_size", Some(self.vocabulary_size), MOST_TOKENS),
            ("context_length", self.context_length, 1 << 40),
            ("sliding_window", self.sliding_window, 1 << 40),
            ("full_attention_every", self.full_attention_every, MOST_LAYERS),
        ] {
            match value {
                Some(0) => return Err(ModelError::Zero { name }),
                Some(value) if value > most => return Err(ModelError::TooLarge { name, value, most }),
                _ => {}
            }
        }
        multiple("heads", self.heads, "kv_heads", self.kv_heads(), "")?;
        if self.head_dim.is_none() {
            multiple(
                "hidden_size",
                self.hidden_size,
                "heads",
                self.heads,
                "; state `head_dim`",
            )?;
        }
        Ok(())
    }
}

/// Refuses a value that is no multiple of the other.
pub(super) fn multiple(
    name: &'static str,
    value: u64,
    divisor_name: &'static str,
    divisor: u64,
    cure: &'static str,
) -> Result<(), ModelError> {
    if divisor != 0 && value.is_multiple_of(divisor) {
        Ok(())
    } else {
        Err(ModelError::NotAMultiple {
            name,
            value,
            divisor_name,
            divisor,
            cure,
        })
    }
}
