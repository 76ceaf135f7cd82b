//! Which tensor gets which block type: the rules of llama.cpp's quantiser and of its converter.
//!
//! The rules go by the names of tensors, as in llama.cpp. Names that llama.cpp knows and [`Role`](crate::model::Role) does not (GLM 5's, RWKV's, multimodal
//! towers') have no rules here: they count as matrices without a category, which is what most of them are.

mod choose;
mod naming;
mod order;

use super::{BlockType, Mix};
use crate::model::{Mixer, Model, Stack, Tensor};
use BlockType as B;
use naming::{Category, NAMINGS, category};
use order::loader_order;

/// What the rules ask of the model as a whole.
#[derive(Debug, Clone, Copy)]
struct Traits {
    /// No output head of its own: the embedding serves.
    tied: bool,
    /// Query heads per key-value head in the first layer, 0 if it has no attention.
    gqa: u64,
    experts: u64,
    /// Layers as llama.cpp counts them; the encoder's where there are two stacks.
    layers: i64,
    /// Tensors of [`Category::Value`].
    values: i64,
    /// What llama.cpp calls a 70B: one of a few architectures, with 80 layers.
    is_70b: bool,
    is_falcon: bool,
    /// Encoder-decoder: names begin with `enc.blk` or `dec.blk`.
    two_stacks: bool,
    importance_matrix: bool,
}

impl Traits {
    fn of(model: &Model, importance_matrix: bool) -> Self {
        let architecture = model.architecture.as_str();
        let (mut tied, mut values) = (true, 0);
        // one more than the last layer of the encoder, and of everything else
        let (mut encoder_layers, mut other_layers) = (0, 0);
        for tensor in &model.tensors {
            if let Some(layer) = tensor.layer {
                let layers = match tensor.stack {
                    Stack::Encoder => &mut encoder_layers,
                    Stack::Decoder | Stack::Head => &mut other_layers,
                };
                *layers = i64::from(layer).max(*layers - 1) + 1;
            }
            match category(tensor) {
                Category::Output => tied = false,
                Category::Value => values += 1,
                _ => {}
            }
        }
        let two_stacks = encoder_layers > 0 && other_layers > 0;
        let layers = if encoder_layers > 0 {
            encoder_layers
        } else {
            other_layers
        };
        let heads_of = |mixer: &Mixer| match mixer {
            Mixer::Attention(attention) => Some((attention.heads, attention.kv_heads)),
            Mixer::Recurrent(_) => None,
        };
        // these write one number of key-value heads for all layers, the others a list with zeros for layers without attention
        let uniform = matches!(architecture, "qwen3next" | "qwen35" | "qwen35moe");
        let heads = if uniform {
            model.mixers.iter().find_map(heads_of)
        } else {
            model.mixers.first().and_then(heads_of)
        };
        let gqa = heads.map_or(0, |(heads, kv_heads)| heads.checked_div(kv_heads).unwrap_or(0));
        let is_70b = match architecture {
            "llama" | "llama-embed" => layers == 80 && gqa != 1 && model.experts != 8,
            "qwen2" | "deci" | "olmo" => layers == 80,
            "jais2" => layers == 68,
            _ => false,
        };
        Self {
            tied,
            gqa,
            experts: model.experts,
            layers,
            values,
            is_70b,
            is_falcon: architecture == "falcon",
            two_stacks,
            importance_matrix,
        }
    }
}

/// How many tensors of a category have been given their type so far.
#[derive(Debug, Default)]
struct Counters {
    values: i64,
    downs: i64,
    gates: i64,
    ups: i64,
}

impl Mix {
    /// The block type of every tensor of `model`, in its order: what `llama-quantize` writes, given the file that llama.cpp's converter
    /// makes of the checkpoint (or, if the model was read from a GGUF, given that file).
    ///
    /// An importance matrix is assumed for the mixes that [need one](Mix::needs_importance_matrix) and for no others.
    /// Where the quantiser gives up (`q1_0` of rows that are no multiple of 128), the answer is F16.
    #[must_use]
    pub fn block_types(self, model: &Model) -> Vec<BlockType> {
        self.block_types_given(model, self.needs_importance_matrix())
    }

    /// As [`Mix::block_types`], with or without an importance matrix: with one, `q4_0`, `q5_0`, `iq3_xxs`, `iq4_xs` and `iq4_nl` treat
    /// the first down projections differently.
    #[must_use]
    pub fn block_types_given(self, model: &Model, importance_matrix: bool) -> Vec<BlockType> {
        let base = self.base_type();
        if base.is_plain() {
            let plain = |tensor| {
                if may_be_quantised(tensor) {
                    base
                } else {
                    self.source_type(tensor)
                }
            };
            return model.tensors.iter().map(plain).collect();
        }
        let traits = Traits::of(model, importance_matrix);
        let mut counters = Counters::default();
        let mut assign = |tensor: &Tensor| {
            if !may_be_quantised(tensor) {
                return self.source_type(tensor);
            }
            let chosen = self.choose(base, tensor, category(tensor), &traits, &mut counters);
            that_fits(chosen, tensor.columns)
        };
        let Some(order) = loader_order(&model.tensors, traits.two_stacks) else {
            return model.tensors.iter().map(assign).collect();
        };
        let mut types = vec![base; model.tensors.len()];
        for at in order {
            types[at] = assign(&model.tensors[at]);
        }
        types
    }

    /// The type in the file before quantisation.
    fn source_type(self, tensor: &Tensor) -> BlockType {
        if let Some(stored) = tensor.stored {
            return stored;
        }
        if tensor.dimensions <= 1 || tensor.bias || NAMINGS[tensor.role as usize].single_precision {
            return B::F32;
        }
        match self {
            Self::F32 => B::F32,
            Self::BF16 => B::BF16,
            _ => B::F16,
        }
    }
}

/// Whether the quantiser touches it: a matrix, or a stack of them, whose name is not excepted.
fn may_be_quantised(tensor: &Tensor) -> bool {
    let matrix = tensor.dimensions > 1 && (tensor.rows > 1 || tensor.experts > 1);
    matrix && !tensor.bias && NAMINGS[tensor.role as usize].quantised
}

/// `wanted`, or what replaces it where a row is not a whole number of its blocks.
const fn that_fits(wanted: BlockType, columns: u64) -> BlockType {
    if wanted.fills(columns) {
        return wanted;
    }
    let replacement = match wanted {
        B::IQ1_S | B::IQ1_M | B::IQ2_XXS | B::IQ2_XS | B::IQ2_S | B::IQ3_XXS | B::IQ3_S | B::IQ4_XS => B::IQ4_NL,
        B::Q2_0 | B::Q2_K | B::Q3_K | B::TQ1_0 | B::TQ2_0 => B::Q4_0,
        B::Q4_K => B::Q5_0,
        B::Q5_K => B::Q5_1,
        B::Q6_K => B::Q8_0,
        _ => B::F16,
    };
    if replacement.fills(columns) {
        replacement
    } else {
        B::F16
    }
}
