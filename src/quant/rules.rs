//! Which tensor gets which block type: the rules of llama.cpp's quantiser and of its converter.
//!
//! The rules go by the names of tensors, as in llama.cpp, so what a name says is worked out once for every [`Role`], at compile time.
//! Names that llama.cpp knows and [`Role`] does not (GLM 5's, RWKV's, multimodal towers') have no rules here: they count as matrices
//! without a category, which is what most of them are.

use super::{BlockType, Mix};
use crate::model::{Mixer, Model, Role, Stack, Tensor};
use BlockType as B;
use std::cmp::Ordering;

/// The kinds of tensors that the rules tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    Embedding,
    Output,
    Query,
    Key,
    /// Values, and projections that have the values fused in.
    Value,
    AttentionOutput,
    Up,
    Gate,
    Down,
    Other,
}

/// What a tensor's name decides.
#[derive(Debug, Clone, Copy)]
struct Naming {
    category: Category,
    /// A matrix of this name may be quantised.
    quantised: bool,
    /// The converter writes it in single precision whatever the file's type is.
    single_precision: bool,
}

/// One entry a role, in the order of its discriminants.
static NAMINGS: [Naming; Role::ALL.len()] = {
    let mut namings = [naming(Role::Other); Role::ALL.len()];
    let mut at = 0;
    while at < namings.len() {
        namings[at] = naming(Role::ALL[at]);
        at += 1;
    }
    namings
};

const fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let mut start = 0;
    while start + part.len() <= text.len() {
        let mut matched = 0;
        while matched < part.len() && text[start + matched] == part[matched] {
            matched += 1;
        }
        if matched == part.len() {
            return true;
        }
        start += 1;
    }
    false
}

const fn ends_with(text: &str, end: &str) -> bool {
    let (text, end) = (text.as_bytes(), end.as_bytes());
    text.len() >= end.len() && {
        let mut at = 0;
        while at < end.len() && text[text.len() - end.len() + at] == end[at] {
            at += 1;
        }
        at == end.len()
    }
}

const fn equals(a: &str, b: &str) -> bool {
    a.len() == b.len() && ends_with(a, b)
}

const fn any_contained(text: &str, parts: &[&str]) -> bool {
    let mut at = 0;
    while at < parts.len() {
        if contains(text, parts[at]) {
            return true;
        }
        at += 1;
    }
    false
}

const fn any_ending(text: &str, ends: &[&str]) -> bool {
    let mut at = 0;
    while at < ends.len() {
        if ends_with(text, ends[at]) {
            return true;
        }
        at += 1;
    }
    false
}

/// What the stem of a name decides. llama.cpp looks for parts of the whole name; where a part ends in `.weight` it is the stem's end.
const fn naming(role: Role) -> Naming {
    let stem = role.stem();
    let category = if equals(stem, "output") {
        Category::Output
    } else if equals(stem, "token_embd") || equals(stem, "per_layer_token_embd") {
        Category::Embedding
    } else if any_ending(stem, &["attn_qkv", "attn_kv_b", "attn_v"]) {
        Category::Value
    } else if ends_with(stem, "attn_k") {
        Category::Key
    } else if ends_with(stem, "attn_q") {
        Category::Query
    } else if ends_with(stem, "attn_output") {
        Category::AttentionOutput
    } else if contains(stem, "ffn_up") {
        Category::Up
    } else if contains(stem, "ffn_gate") {
        Category::Gate
    } else if contains(stem, "ffn_down") {
        Category::Down
    } else {
        Category::Other
    };
    // small or sensitive matrices, and state space parameters whose names have no suffix
    let kept = any_ending(
        stem,
        &[
            "_norm",
            "ffn_gate_inp",
            "shortconv.conv",
            "attn_rel_b",
            "indexer.k_proj",
            "indexer.q_proj",
        ],
    ) || any_contained(stem, &["altup", "laurel", "per_layer_model_proj", "ssm_conv1d"])
        || equals(stem, "position_embd")
        || equals(stem, "token_types")
        || equals(stem, "ssm_a")
        || equals(stem, "ssm_d");
    let single_precision = any_ending(
        stem,
        &[
            "_norm",
            "ffn_gate_inp",
            "ffn_gate_inp_shexp",
            "shortconv.conv",
            "indexer.proj",
            "altup_correct_coef",
            "altup_predict_coef",
        ],
    ) || contains(stem, "ssm_conv1d")
        || equals(stem, "position_embd")
        || equals(stem, "token_types")
        || equals(stem, "ssm_a")
        || equals(stem, "ssm_d");
    Naming {
        category,
        quantised: !kept,
        single_precision,
    }
}

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
        let layered = |stack: Stack| model.tensors.iter().any(|t| t.layer.is_some() && t.stack == stack);
        let two_stacks = layered(Stack::Encoder) && layered(Stack::Decoder);
        let layers = model
            .tensors
            .iter()
            .filter(|tensor| !two_stacks || tensor.stack == Stack::Encoder)
            .filter_map(|tensor| tensor.layer)
            .max()
            .map_or(0, |last| i64::from(last) + 1);
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
            tied: !model
                .tensors
                .iter()
                .any(|tensor| tensor.role == Role::Output && !tensor.bias),
            gqa,
            experts: model.experts,
            layers,
            values: model
                .tensors
                .iter()
                .filter(|tensor| category(tensor) == Category::Value)
                .count() as i64,
            is_70b,
            is_falcon: architecture == "falcon",
            two_stacks,
            importance_matrix,
        }
    }
}

