//! Decoder-only transformers whose layers are norm, attention, norm, feed-forward.

use super::block::{
    Biases, Mixture, around, attention, feed_forward, head_norms, projections, rope_tables, shared_expert,
};
use super::list::TensorList;
use crate::model::{Dimensions, ModelError, Role};

/// Norm, attention, norm, gated feed-forward or a mixture of such; biases as stated.
pub(super) fn llama(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = d.experts.map(|_| Mixture::needed(list, d)).transpose()?;
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::stated(d));
        list.vector(Role::FfnNorm, d.hidden_size);
        match mixture {
            Some(mixture) => {
                mixture.router(list, d, false);
                mixture.networks(list, d);
                shared_expert(list, d);
            }
            None => feed_forward(list, d, d.feed_forward_size, d.feed_forward_bias),
        }
        attention(list, d, layer);
    });
    Ok(())
}

/// As Llama, with biases on query, key and value.
pub(super) fn qwen2(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(
            list,
            d,
            Biases {
                inputs: true,
                output: false,
            },
        );
        list.vector(Role::FfnNorm, d.hidden_size);
        feed_forward(list, d, d.feed_forward_size, false);
        attention(list, d, layer);
    });
    Ok(())
}

/// As Llama, with norms of query and key.
pub(super) fn qwen3(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::stated(d));
        head_norms(list, d);
        list.vector(Role::FfnNorm, d.hidden_size);
        feed_forward(list, d, d.feed_forward_size, false);
        attention(list, d, layer);
    });
    Ok(())
}

/// Norms after each block and none before; norms over the whole of query and key.
pub(super) fn olmo2(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        projections(list, d, Biases::NONE);
        list.vector(Role::AttnQNorm, d.heads * d.head_dim());
        list.vector(Role::AttnKNorm, d.kv_heads() * d.head_dim());
        list.vector(Role::AttnPostNorm, d.hidden_size);
        feed_forward(list, d, d.feed_forward_size, false);
        list.vector(Role::FfnPostNorm, d.hidden_size);
        attention(list, d, layer);
    });
    Ok(())
}

/// As Llama, with norms inside the attention and the feed-forward and a tied head.
pub(super) fn bitnet(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    around(list, d, true);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        list.vector(Role::AttnSubNorm, d.hidden_size);
        projections(list, d, Biases::NONE);
        list.vector(Role::FfnNorm, d.hidden_size);
        list.vector(Role::FfnSubNorm, d.feed_forward_size);
        feed_forward(list, d, d.feed_forward_size, false);
        attention(list, d, layer);
    });
    Ok(())
}

/// LayerNorms with biases, a head of its own, as Llama otherwise.
pub(super) fn stablelm(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    list.embedding(d, false);
    list.head(|list| {
        list.layer_norm(Role::OutputNorm, d.hidden_size);
        list.matrix(Role::Output, d.hidden_size, d.vocabulary_size);
    });
    list.layers(d.layers, |list, layer| {
        list.layer_norm(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::stated(d));
        list.layer_norm(Role::FfnNorm, d.hidden_size);
        feed_forward(list, d, d.feed_forward_size, false);
        attention(list, d, layer);
    });
    Ok(())
}

/// One norm a layer before attention and feed-forward in parallel; biases everywhere, no gate.
pub(super) fn phi2(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    list.embedding(d, false);
    list.head(|list| {
        list.layer_norm(Role::OutputNorm, d.hidden_size);
        list.linear(Role::Output, d.hidden_size, d.vocabulary_size, true);
    });
    list.layers(d.layers, |list, layer| {
        list.layer_norm(Role::AttnNorm, d.hidden_size);
        let (query, kv) = (d.heads * d.head_dim(), d.kv_heads() * d.head_dim());
        list.linear(Role::AttnQkv, d.hidden_size, query + 2 * kv, true);
        list.linear(Role::AttnOutput, query, d.hidden_size, true);
        list.linear(Role::FfnUp, d.hidden_size, d.feed_forward_size, true);
        list.linear(Role::FfnDown, d.feed_forward_size, d.hidden_size, true);
        attention(list, d, layer);
    });
    Ok(())
}

/// Query, key and value in one matrix, gate and up in another.
pub(super) fn phi3(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    list.embedding(d, d.tied_embeddings);
    rope_tables(list, d);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        let (query, kv) = (d.heads * d.head_dim(), d.kv_heads() * d.head_dim());
        list.matrix(Role::AttnQkv, d.hidden_size, query + 2 * kv);
        list.matrix(Role::AttnOutput, query, d.hidden_size);
        list.vector(Role::FfnNorm, d.hidden_size);
        list.matrix(Role::FfnUp, d.hidden_size, 2 * d.feed_forward_size);
        list.matrix(Role::FfnDown, d.feed_forward_size, d.hidden_size);
        attention(list, d, layer);
    });
    list.head(|list| {
        list.vector(Role::OutputNorm, d.hidden_size);
        if !d.tied_embeddings {
            list.matrix(Role::Output, d.hidden_size, d.vocabulary_size);
        }
    });
    Ok(())
}
