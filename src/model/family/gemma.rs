//! The Gemma family: large tied vocabularies, norms around every block, windows in most layers.

use super::block::{Biases, Mixture, around, attention, feed_forward, head_norms, projections};
use super::list::TensorList;
use crate::model::{Attention, Dimensions, Mixer, ModelError, Role};

/// Gemma 1: Llama's layers with a tied head.
pub(super) fn gemma(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, true);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::NONE);
        list.vector(Role::FfnNorm, d.hidden_size);
        feed_forward(list, d, d.feed_forward_size, false);
        attention(list, d, layer);
    });
    Ok(())
}

/// Gemma 2: norms before and after each block, a window in every other layer.
pub(super) fn gemma2(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, true);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::NONE);
        blocks_after_attention(list, d, d.feed_forward_size);
        attention(list, d, layer);
    });
    Ok(())
}

/// Gemma 3: as Gemma 2, with norms of query and key and a window in five of six layers.
pub(super) fn gemma3(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, true);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::NONE);
        head_norms(list, d);
        blocks_after_attention(list, d, d.feed_forward_size);
        attention(list, d, layer);
    });
    Ok(())
}

/// The norm after the attention, and the feed-forward between its two.
fn blocks_after_attention(list: &mut TensorList, d: &Dimensions, feed_forward_size: u64) {
    list.vector(Role::AttnPostNorm, d.hidden_size);
    list.vector(Role::FfnNorm, d.hidden_size);
    feed_forward(list, d, feed_forward_size, false);
    list.vector(Role::FfnPostNorm, d.hidden_size);
}

/// The embedding that each layer has of its own: a table of which a token reads one row, and a projection of the stream.
fn per_layer_embedding(list: &mut TensorList, d: &Dimensions, size: u64) {
    list.table(Role::PerLayerTokenEmbedding, size * d.layers, d.vocabulary_size);
    list.matrix(Role::PerLayerModelProjection, d.hidden_size, size * d.layers);
    list.vector(Role::PerLayerProjectionNorm, size);
}

/// A layer's use of its own embedding.
fn per_layer_input(list: &mut TensorList, d: &Dimensions, size: u64) {
    list.matrix(Role::PerLayerInputGate, d.hidden_size, size);
    list.matrix(Role::PerLayerProjection, size, d.hidden_size);
    list.vector(Role::PerLayerPostNorm, d.hidden_size);
}

/// The heads of one layer that keeps or shares a cache.
#[derive(Clone, Copy)]
struct Heads {
    kv_heads: u64,
    head_dim: u64,
    /// There is a value projection; without it the values are the keys.
    values: bool,
    shares_cache: bool,
}

/// Projections with norms of query and key. A layer that reads the cache of an earlier one has its own key and value
/// projections in the file, and leaves them alone.
fn cached_attention(list: &mut TensorList, d: &Dimensions, layer: u64, heads: Heads) {
    let (query, kv) = (d.heads * heads.head_dim, heads.kv_heads * heads.head_dim);
    let keys_and_values = |list: &mut TensorList| {
        list.matrix(Role::AttnK, d.hidden_size, kv);
        list.vector(Role::AttnKNorm, heads.head_dim);
        if heads.values {
            list.matrix(Role::AttnV, d.hidden_size, kv);
        }
    };
    list.matrix(Role::AttnQ, d.hidden_size, query);
    list.vector(Role::AttnQNorm, heads.head_dim);
    if heads.shares_cache {
        list.unread(keys_and_values);
    } else {
        keys_and_values(list);
    }
    list.matrix(Role::AttnOutput, query, d.hidden_size);
    list.mixers.push(Mixer::Attention(Attention {
        heads: d.heads,
        kv_heads: heads.kv_heads,
        key_length: heads.head_dim,
        value_length: heads.head_dim,
        window: d.sliding_window.filter(|_| !d.has_full_attention(layer)),
        shares_cache: heads.shares_cache,
        bidirectional: false,
    }));
}

