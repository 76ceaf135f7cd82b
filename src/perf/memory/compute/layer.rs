//! What of a layer decides which tensors its graph has.

use crate::model::{Attention, Mixer, Model, Recurrent, Role, Stack, Tensor, Use};

/// What of a model its graph depends on.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::perf::memory) struct Shape {
    pub hidden_size: u64,
    /// Width of the logits, 0 for a model without an output head.
    pub logits: u64,
    /// llama.cpp's name of the architecture, for the habits that no tensor shows.
    pub architecture: String,
    /// Norms subtract the mean and have biases (LayerNorm), an operation that cannot write over its input.
    pub norms_have_biases: bool,
    /// Scores get a bias by relative position, which flash attention cannot add (T5).
    pub relative_bias: bool,
    /// Elements of what the encoder hands to the decoder at most, 0 if there is no cross attention.
    pub encoded: u64,
    /// Width of the layers' own embeddings together, 0 if they have none.
    pub own_embeddings: u64,
    /// The layers that stand for all, in order.
    pub(super) layers: Vec<Layer>,
}

impl Shape {
    pub(in crate::perf::memory) fn new(model: &Model) -> Self {
        let has_head = model
            .tensors
            .iter()
            .any(|tensor| tensor.role == Role::Output || tensor.usage == Use::LookUpAndMultiply);
        Self {
            hidden_size: model.hidden_size,
            logits: if has_head { model.vocabulary_size } else { 0 },
            architecture: model.architecture.clone(),
            norms_have_biases: model
                .tensors
                .iter()
                .any(|tensor| tensor.bias && matches!(tensor.role, Role::OutputNorm | Role::TokenEmbeddingNorm)),
            relative_bias: model
                .tensors
                .iter()
                .any(|tensor| tensor.role == Role::AttnRelativeBias && tensor.stack == Stack::Decoder),
            encoded: if model.cross_attention.is_empty() {
                0
            } else {
                model.context_length.unwrap_or(0).saturating_mul(model.hidden_size)
            },
            own_embeddings: model
                .tensors
                .iter()
                .find(|tensor| tensor.role == Role::PerLayerModelProjection)
                // Gemma 3n's four streams (AltUp) are not followed; without them its own embeddings would only mislead
                .filter(|_| model.architecture != "gemma3n")
                .map_or(0, |projection| projection.rows),
            layers: representatives(&layers(model)),
        }
    }
}

/// How a layer's feed-forward network is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeedForward {
    /// None.
    Absent,
    /// `down(act(gate(x)) · up(x))`, `size` wide.
    Gated { size: u64 },
    /// Gate and up are one matrix.
    Fused { size: u64 },
    /// `down(act(up(x)))`.
    Plain { size: u64 },
    /// `used` of `experts`, each `size` wide; `fused`: gate and up of an expert are one matrix.
    Experts {
        experts: u64,
        used: u64,
        size: u64,
        fused: bool,
        /// Width of the expert that every token uses, 0 if there is none.
        shared: u64,
    },
}

/// How the layer mixes tokens, with the widths of its projections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mix {
    /// Attention; `query`, `key` and `value` are rows of the projections.
    Attention {
        attention: Attention,
        query: u64,
        key: u64,
        value: u64,
        /// One matrix projects all three.
        fused: bool,
        /// Query and key are normed head by head.
        head_norms: bool,
        /// Query and key are normed over all heads.
        full_norms: bool,
        /// The query projection also gives a gate for the result.
        gated: bool,
    },
    /// A short convolution between two gates.
    Convolution(Recurrent),
    /// Gated delta rule: `mixed` channels go through a convolution, `inner` come out.
    Delta { state: Recurrent, mixed: u64, inner: u64 },
    /// Another recurrence; `projected` is the width of its input projections together.
    Other { state: Recurrent, projected: u64 },
}

/// The shape of one layer; layers of one shape have one graph.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layer {
    pub mix: Mix,
    pub feed_forward: FeedForward,
    /// A norm before attention.
    pub attention_norm: bool,
    /// A norm of what attention adds.
    pub attention_post_norm: bool,
    /// A norm of the stream after attention has been added.
    pub attention_output_norm: bool,
    /// A norm before the feed-forward network.
    pub feed_forward_norm: bool,
    /// A norm of what the feed-forward network adds.
    pub feed_forward_post_norm: bool,
    /// A norm of the stream after the feed-forward network has been added.
    pub output_norm: bool,
    /// Width of the embedding of its own that is added last, 0 if there is none.
    pub own_embedding: u64,
}