fn category(tensor: &Tensor) -> Category {
    if tensor.bias {
        Category::Other
    } else {
        NAMINGS[tensor.role as usize].category
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
        let traits = Traits::of(model, importance_matrix);
        let mut counters = Counters::default();
        let mut types = vec![BlockType::F32; model.tensors.len()];
        let mut assign = |at: usize| types[at] = self.block_type(&model.tensors[at], &traits, &mut counters);
        match loader_order(&model.tensors, traits.two_stacks) {
            None => (0..model.tensors.len()).for_each(&mut assign),
            Some(order) => order.into_iter().for_each(&mut assign),
        }
        types
    }

    /// The type of the next tensor in the loader's order.
    fn block_type(self, tensor: &Tensor, traits: &Traits, counters: &mut Counters) -> BlockType {
        let naming = NAMINGS[tensor.role as usize];
        let matrix = tensor.dimensions > 1 && (tensor.rows > 1 || tensor.experts > 1);
        if !matrix || tensor.bias || !naming.quantised {
            return self.source_type(tensor, naming);
        }
        let base = self.base_type();
        if base.is_plain() {
            return base;
        }
        let chosen = self.choose(base, tensor, naming.category, traits, counters);
        that_fits(chosen, tensor.columns)
    }

    /// The type in the file before quantisation.
    fn source_type(self, tensor: &Tensor, naming: Naming) -> BlockType {
        if let Some(stored) = tensor.stored {
            return stored;
        }
        if tensor.dimensions <= 1 || tensor.bias || naming.single_precision {
            return B::F32;
        }
        match self {
            Self::F32 => B::F32,
            Self::BF16 => B::BF16,
            _ => B::F16,
        }
    }

    /// The type that the mix wants for a matrix, before its row length is looked at.
    fn choose(self, base: B, tensor: &Tensor, category: Category, traits: &Traits, counters: &mut Counters) -> B {
        let as_output = category == Category::Output || (traits.tied && category == Category::Embedding);
        if as_output {
            return self.choose_output(base, tensor.columns, traits);
        }
        if self == Self::MXFP4_MOE {
            return if tensor.experts > 1 { B::MXFP4 } else { B::Q8_0 };
        }
        if category == Category::Embedding {
            return self.choose_embedding(base);
        }
        if self.is_two_bit_code_book() {
            return self.choose_two_bit(base, category, traits, counters);
        }
        // in a mixture of experts the layer is the tensor's own, else it is counted
        let mut layer = |counter: fn(&mut Counters) -> &mut i64| {
            let counter = counter(counters);
            let counted = *counter;
            *counter += 1;
            match tensor.layer {
                Some(own) if traits.experts > 1 => i64::from(own),
                _ => counted,
            }
        };
        let eight_experts = traits.experts == 8;
        match category {
            Category::Value => {
                let nth = counters.values;
                counters.values += 1;
                self.choose_value(base, nth, traits)
            }
            Category::Key if eight_experts => B::Q8_0,
            Category::Key | Category::Query => match self {
                Self::IQ3_XS => B::IQ3_XXS,
                Self::IQ3_XXS => B::IQ2_S,
                _ => base,
            },
            Category::Down => {
                let layer = layer(|counters| &mut counters.downs);
                self.choose_down(base, layer, traits)
            }
            Category::AttentionOutput => self.choose_attention_output(base, traits),
            Category::Gate | Category::Up => {
                let layer = layer(match category {
                    Category::Gate => |counters| &mut counters.gates,
                    _ => |counters| &mut counters.ups,
                });
                let middle = layer >= traits.layers / 8 && layer < 7 * traits.layers / 8;
                if self == Self::IQ3_XS && middle {
                    B::IQ3_XXS
                } else {
                    base
                }
            }
            Category::Embedding | Category::Output | Category::Other => base,
        }
    }

    /// The output head, or the embedding that serves as one.
    fn choose_output(self, base: B, columns: u64, traits: &Traits) -> B {
        let whole_blocks = columns.is_multiple_of(base.block_elements());
        match self {
            Self::MXFP4_MOE => B::Q8_0,
            _ if traits.is_falcon || !whole_blocks => B::Q8_0,
            Self::IQ1_S | Self::IQ1_M | Self::IQ2_XXS | Self::IQ2_XS | Self::IQ2_S | Self::IQ2_M | Self::IQ3_XXS => {
                B::Q5_K
            }
            Self::Q8_0 => B::Q8_0,
            _ => B::Q6_K,
        }
    }

    /// An embedding beside an output head of its own.
    const fn choose_embedding(self, base: B) -> B {
        match self {
            Self::IQ1_S | Self::IQ1_M | Self::IQ2_XXS | Self::IQ2_XS => B::Q2_K,
            Self::IQ2_S | Self::IQ2_M | Self::IQ3_XXS => B::IQ3_S,
            Self::TQ1_0 | Self::TQ2_0 | Self::Q2_0 => B::Q4_K,
            _ => base,
        }
    }

    const fn is_two_bit_code_book(self) -> bool {
        matches!(
            self,
            Self::IQ1_S | Self::IQ1_M | Self::IQ2_XXS | Self::IQ2_XS | Self::IQ2_S | Self::IQ2_M
        )
    }

    /// The matrices of the mixes around one and two bits.
    fn choose_two_bit(self, base: B, category: Category, traits: &Traits, counters: &mut Counters) -> B {
        let upper = matches!(self, Self::IQ2_S | Self::IQ2_M);
        let better = if upper { B::IQ3_S } else { B::Q2_K };
        match category {
            Category::Value => {
                counters.values += 1;
                if traits.gqa >= 4 || traits.experts >= 4 {
                    B::Q4_K
                } else {
                    better
                }
            }
            Category::Key if traits.experts == 8 => B::Q4_K,
            Category::Down => {
                let nth = counters.downs;
                counters.downs += 1;
                if nth < traits.layers / 8 { better } else { base }
            }
            Category::AttentionOutput => match self {
                _ if traits.experts == 8 => B::Q5_K,
                Self::IQ1_S | Self::IQ1_M => B::IQ2_XXS,
                _ if upper => B::IQ3_S,
                _ => base,
            },
            _ => base,
        }
    }

    /// The `nth` value projection.
    fn choose_value(self, base: B, nth: i64, traits: &Traits) -> B {
        let shared = traits.gqa >= 4;
        let chosen = match self {
            Self::Q2_K => {
                if shared {
                    B::Q4_K
                } else {
                    B::Q3_K
                }
            }
            Self::Q2_K_S if shared => B::Q4_K,
            Self::IQ3_XXS if shared => B::Q4_K,
            Self::IQ3_XXS if traits.importance_matrix => B::IQ3_XXS,
            Self::IQ3_XXS => B::IQ3_S,
            Self::IQ3_XS | Self::IQ3_S if shared => B::Q4_K,
            Self::IQ3_M => B::Q4_K,
            Self::Q3_K_M => {
                if nth < 2 {
                    B::Q5_K
                } else {
                    B::Q4_K
                }
            }
            Self::Q3_K_L => B::Q5_K,
            Self::IQ4_NL | Self::IQ4_XS if shared => B::Q5_K,
            Self::Q4_K_M | Self::Q5_K_M if gets_more_bits(nth, traits.values) => B::Q6_K,
            Self::Q4_K_S if nth < 4 => B::Q5_K,
            _ => base,
        };
        match chosen {
            _ if traits.experts == 8 => B::Q8_0,
            B::Q3_K | B::Q4_K if traits.is_70b => B::Q5_K,
            _ => chosen,
        }
    }

    /// The down projection of a feed-forward layer.
    fn choose_down(self, base: B, layer: i64, traits: &Traits) -> B {
        let layers = traits.layers;
        let first_eighth = layer < layers / 8;
        let first_sixteenth = layer < layers / 16;
        let more_bits = gets_more_bits(layer, layers);
        let falcon = traits.is_falcon;
        let with_matrix = traits.importance_matrix;
        match self {
            Self::Q2_K => B::Q3_K,
            Self::Q2_K_S if first_eighth => B::Q4_K,
            Self::IQ3_XXS if !with_matrix => {
                if first_eighth {
                    B::Q4_K
                } else {
                    B::Q3_K
                }
            }
            Self::Q3_K_M if first_sixteenth => B::Q5_K,
            Self::Q3_K_M if !falcon || more_bits => B::Q4_K,
            Self::IQ3_M if first_eighth || (traits.experts == 8 && more_bits) => B::Q4_K,
            Self::Q3_K_L => {
                if falcon {
                    B::Q4_K
                } else {
                    B::Q5_K
                }
            }
            Self::Q4_K_M if falcon => {
                if first_sixteenth {
                    B::Q6_K
                } else if more_bits {
                    B::Q5_K
                } else {
                    B::Q4_K
                }
            }
            Self::Q4_K_M | Self::Q5_K_M if more_bits => B::Q6_K,
            Self::IQ4_NL | Self::IQ4_XS if first_eighth && !with_matrix => B::Q5_K,
            Self::Q4_K_S if first_eighth && !falcon => B::Q5_K,
            Self::Q4_0 if first_eighth && with_matrix => B::Q4_1,
            Self::Q5_0 if first_eighth && with_matrix => B::Q5_1,
            _ => base,
        }
    }

    /// The output projection of attention.
    const fn choose_attention_output(self, base: B, traits: &Traits) -> B {
        match self {
            Self::Q3_K_L if traits.is_falcon => B::Q4_K,
            _ if traits.is_falcon => base,
            Self::Q2_K
            | Self::IQ3_XS
            | Self::IQ3_XXS
            | Self::Q3_K_S
            | Self::Q3_K_M
            | Self::IQ4_NL
            | Self::Q4_K_S
            | Self::Q4_K_M
            | Self::IQ3_S
            | Self::IQ3_M
            | Self::IQ4_XS
                if traits.experts == 8 =>
            {
                B::Q5_K
            }
            _ if traits.experts == 8 => base,
            Self::Q2_K => B::Q3_K,
            Self::IQ3_XXS => B::IQ3_S,
            Self::Q3_K_M | Self::IQ3_M => B::Q4_K,
            Self::Q3_K_L => B::Q5_K,
            _ => base,
        }
    }
}