/// Gemma 3n: as Gemma 3, with per-layer embeddings, several residual streams (AltUp) and a learned residual (LAuReL).
pub(super) fn gemma3n(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let size = list.need("per_layer_embedding_size", d.per_layer_embedding_size)?;
    let streams = list.need("altup_inputs", d.altup_inputs)?;
    let rank = list.need("laurel_rank", d.laurel_rank)?;
    around(list, d, true);
    for role in [Role::AltupProjection, Role::AltupUnembedding] {
        list.experts(role, d.hidden_size, d.hidden_size, streams - 1, streams - 1);
    }
    per_layer_embedding(list, d, size);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        let (kv_heads, head_dim, shares_cache) = (d.kv_heads(), d.head_dim(), d.shares_cache(layer));
        cached_attention(
            list,
            d,
            layer,
            Heads {
                kv_heads,
                head_dim,
                values: true,
                shares_cache,
            },
        );
        blocks_after_attention(list, d, d.feed_forward_size);
        per_layer_input(list, d, size);
        list.matrix(Role::AltupCorrectCoefficients, streams, streams);
        list.vector(Role::AltupCorrectScale, d.hidden_size);
        list.matrix(Role::AltupPredictCoefficients, streams, streams * streams);
        list.matrix(Role::AltupRouter, d.hidden_size, streams);
        list.vector(Role::AltupRouterNorm, d.hidden_size);
        list.matrix(Role::LaurelLeft, d.hidden_size, rank);
        list.matrix(Role::LaurelRight, rank, d.hidden_size);
        list.vector(Role::LaurelPostNorm, d.hidden_size);
    });
    Ok(())
}

/// The attention of one layer of Gemma 4: those that see everything have heads of their own size and number.
fn gemma4_attention(list: &mut TensorList, d: &Dimensions, layer: u64) {
    let full = d.has_full_attention(layer);
    let own = |value: Option<u64>| value.filter(|_| full);
    let heads = Heads {
        kv_heads: own(d.full_kv_heads).unwrap_or_else(|| d.kv_heads()),
        head_dim: own(d.full_head_dim).unwrap_or_else(|| d.head_dim()),
        values: !(full && d.values_are_keys),
        shares_cache: d.shares_cache(layer),
    };
    cached_attention(list, d, layer, heads);
}

/// Gemma 4: Gemma 3's layers with two kinds of attention; per-layer embeddings in the small ones, experts beside the dense
/// network in the mixture.
pub(super) fn gemma4(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = d.experts.map(|_| Mixture::needed(list, d)).transpose()?;
    around(list, d, true);
    list.vector(
        Role::RopeFrequencies,
        d.full_head_dim.unwrap_or_else(|| d.head_dim()) / 2,
    );
    if let Some(size) = d.per_layer_embedding_size {
        per_layer_embedding(list, d, size);
    }
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        gemma4_attention(list, d, layer);
        let wide = d.double_wide_shared_layers && d.shares_cache(layer);
        blocks_after_attention(
            list,
            d,
            if wide {
                2 * d.feed_forward_size
            } else {
                d.feed_forward_size
            },
        );
        if let Some(mixture) = mixture {
            mixture.router(list, d, false);
            list.vector(Role::FfnGateInputScale, d.hidden_size);
            list.vector(Role::FfnPreNormExperts, d.hidden_size);
            list.vector(Role::FfnPostNormDense, d.hidden_size);
            list.vector(Role::FfnPostNormExperts, d.hidden_size);
            list.experts(
                Role::FfnGateUpExperts,
                d.hidden_size,
                2 * mixture.size,
                mixture.experts,
                mixture.used,
            );
            list.experts(
                Role::FfnDownExperts,
                mixture.size,
                d.hidden_size,
                mixture.experts,
                mixture.used,
            );
            list.vector(Role::FfnDownExpertsScale, mixture.experts);
        }
        if let Some(size) = d.per_layer_embedding_size {
            per_layer_input(list, d, size);
        }
        list.vector(Role::LayerOutputScale, 1);
    });
    Ok(())
}
