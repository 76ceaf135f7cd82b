//! Models whose layers are mostly recurrent, with attention in some.

use super::block::{Biases, Mixture, around, attention, feed_forward, head_norms, projections, shared_expert};
use super::list::TensorList;
use crate::model::{Dimensions, Mixer, ModelError, Recurrent, Role};

/// LFM2: a gated short convolution in most layers, attention with norms of query and key in the others; the first layers
/// dense and the rest mixtures where there are experts. The output norm is stored as `token_embd_norm`.
pub(super) fn lfm2(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let length = list.need("convolution_length", d.convolution_length)?;
    let mixture = d.experts.map(|_| Mixture::needed(list, d)).transpose()?;
    list.embedding(d, d.tied_embeddings);
    list.head(|list| {
        list.vector(Role::TokenEmbeddingNorm, d.hidden_size);
        if !d.tied_embeddings {
            list.matrix(Role::Output, d.hidden_size, d.vocabulary_size);
        }
    });
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        if d.has_full_attention(layer) {
            projections(list, d, Biases::NONE);
            head_norms(list, d);
            attention(list, d, layer);
        } else {
            list.matrix(Role::ShortConv, length, d.hidden_size);
            list.matrix(Role::ShortConvInput, d.hidden_size, 3 * d.hidden_size);
            list.matrix(Role::ShortConvOutput, d.hidden_size, d.hidden_size);
            list.mixers.push(Mixer::Recurrent(Recurrent {
                convolution_state: d.hidden_size * (length - 1),
                recurrent_state: 0,
                // the two gates
                flops_per_token: 2 * d.hidden_size,
            }));
        }
        list.vector(Role::FfnNorm, d.hidden_size);
        match mixture {
            Some(mixture) if layer >= d.leading_dense_layers.unwrap_or(0) => {
                mixture.router(list, d, false);
                mixture.networks(list, d);
                list.bias(Role::ExpertBias, mixture.experts);
            }
            _ => feed_forward(list, d, d.feed_forward_size, false),
        }
    });
    Ok(())
}

/// How the two scalars of each head of the gated delta net are projected.
#[derive(Clone, Copy)]
enum DeltaGates {
    /// One matrix each (`ssm_beta`, `ssm_alpha`).
    Apart,
    /// Both in one matrix (`ssm_ba`).
    Together,
}

/// The gated delta net of Qwen3-Next and Qwen3.5.
///
/// Its state is a matrix of `linear_key_head_dim` by `linear_value_head_dim` for each value head, which a token decays,
/// reads by the key, corrects by an outer product and reads by the query: 7 FLOPs an element.
struct DeltaNet {
    key_heads: u64,
    value_heads: u64,
    key_length: u64,
    value_length: u64,
    convolution: u64,
}

impl DeltaNet {
    fn needed(list: &TensorList, d: &Dimensions) -> Result<Self, ModelError> {
        Ok(Self {
            key_heads: list.need("linear_key_heads", d.linear_key_heads)?,
            value_heads: list.need("linear_value_heads", d.linear_value_heads)?,
            key_length: list.need("linear_key_head_dim", d.linear_key_head_dim)?,
            value_length: list.need("linear_value_head_dim", d.linear_value_head_dim)?,
            convolution: list.need("convolution_length", d.convolution_length)?,
        })
    }

    fn layer(&self, list: &mut TensorList, d: &Dimensions, gates: DeltaGates) {
        let (keys, values) = (self.key_heads * self.key_length, self.value_heads * self.value_length);
        let mixed = 2 * keys + values;
        list.matrix(Role::AttnQkv, d.hidden_size, mixed);
        list.matrix(Role::AttnGate, d.hidden_size, values);
        list.matrix(Role::SsmConv, self.convolution, mixed);
        list.bias(Role::SsmTimeStep, self.value_heads);
        list.vector(Role::SsmA, self.value_heads);
        match gates {
            DeltaGates::Apart => {
                list.matrix(Role::SsmBeta, d.hidden_size, self.value_heads);
                list.matrix(Role::SsmAlpha, d.hidden_size, self.value_heads);
            }
            DeltaGates::Together => list.matrix(Role::SsmBetaAlpha, d.hidden_size, 2 * self.value_heads),
        }
        list.vector(Role::SsmNorm, self.value_length);
        list.matrix(Role::SsmOut, values, d.hidden_size);
        let state = self.key_length * values;
        list.mixers.push(Mixer::Recurrent(Recurrent {
            convolution_state: (self.convolution - 1) * mixed,
            recurrent_state: state,
            flops_per_token: 7 * state,
        }));
    }
}

/// Attention whose query projection also yields a gate on the output.
fn gated_attention(list: &mut TensorList, d: &Dimensions, layer: u64) {
    let (query, kv) = (d.heads * d.head_dim(), d.kv_heads() * d.head_dim());
    list.matrix(Role::AttnQ, d.hidden_size, 2 * query);
    list.matrix(Role::AttnK, d.hidden_size, kv);
    list.matrix(Role::AttnV, d.hidden_size, kv);
    list.matrix(Role::AttnOutput, query, d.hidden_size);
    head_norms(list, d);
    attention(list, d, layer);
}

/// Delta nets with gated attention in every n-th layer; dense, or experts with a shared one.
fn delta_net_hybrid(
    list: &mut TensorList,
    d: &Dimensions,
    gates: DeltaGates,
    mixture: Option<Mixture>,
) -> Result<(), ModelError> {
    list.need(
        "full_attention_every",
        d.full_attention_every.or(d.full_attention_layers.as_ref().map(|_| 1)),
    )?;
    let net = DeltaNet::needed(list, d)?;
    around(list, d, d.tied_embeddings);
    list.layers(d.layers, |list, layer| {
        list.vector(Role::AttnNorm, d.hidden_size);
        if d.has_full_attention(layer) {
            gated_attention(list, d, layer);
        } else {
            net.layer(list, d, gates);
        }
        list.vector(Role::AttnPostNorm, d.hidden_size);
        match mixture {
            Some(mixture) => {
                mixture.router(list, d, false);
                mixture.networks(list, d);
                list.vector(Role::FfnGateInputShared, d.hidden_size);
                shared_expert(list, d);
            }
            None => feed_forward(list, d, d.feed_forward_size, false),
        }
    });
    Ok(())
}

/// Qwen3-Next: experts, the gates' projections together.
pub(super) fn qwen3_next(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = Mixture::needed(list, d)?;
    delta_net_hybrid(list, d, DeltaGates::Together, Some(mixture))
}

/// Qwen3.5: dense.
pub(super) fn qwen35(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    delta_net_hybrid(list, d, DeltaGates::Apart, None)
}

/// Qwen3.5 with experts.
pub(super) fn qwen35_moe(list: &mut TensorList, d: &Dimensions) -> Result<(), ModelError> {
    let mixture = Mixture::needed(list, d)?;
    delta_net_hybrid(list, d, DeltaGates::Apart, Some(mixture))
}