/// The weights of one layer by role.
struct Weights<'a>(&'a [(u32, &'a Tensor)]);

impl Weights<'_> {
    fn get(&self, role: Role) -> Option<&Tensor> {
        self.0
            .iter()
            .map(|&(_, tensor)| tensor)
            .find(|tensor| tensor.role == role && !tensor.bias)
    }

    fn has(&self, role: Role) -> bool {
        self.get(role).is_some()
    }

    fn rows(&self, role: Role) -> Option<u64> {
        self.get(role).map(|tensor| tensor.rows)
    }

    fn mix(&self, mixer: Mixer, hidden_size: u64) -> Mix {
        match mixer {
            Mixer::Attention(attention) => {
                let query = attention.heads * attention.key_length;
                Mix::Attention {
                    attention,
                    query,
                    key: attention.kv_heads * attention.key_length,
                    value: attention.kv_heads * attention.value_length,
                    fused: self.has(Role::AttnQkv),
                    head_norms: self
                        .get(Role::AttnQNorm)
                        .is_some_and(|norm| norm.columns == attention.key_length),
                    full_norms: self
                        .get(Role::AttnQNorm)
                        .is_some_and(|norm| norm.columns != attention.key_length),
                    gated: self.rows(Role::AttnQ).is_some_and(|rows| rows == 2 * query),
                }
            }
            Mixer::Recurrent(state) => match (self.rows(Role::AttnQkv), self.rows(Role::AttnGate)) {
                (Some(mixed), Some(inner)) => Mix::Delta { state, mixed, inner },
                _ if state.recurrent_state == 0 => Mix::Convolution(state),
                _ => Mix::Other {
                    state,
                    projected: self
                        .0
                        .iter()
                        .map(|&(_, tensor)| tensor)
                        .filter(|tensor| tensor.dimensions == 2 && tensor.columns == hidden_size)
                        .filter(|tensor| {
                            !matches!(
                                tensor.role,
                                Role::FfnGate | Role::FfnUp | Role::FfnGateInput | Role::FfnDown
                            )
                        })
                        .map(|tensor| tensor.rows)
                        .sum(),
                },
            },
        }
    }

    fn feed_forward(&self) -> FeedForward {
        if let Some(down) = self.get(Role::FfnDownExperts) {
            return FeedForward::Experts {
                experts: down.experts,
                used: down.experts_used,
                size: down.columns,
                fused: self.has(Role::FfnGateUpExperts),
                shared: self.get(Role::FfnDownShared).map_or(0, |down| down.columns),
            };
        }
        match (self.get(Role::FfnDown), self.rows(Role::FfnUp)) {
            (Some(down), _) if self.has(Role::FfnGate) => FeedForward::Gated { size: down.columns },
            (Some(down), Some(up)) if up == 2 * down.columns => FeedForward::Fused { size: down.columns },
            (Some(down), _) => FeedForward::Plain { size: down.columns },
            (None, _) => FeedForward::Absent,
        }
    }

    fn layer(&self, mixer: Mixer, hidden_size: u64) -> Layer {
        let attention_norm = self.has(Role::AttnNorm);
        // without an `ffn_norm`, `post_attention_norm` is applied to the stream in its place; OLMo 2 has norms of what is
        // added only, and none before
        let post_norm_is_before_feed_forward = attention_norm && !self.has(Role::FfnNorm);
        Layer {
            mix: self.mix(mixer, hidden_size),
            feed_forward: self.feed_forward(),
            attention_norm,
            attention_post_norm: self.has(Role::AttnPostNorm) && !post_norm_is_before_feed_forward,
            attention_output_norm: self.has(Role::AttnOutputNorm),
            feed_forward_norm: self.has(Role::FfnNorm)
                || (self.has(Role::AttnPostNorm) && post_norm_is_before_feed_forward),
            feed_forward_post_norm: self.has(Role::FfnPostNorm),
            output_norm: self.has(Role::LayerOutputNorm),
            own_embedding: self.rows(Role::PerLayerInputGate).unwrap_or(0),
        }
    }
}

/// Whether two layers have tensors of the same roles and shapes.
fn alike(left: &[(u32, &Tensor)], right: &[(u32, &Tensor)]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|((_, a), (_, b))| {
            (a.role, a.bias, a.columns, a.rows, a.experts) == (b.role, b.bias, b.columns, b.rows, b.experts)
        })
}

/// The shapes of the layers that decode (or, of a model that only encodes, of its encoder), in order.
fn layers(model: &Model) -> Vec<Layer> {
    let of_stack = |stack: Stack| {
        let mut tensors: Vec<(u32, &Tensor)> = Vec::with_capacity(model.tensors.len());
        tensors.extend(
            model
                .tensors
                .iter()
                .filter(|tensor| tensor.stack == stack)
                .filter_map(|tensor| Some((tensor.layer?, tensor))),
        );
        tensors.sort_by_key(|&(layer, _)| layer);
        tensors
    };
    let (mut tensors, mut first) = (of_stack(Stack::Decoder), 0);
    if tensors.is_empty() {
        tensors = of_stack(Stack::Encoder);
    } else {
        let decoder_layers = tensors.chunk_by(|a, b| a.0 == b.0).count();
        first = model.mixers.len().saturating_sub(decoder_layers);
    }
    let mut layers: Vec<Layer> = Vec::with_capacity(model.mixers.len());
    let mut previous: Option<(&[(u32, &Tensor)], Mixer)> = None;
    for (weights, &mixer) in tensors.chunk_by(|a, b| a.0 == b.0).zip(&model.mixers[first..]) {
        let layer = match (previous, layers.last()) {
            (Some((before, same)), Some(&layer)) if same == mixer && alike(before, weights) => layer,
            _ => Weights(weights).layer(mixer, model.hidden_size),
        };
        previous = Some((weights, mixer));
        layers.push(layer);
    }
    layers
}

/// As few of the layers as give the allocator every situation it meets: the first, the last two, and of each kind of pair of
/// neighbours the first pair.
fn representatives(layers: &[Layer]) -> Vec<Layer> {
    let last = layers.len().saturating_sub(1);
    let mut chosen: Vec<usize> = vec![0, last.saturating_sub(1), last];
    let mut seen: Vec<(Layer, Layer)> = Vec::new();
    for at in 1..layers.len() {
        let pair = (layers[at - 1], layers[at]);
        if !seen.contains(&pair) {
            seen.push(pair);
            chosen.extend([at - 1, at]);
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().filter_map(|at| layers.get(at).copied()).collect()
}