/// The first and the last eighth of the layers, and every third between.
const fn gets_more_bits(layer: i64, layers: i64) -> bool {
    layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
}

/// `wanted`, or what replaces it where a row is not a whole number of its blocks.
const fn that_fits(wanted: BlockType, columns: u64) -> BlockType {
    if columns.is_multiple_of(wanted.block_elements()) {
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
    if columns.is_multiple_of(replacement.block_elements()) {
        replacement
    } else {
        B::F16
    }
}

/// The order in which the quantiser counts the tensors, none if it is the model's own.
///
/// llama.cpp's loader sorts by the layer in `blk.N.` and then by name. Names in an encoder-decoder do not begin with `blk`, so there the
/// name alone decides, and layer 10 comes before layer 2. Only tensors that are counted matter.
fn loader_order(tensors: &[Tensor], two_stacks: bool) -> Option<Vec<usize>> {
    let precedes = |a: &Tensor, b: &Tensor| {
        let layers = if two_stacks {
            let is_encoder = |tensor: &Tensor| tensor.stack == Stack::Encoder;
            is_encoder(a)
                .cmp(&is_encoder(b))
                .then_with(|| digits(a.layer).cmp(&digits(b.layer)))
        } else {
            a.layer.cmp(&b.layer)
        };
        layers.then_with(|| a.role.stem().cmp(b.role.stem()))
    };
    let mut previous = [None; Category::Other as usize];
    let sorted = tensors.iter().all(|tensor| {
        let category = category(tensor);
        if !matches!(
            category,
            Category::Value | Category::Down | Category::Gate | Category::Up
        ) {
            return true;
        }
        let previous = previous[category as usize].replace(tensor);
        previous.is_none_or(|previous| precedes(previous, tensor) != Ordering::Greater)
    });
    if sorted {
        return None;
    }
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by(|&a, &b| precedes(&tensors[a], &tensors[b]));
    Some(order)
}

/// The layer in decimal, padded with a byte that sorts before every digit, as the dot after it does.
fn digits(layer: Option<u32>) -> [u8; 10] {
    let mut digits = [0; 10];
    if let Some(mut rest) = layer {
        let length = rest.checked_ilog10().unwrap_or(0) as usize + 1;
        for digit in digits[..length].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    digits
}
