//! Mixtures of experts in every layer (Mixtral and Granite are [Llama's](super::dense::llama) arms with experts).

use super::block::{Biases, Mixture, around, attention, head_norms, projections, shared_expert};
use super::list::TensorList;
use crate::model::{Dimensions, ModelError, Role};

/// Qwen2's attention; experts and one that every token uses, behind a gate of its own.
pub(super) fn qwen2_moe(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = Mixture::needed(list, d)?;
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
        mixture.router(list, d, false);
        mixture.networks(list, d);
        list.vector(Role::FfnGateInputShared, d.hidden_size);
        shared_expert(list, d);
        attention(list, d, layer);
    });
    Ok(())
}

/// Qwen3's attention and experts.
pub(super) fn qwen3_moe(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = Mixture::needed(list, d)?;
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::stated(d));
        head_norms(list, d);
        list.vector(Role::FfnNorm, d.hidden_size);
        mixture.router(list, d, false);
        mixture.networks(list, d);
        attention(list, d, layer);
    });
    Ok(())
}

/// Norms over the whole of query and key, and experts.
pub(super) fn olmoe(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = Mixture::needed(list, d)?;
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(list, d, Biases::NONE);
        list.vector(Role::AttnQNorm, d.heads * d.head_dim());
        list.vector(Role::AttnKNorm, d.kv_heads() * d.head_dim());
        list.vector(Role::FfnNorm, d.hidden_size);
        mixture.router(list, d, false);
        mixture.networks(list, d);
        attention(list, d, layer);
    });
    Ok(())
}

/// Biases on every matrix, experts included, one sink a head, windows in every other layer.
pub(super) fn gpt_oss(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = Mixture::needed(list, d)?;
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        projections(
            list,
            d,
            Biases {
                inputs: true,
                output: true,
            },
        );
        list.vector(Role::AttnSinks, d.heads);
        list.vector(Role::AttnPostNorm, d.hidden_size);
        mixture.router(list, d, true);
        mixture.networks(list, d);
        for (role, size) in [
            (Role::FfnGateExperts, mixture.size),
            (Role::FfnUpExperts, mixture.size),
            (Role::FfnDownExperts, d.hidden_size),
        ] {
            list.expert_biases(role, size, mixture.experts, mixture.used);
        }
        attention(list, d, layer);
    });
    Ok(())
}

/// LayerNorms with biases, biases on the attention and the head, and experts.
pub(super) fn phi_moe(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = Mixture::needed(list, d)?;
    list.embedding(d, false);
    list.head(|list| {
        list.layer_norm(Role::OutputNorm, d.hidden_size);
        list.linear(Role::Output, d.hidden_size, d.vocabulary_size, true);
    });
    super::block::rope_tables(list, d);
    list.layers(d.layers, |list, layer| {
        list.layer_norm(Role::AttnNorm, d.hidden_size);
        projections(
            list,
            d,
            Biases {
                inputs: true,
                output: true,
            },
        );
        list.layer_norm(Role::FfnNorm, d.hidden_size);
        mixture.router(list, d, false);
        mixture.networks(list, d);
        attention(list, d, layer);
    });
    Ok(())
}
