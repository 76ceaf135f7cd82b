//! A model is the list of its weight tensors; every closed form is a sum over that list, so the forms cannot disagree.

mod family;

pub use family::{Dimensions, Family};

/// What a weight tensor is for. The name is llama.cpp's, so that a tensor's role is its GGUF name without layer and suffix.
///
/// `Other` stands for any tensor of a GGUF whose name is not known here.
macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $stem:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        /// What a weight tensor is for: its GGUF name without the layer and the suffix (`attn_q`, `ffn_down`, ...).
        pub enum Role { $($(#[$doc])* $role,)* /** Not named here. */ Other }

        impl Role {
            /// The GGUF name without `blk.N.` (or `enc.blk.N.`, `dec.blk.N.`) and without `.weight` or `.bias`.
            #[must_use]
            pub const fn stem(self) -> &'static str {
                match self { $(Self::$role => $stem,)* Self::Other => "other" }
            }

            /// The role of a GGUF stem; [`Role::Other`] if it is not known.
            #[must_use]
            pub fn from_stem(stem: &str) -> Self {
                match stem { $($stem => Self::$role,)* _ => Self::Other }
            }
        }
    };
}

roles! {
    TokenEmbedding = "token_embd",
    TokenTypes = "token_types",
    PositionEmbedding = "position_embd",
    TokenEmbeddingNorm = "token_embd_norm",
    OutputNorm = "output_norm",
    Output = "output",
    RopeFrequencies = "rope_freqs",
    RopeFactorsLong = "rope_factors_long",
    RopeFactorsShort = "rope_factors_short",
    AttnNorm = "attn_norm",
    AttnQ = "attn_q",
    AttnK = "attn_k",
    AttnV = "attn_v",
    AttnQkv = "attn_qkv",
    AttnGate = "attn_gate",
    AttnOutput = "attn_output",
    AttnQNorm = "attn_q_norm",
    AttnKNorm = "attn_k_norm",
    AttnSinks = "attn_sinks",
    AttnRelativeBias = "attn_rel_b",
    AttnPostNorm = "post_attention_norm",
    AttnOutputNorm = "attn_output_norm",
    FfnNorm = "ffn_norm",
    FfnGate = "ffn_gate",
    FfnUp = "ffn_up",
    FfnDown = "ffn_down",
    FfnPostNorm = "post_ffw_norm",
    LayerOutputNorm = "layer_output_norm",
    FfnGateInput = "ffn_gate_inp",
    FfnGateExperts = "ffn_gate_exps",
    FfnUpExperts = "ffn_up_exps",
    FfnDownExperts = "ffn_down_exps",
    FfnGateUpExperts = "ffn_gate_up_exps",
}

/// How the forward pass of one token uses a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Multiplied by the activations: all its rows are read, two FLOPs a weight.
    Multiply,
    /// A table of which a token reads one row.
    LookUp,
    /// A tied embedding: one row is looked up, and the whole is multiplied as the output head.
    LookUpAndMultiply,
    /// Read whole and applied element by element (norms, biases, scales).
    Elementwise,
}

/// Which part of the model a tensor belongs to, for the phases in which it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stack {
    /// Runs over the prompt and over every decoded token (a decoder-only model; the decoder of an encoder-decoder).
    Decoder,
    /// Runs over the prompt only.
    Encoder,
    /// Runs on the last position of a prompt and on every decoded token (output norm and head).
    Head,
}

/// One weight tensor (or, with `experts` > 1, a stack of them), as GGUF stores it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tensor {
    /// What it is for.
    pub role: Role,
    /// The layer, counted from 0; none for those outside the layers.
    pub layer: Option<u32>,
    /// The suffix of its name is `.bias` and not `.weight`.
    pub bias: bool,
    /// Row length, GGUF's `ne[0]`.
    pub columns: u64,
    /// Number of rows, `ne[1]` (1 for vectors).
    pub rows: u64,
    /// `ne[2]`: the number of experts in a stacked tensor, else 1.
    pub experts: u64,
    /// Of `experts`, how many one token uses.
    pub experts_used: u64,
    /// Number of dimensions in the file (1 to 3): quantisation leaves vectors alone.
    pub dimensions: u8,
    /// How a token uses it.
    pub usage: Use,
    /// In which passes it works.
    pub stack: Stack,
    /// The block type in the file it was read from; none for a model known by its dimensions.
    pub stored: Option<crate::quant::BlockType>,
}

