//! The dimensions of a model, as a catalogue file or a config.json states them, and the conditions they must meet.

use super::ModelError;
use serde::{Deserialize, Serialize};

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
    /// Elements of a head that RoPE turns; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotary_dim: Option<u64>,
    /// The layers with full attention, counted from 0, where no rule gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_attention_layers: Option<Vec<u64>>,
    /// Elements of one head in the layers with full attention, where they differ (Gemma 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_head_dim: Option<u64>,
    /// Key and value heads of the layers with full attention, where they differ (Gemma 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_kv_heads: Option<u64>,
    /// How many of the last layers read the cache of an earlier one (Gemma 3n, Gemma 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_kv_layers: Option<u64>,
    /// Number of experts of a mixture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<u64>,
    /// Experts that one token uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts_used: Option<u64>,
    /// Width of one expert; `feed_forward_size` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert_feed_forward_size: Option<u64>,
    /// Width of the expert that every token uses; there is none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_expert_feed_forward_size: Option<u64>,
    /// How many of the first layers are dense in a mixture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leading_dense_layers: Option<u64>,
    /// Positions that the short convolution of a recurrent layer sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convolution_length: Option<u64>,
    /// Key heads of linear attention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_key_heads: Option<u64>,
    /// Value heads of linear attention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_value_heads: Option<u64>,
    /// Elements of a key of linear attention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_key_head_dim: Option<u64>,
    /// Elements of a value of linear attention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_value_head_dim: Option<u64>,
    /// Width of the embedding that each layer has of its own (Gemma 3n, Gemma 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_layer_embedding_size: Option<u64>,
    /// Copies of the residual stream (Gemma 3n's AltUp).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub altup_inputs: Option<u64>,
    /// Rank of the learned residual (Gemma 3n's LAuReL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laurel_rank: Option<u64>,
    /// Layers of the decoder of an encoder-decoder; as many as the encoder's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder_layers: Option<u64>,
    /// Buckets of the relative position bias (T5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_attention_buckets: Option<u64>,
    /// Token types of an encoder's input (BERT's segments).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_types: Option<u64>,
    /// The layers with full attention have no value projection: the values are the keys (Gemma 4).
    #[serde(default, skip_serializing_if = "is_false")]
    pub values_are_keys: bool,
    /// The layers that read another's cache have a feed-forward layer of twice the width (Gemma 4).
    #[serde(default, skip_serializing_if = "is_false")]
    pub double_wide_shared_layers: bool,
    /// The feed-forward layer has no gate (T5 before version 1.1).
    #[serde(default, skip_serializing_if = "is_false")]
    pub plain_feed_forward: bool,
    /// A dense layer over the first token follows the encoder (BERT).
    #[serde(default, skip_serializing_if = "is_false")]
    pub pooler: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature is serde's
fn is_false(value: &bool) -> bool {
    !value
}

