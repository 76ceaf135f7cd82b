//! The parts that most families share.

use super::list::TensorList;
use crate::model::{Attention, Dimensions, Mixer, ModelError, Role, RopeFactors};

/// The embedding, the output norm, the head unless it is tied, and the RoPE tables.
pub(super) fn around(list: &mut TensorList, d: &Dimensions, tied: bool) {
    list.embedding(d, tied);
    list.head(|list| {
        list.vector(Role::OutputNorm, d.hidden_size);
        if !tied {
            list.matrix(Role::Output, d.hidden_size, d.vocabulary_size);
        }
    });
    rope_tables(list, d);
}

/// The tables of RoPE factors: one factor a pair of the dimensions that are turned.
pub(super) fn rope_tables(list: &mut TensorList, d: &Dimensions) {
    let pairs = d.rotary_dim.unwrap_or_else(|| d.head_dim()) / 2;
    match d.rope_factors {
        Some(RopeFactors::Frequencies) => list.vector(Role::RopeFrequencies, pairs),
        Some(RopeFactors::LongAndShort) => {
            list.vector(Role::RopeFactorsLong, pairs);
            list.vector(Role::RopeFactorsShort, pairs);
        }
        None => {}
    }
}

/// The attention of one layer, with a window unless the layer sees everything.
pub(super) fn attention(list: &mut TensorList, d: &Dimensions, layer: u64) {
    list.mixers.push(Mixer::Attention(Attention {
        heads: d.heads,
        kv_heads: d.kv_heads(),
        key_length: d.head_dim(),
        value_length: d.head_dim(),
        window: d.sliding_window.filter(|_| !d.has_full_attention(layer)),
        shares_cache: d.shares_cache(layer),
        bidirectional: false,
    }));
}

/// Which of the attention's projections have biases.
#[derive(Clone, Copy)]
pub(super) struct Biases {
    /// Query, key and value.
    pub inputs: bool,
    /// Output.
    pub output: bool,
}

impl Biases {
    /// None at all.
    pub const NONE: Self = Self {
        inputs: false,
        output: false,
    };

    /// Those that the dimensions state.
    pub const fn stated(d: &Dimensions) -> Self {
        Self {
            inputs: d.attention_bias,
            output: d.attention_output_bias,
        }
    }
}

/// Separate query, key, value and output projections.
pub(super) fn projections(list: &mut TensorList, d: &Dimensions, biases: Biases) {
    let (query, kv) = (d.heads * d.head_dim(), d.kv_heads() * d.head_dim());
    list.linear(Role::AttnQ, d.hidden_size, query, biases.inputs);
    list.linear(Role::AttnK, d.hidden_size, kv, biases.inputs);
    list.linear(Role::AttnV, d.hidden_size, kv, biases.inputs);
    list.linear(Role::AttnOutput, query, d.hidden_size, biases.output);
}

/// Norms of query and key, one weight an element of a head.
pub(super) fn head_norms(list: &mut TensorList, d: &Dimensions) {
    list.vector(Role::AttnQNorm, d.head_dim());
    list.vector(Role::AttnKNorm, d.head_dim());
}

/// Gate, up and down.
pub(super) fn feed_forward(list: &mut TensorList, d: &Dimensions, size: u64, bias: bool) {
    list.linear(Role::FfnGate, d.hidden_size, size, bias);
    list.linear(Role::FfnUp, d.hidden_size, size, bias);
    list.linear(Role::FfnDown, size, d.hidden_size, bias);
}

/// The experts of a mixture: how many there are, how many a token uses, how wide each is.
#[derive(Clone, Copy)]
pub(super) struct Mixture {
    /// Number of experts.
    pub experts: u64,
    /// Experts that one token uses.
    pub used: u64,
    /// Width of one expert.
    pub size: u64,
}

impl Mixture {
    /// The mixture that the family must have.
    pub(super) fn needed(list: &TensorList, d: &Dimensions) -> Result<Self, ModelError> {
        Ok(Self {
            experts: list.need("experts", d.experts)?,
            used: list.need("experts_used", d.experts_used)?,
            size: d.expert_feed_forward_size(),
        })
    }

    /// The router, with a bias if `bias`.
    pub(super) fn router(self, list: &mut TensorList, d: &Dimensions, bias: bool) {
        list.linear(Role::FfnGateInput, d.hidden_size, self.experts, bias);
    }

    /// Gate, up and down of every expert.
    pub(super) fn networks(self, list: &mut TensorList, d: &Dimensions) {
        list.experts(Role::FfnGateExperts, d.hidden_size, self.size, self.experts, self.used);
        list.experts(Role::FfnUpExperts, d.hidden_size, self.size, self.experts, self.used);
        list.experts(Role::FfnDownExperts, self.size, d.hidden_size, self.experts, self.used);
    }
}

/// Gate, up and down of the expert that every token uses, if there is one.
pub(super) fn shared_expert(list: &mut TensorList, d: &Dimensions) {
    if let Some(size) = d.shared_expert_feed_forward_size {
        list.matrix(Role::FfnGateShared, d.hidden_size, size);
        list.matrix(Role::FfnUpShared, d.hidden_size, size);
        list.matrix(Role::FfnDownShared, size, d.hidden_size);
    }
}