impl Tensor {
    /// Number of weights, `columns · rows · experts`.
    #[must_use]
    pub const fn elements(&self) -> u64 {
        self.columns * self.rows * self.experts
    }

    /// The share of the tensor that one token uses, `experts_used / experts`.
    #[must_use]
    pub fn active_share(&self) -> f64 {
        self.experts_used as f64 / self.experts as f64
    }
}

/// How one layer mixes information across tokens, as far as it costs memory or time that depends on the context.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mixer {
    /// Softmax attention over a KV cache.
    Attention(Attention),
    /// A state of fixed size instead of a cache (state space models, linear attention, short convolutions).
    Recurrent(Recurrent),
}

/// The attention of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention {
    /// Query heads.
    pub heads: u64,
    /// Key and value heads (GQA).
    pub kv_heads: u64,
    /// Elements of a key of one head.
    pub key_length: u64,
    /// Elements of a value of one head.
    pub value_length: u64,
    /// How many of the last positions it sees; all if none.
    pub window: Option<u64>,
    /// Its keys and values are those of an earlier layer: it reads a cache and holds none (Gemma 3n).
    pub shares_cache: bool,
    /// Every position sees every other, as in an encoder; no cache is kept.
    pub bidirectional: bool,
}

/// The recurrent state of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recurrent {
    /// Elements of the convolution's state (llama.cpp's `n_embd_r`), F32, of one sequence.
    pub convolution_state: u64,
    /// Elements of the recurrence's state (`n_embd_s`), F32, of one sequence.
    pub recurrent_state: u64,
    /// FLOPs of the recurrence for one token, beyond those of the weights.
    pub flops_per_token: u64,
}

/// How completely a model is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// Its architecture is one of the [families](Family): every tensor's use and every layer's mixer is known.
    Exact,
    /// Read from a GGUF of another architecture: parameters and bytes are exact, the rest follows a generic rule.
    Generic,
}

/// A model: its tensors and what else the closed forms ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The catalogue id, or the file's stem.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// llama.cpp's name of the architecture (`llama`, `qwen2`, ...).
    pub architecture: String,
    /// How completely it is known.
    pub knowledge: Knowledge,
    /// Every weight tensor, in the order of the file.
    pub tensors: Vec<Tensor>,
    /// One mixer a layer; an encoder's layers first where there are both.
    pub mixers: Vec<Mixer>,
    /// Cross attention of a decoder on the encoder's output, one entry a decoder layer that has it.
    pub cross_attention: Vec<Attention>,
    /// Width of the residual stream (`n_embd`).
    pub hidden_size: u64,
    /// Width of the widest feed-forward layer (of one expert in a mixture).
    pub feed_forward_size: u64,
    /// Number of tokens in the vocabulary.
    pub vocabulary_size: u64,
    /// Longest context it was trained for; none if the source does not say.
    pub context_length: Option<u64>,
    /// Number of experts of a mixture, 0 if none.
    pub experts: u64,
    /// Experts that one token uses, 0 if none.
    pub experts_used: u64,
    /// The paper's shape of it (equations 7 to 15 know nothing else).
    pub paper: PaperShape,
    /// The S of the paper's formulas when the user names no context (1024 for the paper's own models).
    pub paper_context: Option<u64>,
}

/// The dimensions that the paper's equations take: `L`, `H`, `I` and `V`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaperShape {
    /// `L`, number of layers.
    pub layers: u64,
    /// `H`, hidden size.
    pub hidden_size: u64,
    /// `I`, feed-forward size.
    pub feed_forward_size: u64,
    /// `V`, vocabulary size.
    pub vocabulary_size: u64,
}

impl Model {
    /// Number of parameters, `Σ columns·rows·experts` over every tensor of the file.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().map(Tensor::elements).sum()
    }
}