/// The most layers accepted.
const MOST_LAYERS: u64 = 10_000;
/// The largest width of any one matrix dimension accepted, vocabulary apart.
const MOST_WIDTH: u64 = 1 << 24;
/// The most heads, and the most elements of a head, accepted.
const MOST_HEADS: u64 = 1 << 16;
/// The largest vocabulary accepted.
const MOST_TOKENS: u64 = 1 << 28;
/// The most experts accepted.
const MOST_EXPERTS: u64 = 1 << 16;
/// The longest context accepted.
const MOST_POSITIONS: u64 = 1 << 40;

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

    /// Width of one expert.
    #[must_use]
    pub fn expert_feed_forward_size(&self) -> u64 {
        self.expert_feed_forward_size.unwrap_or(self.feed_forward_size)
    }

    /// Whether a layer has full attention: the list says so, or the rule, or there is neither.
    #[must_use]
    pub fn has_full_attention(&self, layer: u64) -> bool {
        match (&self.full_attention_layers, self.full_attention_every) {
            (Some(layers), _) => layers.contains(&layer),
            (None, Some(every)) => (layer + 1).is_multiple_of(every),
            (None, None) => self.sliding_window.is_none(),
        }
    }

    /// Whether a layer reads the cache of an earlier one.
    #[must_use]
    pub fn shares_cache(&self, layer: u64) -> bool {
        layer >= self.layers.saturating_sub(self.shared_kv_layers.unwrap_or(0))
    }

    /// Refuses dimensions that no model of any family can have.
    ///
    /// # Errors
    /// The first condition that does not hold.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (name, value, most) in self.bounds() {
            match value {
                Some(0) => return Err(ModelError::Zero { name }),
                Some(value) if value > most => return Err(ModelError::TooLarge { name, value, most }),
                _ => {}
            }
        }
        multiple("heads", self.heads, "kv_heads", self.kv_heads(), "")?;
        if let Some(kv_heads) = self.full_kv_heads {
            multiple("heads", self.heads, "full_kv_heads", kv_heads, "")?;
        }
        if self.head_dim.is_none() {
            multiple(
                "hidden_size",
                self.hidden_size,
                "heads",
                self.heads,
                "; state `head_dim`",
            )?;
        }
        if let (Some(values), Some(keys)) = (self.linear_value_heads, self.linear_key_heads) {
            multiple("linear_value_heads", values, "linear_key_heads", keys, "")?;
        }
        for (name, value, limit_name, limit) in [
            ("experts_used", self.experts_used, "experts", self.experts.unwrap_or(0)),
            ("leading_dense_layers", self.leading_dense_layers, "layers", self.layers),
            ("shared_kv_layers", self.shared_kv_layers, "layers", self.layers),
            ("rotary_dim", self.rotary_dim, "head_dim", self.head_dim()),
        ] {
            at_most(name, value, limit_name, limit)?;
        }
        let last = self.full_attention_layers.iter().flatten().max().copied();
        at_most("full_attention_layers", last, "layers - 1", self.layers - 1)
    }

    /// Every dimension that must be at least 1 where it is given, with the most that is accepted.
    fn bounds(&self) -> [(&'static str, Option<u64>, u64); 28] {
        [
            ("layers", Some(self.layers), MOST_LAYERS),
            ("hidden_size", Some(self.hidden_size), MOST_WIDTH),
            ("feed_forward_size", Some(self.feed_forward_size), MOST_WIDTH),
            ("heads", Some(self.heads), MOST_HEADS),
            ("kv_heads", self.kv_heads, MOST_HEADS),
            ("head_dim", self.head_dim, MOST_HEADS),
            ("vocabulary_size", Some(self.vocabulary_size), MOST_TOKENS),
            ("context_length", self.context_length, MOST_POSITIONS),
            ("sliding_window", self.sliding_window, MOST_POSITIONS),
            ("full_attention_every", self.full_attention_every, MOST_LAYERS),
            ("rotary_dim", self.rotary_dim, MOST_HEADS),
            ("full_head_dim", self.full_head_dim, MOST_HEADS),
            ("full_kv_heads", self.full_kv_heads, MOST_HEADS),
            ("experts", self.experts, MOST_EXPERTS),
            ("experts_used", self.experts_used, MOST_EXPERTS),
            ("expert_feed_forward_size", self.expert_feed_forward_size, MOST_WIDTH),
            (
                "shared_expert_feed_forward_size",
                self.shared_expert_feed_forward_size,
                MOST_WIDTH,
            ),
            ("convolution_length", self.convolution_length, MOST_WIDTH),
            ("linear_key_heads", self.linear_key_heads, MOST_HEADS),
            ("linear_value_heads", self.linear_value_heads, MOST_HEADS),
            ("linear_key_head_dim", self.linear_key_head_dim, MOST_HEADS),
            ("linear_value_head_dim", self.linear_value_head_dim, MOST_HEADS),
            ("per_layer_embedding_size", self.per_layer_embedding_size, MOST_WIDTH),
            ("altup_inputs", self.altup_inputs, MOST_EXPERTS),
            ("laurel_rank", self.laurel_rank, MOST_WIDTH),
            ("decoder_layers", self.decoder_layers, MOST_LAYERS),
            (
                "relative_attention_buckets",
                self.relative_attention_buckets,
                MOST_WIDTH,
            ),
            ("token_types", self.token_types, MOST_WIDTH),
        ]
    }
}

/// Refuses a value beyond the other.
const fn at_most(
    name: &'static str,
    value: Option<u64>,
    limit_name: &'static str,
    limit: u64,
) -> Result<(), ModelError> {
    match value {
        Some(value) if value > limit => Err(ModelError::Exceeds {
            name,
            value,
            limit_name,
            limit,
        }),
        _ => Ok(()),
    }
}

/// Refuses a value that is no multiple of the other.
const fn multiple(
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
