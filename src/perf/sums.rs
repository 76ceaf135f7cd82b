//! The sums over a model's tensors that every closed form starts from: computed once per model and mix, so that a prediction
//! is a few dozen floating-point operations.

use crate::model::{Attention, Knowledge, Mixer, Model, Role, Stack, Tensor, Use};
use crate::perf::memory::MemorySums;
use crate::quant::{BlockType, NotStored, Precision};

/// The matrices of one stack that are stored in one block type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FormatSums {
    /// The block type.
    pub block_type: BlockType,
    /// Bytes of the matrices that every token uses.
    pub dense_bytes: f64,
    /// Weights of the matrices that every token uses.
    pub dense_weights: f64,
    /// Bytes of all experts.
    pub expert_bytes: f64,
    /// Weights of all experts.
    pub expert_weights: f64,
}

/// The tensors that work in the same passes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StackSums {
    /// Multiplied matrices by block type.
    pub formats: Vec<FormatSums>,
    /// Bytes of tensors applied element by element, and of the rows that one token looks up.
    pub other_bytes: f64,
}

impl StackSums {
    /// Bytes that a pass reads which touches this share of the experts.
    #[must_use]
    #[inline]
    pub fn bytes(&self, touched: f64) -> f64 {
        let of_matrices = |format: &FormatSums| format.dense_bytes + touched * format.expert_bytes;
        self.formats.iter().map(of_matrices).sum::<f64>() + self.other_bytes
    }
}

/// Layers whose attention is alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionGroup {
    /// How many layers.
    pub layers: f64,
    /// What each of them is.
    pub attention: Attention,
    /// FLOPs of all of them for one token that sees one position, `2 · layers · heads · (key_length + value_length)`.
    pub flops: f64,
    /// Elements of all their keys of one position, `layers · kv_heads · key_length`.
    pub key_elements: f64,
    /// Elements of all their values of one position.
    pub value_elements: f64,
}

/// All that the closed forms ask of a model in a mix.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSums {
    /// `Σ columns·rows·experts` over all tensors.
    pub parameters: u64,
    /// The same, of each stack of experts only those that one token uses.
    pub active_parameters: u64,
    /// Bytes of all tensors.
    pub weight_bytes: u64,
    /// Linear FLOPs per token, `Σ 2·active·rows·columns` over the matrices that are multiplied.
    pub linear_flops_per_token: f64,
    /// What runs over every token of prompt and generation.
    pub decoder: StackSums,
    /// What runs over the prompt only.
    pub encoder: StackSums,
    /// What runs where logits are wanted.
    pub head: StackSums,
    /// What a decoding step makes of the encoder's whole output: keys and values of the cross attention.
    pub cross: StackSums,
    /// Share of its experts that a token uses; 1 for a dense model.
    pub expert_share: f64,
    /// Attention of the decoder's layers.
    pub attention: Vec<AttentionGroup>,
    /// Attention of the encoder's layers (bidirectional).
    pub encoder_attention: Vec<AttentionGroup>,
    /// Attention of the decoder on the encoder's output.
    pub cross_attention: Vec<AttentionGroup>,
    /// Bytes of recurrent state, read and written once per token.
    pub recurrent_bytes: f64,
    /// FLOPs of the recurrences per token.
    pub recurrent_flops: f64,
    /// Layers that run per pass of the decoder.
    pub decoder_layers: f64,
    /// Layers that run per pass of the encoder.
    pub encoder_layers: f64,
    /// Operations of one pass of the decoder, head included.
    pub decoder_operations: f64,
    /// Operations of one pass of the encoder.
    pub encoder_operations: f64,
    /// Bytes of activations that one token reads and writes in a pass of the decoder.
    pub decoder_activation_bytes: f64,
    /// Bytes of activations that one token reads and writes in a pass of the encoder.
    pub encoder_activation_bytes: f64,
    /// Bytes of activations that one position of the encoder's output reads and writes for the cross attention.
    pub cross_activation_bytes: f64,
    /// Width of the residual stream.
    pub hidden_size: f64,
    /// How completely the model is known.
    pub knowledge: Knowledge,
    /// What the memory forms ask.
    pub memory: MemorySums,
}

/// Operations of a layer's graph besides those that apply a weight tensor: two rotations, two cache writes, attention, the
/// activation function and two residual additions.
const OPERATIONS_WITHOUT_WEIGHTS: f64 = 8.0;

/// Bytes moved per element that a matrix takes in or puts out: the matrix reads or writes it once and an element-wise operation
/// beside it reads and writes it once more, all in F32.
const ACTIVATION_BYTES: f64 = 12.0;

/// Operations that apply a weight tensor, and bytes of activations that its matrices read and write for one token (F32).
#[derive(Default)]
struct Graph {
    operations: f64,
    activation_bytes: f64,
}

impl Graph {
    fn add(&mut self, tensor: &Tensor) {
        self.operations += 1.0;
        if tensor.usage != Use::Elementwise {
            self.activation_bytes +=
                ACTIVATION_BYTES * (tensor.columns + tensor.rows) as f64 * tensor.experts_used as f64;
        }
    }
}

impl StackSums {
    fn add(&mut self, tensor: &Tensor, block_type: BlockType, bytes: f64) {
        match tensor.usage {
            Use::Unread => {}
            Use::Elementwise => self.other_bytes += bytes * tensor.active_share(),
            Use::LookUp => self.other_bytes += bytes / (tensor.rows * tensor.experts).max(1) as f64,
            Use::Multiply | Use::LookUpAndMultiply => {
                let at = self
                    .formats
                    .iter()
                    .position(|format| format.block_type == block_type)
                    .unwrap_or_else(|| {
                        self.formats.push(FormatSums {
                            block_type,
                            dense_bytes: 0.0,
                            dense_weights: 0.0,
                            expert_bytes: 0.0,
                            expert_weights: 0.0,
                        });
                        self.formats.len() - 1
                    });
                let format = &mut self.formats[at];
                let weights = tensor.elements() as f64;
                if tensor.experts > 1 {
                    format.expert_bytes += bytes;
                    format.expert_weights += weights;
                } else {
                    format.dense_bytes += bytes;
                    format.dense_weights += weights;
                }
            }
        }
    }
}

