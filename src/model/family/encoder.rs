//! Encoders, and encoder-decoders.

use super::block::{Biases, projections};
use super::list::TensorList;
use crate::model::{Attention, Dimensions, Mixer, ModelError, Role, Stack};

/// Attention in which every position sees every other, of heads that all have their own keys and values.
fn heads(d: &Dimensions, bidirectional: bool) -> Attention {
    Attention {
        heads: d.heads,
        kv_heads: d.kv_heads(),
        key_length: d.head_dim(),
        value_length: d.head_dim(),
        window: None,
        shares_cache: false,
        bidirectional,
    }
}

/// BERT and its distillates: LayerNorms after each block, learned positions, biases everywhere, no gate. Without
/// `token_types` it is DistilBERT. The pooler is in the checkpoint; a GGUF made for embeddings leaves it out.
pub(super) fn bert(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let positions = list.need("context_length", d.context_length)?;
    list.stack = Stack::Encoder;
    list.embedding(d, false);
    list.table(Role::PositionEmbedding, d.hidden_size, positions);
    if let Some(types) = d.token_types {
        list.table(Role::TokenTypes, d.hidden_size, types);
    }
    list.layer_norm(Role::TokenEmbeddingNorm, d.hidden_size);
    if d.pooler {
        list.linear(Role::Pooler, d.hidden_size, d.hidden_size, true);
    }
    list.layers(d.layers, |list, _| {
        projections(
            list,
            d,
            Biases {
                inputs: true,
                output: true,
            },
        );
        list.layer_norm(Role::AttnOutputNorm, d.hidden_size);
        list.linear(Role::FfnUp, d.hidden_size, d.feed_forward_size, true);
        list.linear(Role::FfnDown, d.feed_forward_size, d.hidden_size, true);
        list.layer_norm(Role::LayerOutputNorm, d.hidden_size);
        list.mixers.push(Mixer::Attention(heads(d, true)));
    });
    Ok(())
}

/// The roles of one attention block, of which T5 has two a decoder layer.
struct BlockRoles {
    norm: Role,
    query: Role,
    key: Role,
    value: Role,
    output: Role,
}

const SELF_ATTENTION: BlockRoles = BlockRoles {
    norm: Role::AttnNorm,
    query: Role::AttnQ,
    key: Role::AttnK,
    value: Role::AttnV,
    output: Role::EncoderDecoderAttnOutput,
};

const CROSS_ATTENTION: BlockRoles = BlockRoles {
    norm: Role::CrossAttnNorm,
    query: Role::CrossAttnQ,
    key: Role::CrossAttnK,
    value: Role::CrossAttnV,
    output: Role::CrossAttnOutput,
};

/// Norm and projections of one attention block.
fn attention_block(list: &mut TensorList, d: &Dimensions, roles: &BlockRoles) {
    let width = d.heads * d.head_dim();
    list.vector(roles.norm, d.hidden_size);
    list.matrix(roles.query, d.hidden_size, width);
    list.matrix(roles.key, d.hidden_size, width);
    list.matrix(roles.value, d.hidden_size, width);
    list.matrix(roles.output, width, d.hidden_size);
}

/// Norm and feed-forward, gated since T5 1.1.
fn feed_forward_block(list: &mut TensorList, d: &Dimensions) {
    list.vector(Role::FfnNorm, d.hidden_size);
    if !d.plain_feed_forward {
        list.matrix(Role::FfnGate, d.hidden_size, d.feed_forward_size);
    }
    list.matrix(Role::FfnUp, d.hidden_size, d.feed_forward_size);
    list.matrix(Role::FfnDown, d.feed_forward_size, d.hidden_size);
}

/// T5 and Flan-T5. The bias of relative positions stands in the first layer of each stack and serves all of it.
pub(super) fn t5(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let buckets = list.need("relative_attention_buckets", d.relative_attention_buckets)?;
    list.embedding(d, d.tied_embeddings);
    list.stack = Stack::Encoder;
    list.layers(d.layers, |list, layer| {
        attention_block(list, d, &SELF_ATTENTION);
        if layer == 0 {
            list.table(Role::AttnRelativeBias, d.heads, buckets);
        }
        feed_forward_block(list, d);
        list.mixers.push(Mixer::Attention(heads(d, true)));
    });
    list.vector(Role::EncoderOutputNorm, d.hidden_size);
    list.stack = Stack::Decoder;
    list.layers(d.decoder_layers.unwrap_or(d.layers), |list, layer| {
        attention_block(list, d, &SELF_ATTENTION);
        if layer == 0 {
            list.table(Role::AttnRelativeBias, d.heads, buckets);
        }
        attention_block(list, d, &CROSS_ATTENTION);
        feed_forward_block(list, d);
        list.mixers.push(Mixer::Attention(heads(d, false)));
        list.cross_attention.push(heads(d, true));
    });
    list.head(|list| {
        list.vector(Role::DecoderOutputNorm, d.hidden_size);
        if !d.tied_embeddings {
            list.matrix(Role::Output, d.hidden_size, d.vocabulary_size);
        }
    });
    Ok(())
}
