//! Decoder-only transformers with one feed-forward network a layer.

use super::list::TensorList;
use crate::model::{Attention, Dimensions, Mixer, ModelError, Role, RopeFactors};

/// The embedding, the head and the RoPE table around the layers.
fn around(list: &mut TensorList, d: &Dimensions, tied: bool) {
    list.embedding(d.hidden_size, d.vocabulary_size, tied);
    list.head(d.hidden_size, d.vocabulary_size, tied);
    if d.rope_factors == Some(RopeFactors::Frequencies) {
        list.vector(Role::RopeFrequencies, d.head_dim() / 2);
    }
}

/// The window of a layer: none for those with full attention.
fn window(d: &Dimensions, layer: u64) -> Option<u64> {
    match d.full_attention_every {
        Some(every) if (layer + 1).is_multiple_of(every) => None,
        _ => d.sliding_window,
    }
}

/// The attention of one layer.
fn attention(list: &mut TensorList, d: &Dimensions, layer: u64) {
    list.mixers.push(Mixer::Attention(Attention {
        heads: d.heads,
        kv_heads: d.kv_heads(),
        key_length: d.head_dim(),
        value_length: d.head_dim(),
        window: window(d, layer),
        shares_cache: false,
        bidirectional: false,
    }));
}

/// Separate query, key, value and output projections.
fn projections(list: &mut TensorList, d: &Dimensions, bias: bool, output_bias: bool) {
    let (query, kv) = (d.heads * d.head_dim(), d.kv_heads() * d.head_dim());
    list.linear(Role::AttnQ, d.hidden_size, query, bias);
    list.linear(Role::AttnK, d.hidden_size, kv, bias);
    list.linear(Role::AttnV, d.hidden_size, kv, bias);
    list.linear(Role::AttnOutput, query, d.hidden_size, output_bias);
}

/// Gate, up and down.
fn feed_forward(list: &mut TensorList, d: &Dimensions, bias: bool) {
    list.linear(Role::FfnGate, d.hidden_size, d.feed_forward_size, bias);
    list.linear(Role::FfnUp, d.hidden_size, d.feed_forward_size, bias);
    list.linear(Role::FfnDown, d.feed_forward_size, d.hidden_size, bias);
}

/// Norm, attention, norm, gated feed-forward.
pub(super) fn llama(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, d.attention_bias, d.attention_output_bias);
        list.vector(Role::FfnNorm, d.hidden_size);
        feed_forward(list, d, d.feed_forward_bias);
        attention(list, d, layer);
        Ok(())
    })
}

/// As Llama, with biases on query, key and value.
pub(super) fn qwen2(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, true, false);
        list.vector(Role::FfnNorm, d.hidden_size);
        feed_forward(list, d, false);
        attention(list, d, layer);
        Ok(())
    })
}

/// Norms before and after each block, a tied head, a window in every other layer.
pub(super) fn gemma2(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, true);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, false, false);
        list.vector(Role::AttnPostNorm, d.hidden_size);
        list.vector(Role::FfnNorm, d.hidden_size);
        feed_forward(list, d, false);
        list.vector(Role::FfnPostNorm, d.hidden_size);
        attention(list, d, layer);
        Ok(())
    })
}