fn group(attention: impl Iterator<Item = Attention>) -> Vec<AttentionGroup> {
    let mut groups: Vec<AttentionGroup> = Vec::new();
    for attention in attention {
        let at = groups
            .iter()
            .position(|group| group.attention == attention)
            .unwrap_or_else(|| {
                groups.push(AttentionGroup {
                    layers: 0.0,
                    attention,
                    flops: 0.0,
                    key_elements: 0.0,
                    value_elements: 0.0,
                });
                groups.len() - 1
            });
        let group = &mut groups[at];
        let (key, value) = (attention.key_length as f64, attention.value_length as f64);
        group.layers += 1.0;
        group.flops += 2.0 * attention.heads as f64 * (key + value);
        group.key_elements += attention.kv_heads as f64 * key;
        group.value_elements += attention.kv_heads as f64 * value;
    }
    groups
}

impl ModelSums {
    /// Whether an encoder reads the prompt.
    #[must_use]
    #[inline]
    pub const fn encodes(&self) -> bool {
        !self.encoder.formats.is_empty()
    }

    /// The sums of `model` in a precision.
    ///
    /// # Errors
    /// [`NotStored`] for [`Precision::Stored`] if the model was not read from a GGUF file.
    pub fn of(model: &Model, precision: Precision) -> Result<Self, NotStored> {
        Ok(Self::new(model, &precision.block_types(model)?))
    }

    /// The sums of `model` with its tensors stored as `types` say, one per tensor in the model's order.
    #[must_use]
    pub fn new(model: &Model, types: &[BlockType]) -> Self {
        let (mut decoder, mut encoder, mut head) = (StackSums::default(), StackSums::default(), StackSums::default());
        let mut cross = StackSums::default();
        let (mut decoder_graph, mut encoder_graph, mut cross_graph) =
            (Graph::default(), Graph::default(), Graph::default());
        let (mut weight_bytes, mut active, mut flops) = (0_u64, 0.0, 0.0);
        for (tensor, &block_type) in model.tensors.iter().zip(types) {
            let bytes = block_type.tensor_bytes(tensor).unwrap_or(0);
            weight_bytes = weight_bytes.saturating_add(bytes);
            if tensor.usage == Use::Unread {
                continue;
            }
            active += tensor.elements() as f64 * tensor.active_share();
            if matches!(tensor.usage, Use::Multiply | Use::LookUpAndMultiply) {
                flops += 2.0 * tensor.elements() as f64 * tensor.active_share();
            }
            let crosses = matches!(tensor.role, Role::CrossAttnK | Role::CrossAttnV);
            match (tensor.usage, tensor.stack) {
                (Use::LookUp, _) => {}
                _ if crosses => cross_graph.add(tensor),
                (_, Stack::Encoder) => encoder_graph.add(tensor),
                (_, Stack::Decoder | Stack::Head) => decoder_graph.add(tensor),
            }
            // A tied embedding is multiplied where the logits are wanted.
            let stack = match (tensor.usage, tensor.stack) {
                (Use::LookUpAndMultiply, _) | (_, Stack::Head) => &mut head,
                _ if crosses => &mut cross,
                (_, Stack::Decoder) => &mut decoder,
                (_, Stack::Encoder) => &mut encoder,
            };
            stack.add(tensor, block_type, bytes as f64);
        }
        let attention_of = |bidirectional: bool| {
            group(model.mixers.iter().filter_map(move |mixer| match mixer {
                Mixer::Attention(attention) if attention.bidirectional == bidirectional => Some(*attention),
                _ => None,
            }))
        };
        let recurrent = || {
            model.mixers.iter().filter_map(|mixer| match mixer {
                Mixer::Recurrent(state) => Some(state),
                Mixer::Attention(_) => None,
            })
        };
        let encoder_attention = attention_of(true);
        let encoder_layers = encoder_attention.iter().map(|group| group.layers).sum::<f64>();
        let decoder_layers = model.mixers.len() as f64 - encoder_layers;
        Self {
            parameters: model.parameters(),
            active_parameters: active.round() as u64,
            weight_bytes,
            linear_flops_per_token: flops,
            decoder,
            encoder,
            head,
            cross,
            expert_share: if model.experts > 0 {
                model.experts_used as f64 / model.experts as f64
            } else {
                1.0
            },
            attention: attention_of(false),
            encoder_attention,
            cross_attention: group(model.cross_attention.iter().copied()),
            recurrent_bytes: recurrent()
                .map(|state| 8.0 * (state.convolution_state + state.recurrent_state) as f64)
                .sum(),
            recurrent_flops: recurrent().map(|state| state.flops_per_token as f64).sum(),
            decoder_layers,
            encoder_layers,
            decoder_operations: decoder_graph.operations
                + cross_graph.operations
                + OPERATIONS_WITHOUT_WEIGHTS * decoder_layers,
            encoder_operations: encoder_graph.operations + OPERATIONS_WITHOUT_WEIGHTS * encoder_layers,
            decoder_activation_bytes: decoder_graph.activation_bytes,
            encoder_activation_bytes: encoder_graph.activation_bytes,
            cross_activation_bytes: cross_graph.activation_bytes,
            hidden_size: model.hidden_size as f64,
            knowledge: model.knowledge,
            memory: MemorySums::new(model, types),
        }
    }
}
