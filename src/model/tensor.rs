//! Weight tensors: what each is for, its shape, and how a token uses it.

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
            /// Every role, in the order of their discriminants.
            pub const ALL: &'static [Self] = &[$(Self::$role,)* Self::Other];

            /// The GGUF name without `blk.N.` (or `enc.blk.N.`, `dec.blk.N.`) and without `.weight` or `.bias`.
            #[must_use]
            pub const fn stem(self) -> &'static str {
                match self { $(Self::$role => $stem,)* Self::Other => "other" }
            }

            /// A table of RoPE factors: in the file, but no parameter of the model.
            #[must_use]
            pub const fn is_rope_table(self) -> bool {
                matches!(self, Self::RopeFrequencies | Self::RopeFactorsLong | Self::RopeFactorsShort)
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
    FfnDownExpertsScale = "ffn_down_exps.scale",
    FfnGateInputScale = "ffn_gate_inp.scale",
    FfnGateInputShared = "ffn_gate_inp_shexp",
    FfnGateShared = "ffn_gate_shexp",
    FfnUpShared = "ffn_up_shexp",
    FfnDownShared = "ffn_down_shexp",
    ExpertBias = "exp_probs_b",
    FfnPreNormExperts = "pre_ffw_norm_2",
    FfnPostNormDense = "post_ffw_norm_1",
    FfnPostNormExperts = "post_ffw_norm_2",
    AttnSubNorm = "attn_sub_norm",
    FfnSubNorm = "ffn_sub_norm",
    Pooler = "cls",
    ClassifierOutput = "cls.output",
    EncoderOutputNorm = "enc.output_norm",
    DecoderOutputNorm = "dec.output_norm",
    CrossAttnNorm = "cross_attn_norm",
    CrossAttnQ = "cross_attn_q",
    CrossAttnK = "cross_attn_k",
    CrossAttnV = "cross_attn_v",
    CrossAttnOutput = "cross_attn_o",
    EncoderDecoderAttnOutput = "attn_o",
    CrossAttnRelativeBias = "cross_attn_rel_b",
    ShortConv = "shortconv.conv",
    ShortConvInput = "shortconv.in_proj",
    ShortConvOutput = "shortconv.out_proj",
    SsmConv = "ssm_conv1d",
    SsmTimeStep = "ssm_dt",
    SsmA = "ssm_a",
    SsmD = "ssm_d",
    SsmX = "ssm_x",
    SsmIn = "ssm_in",
    SsmBeta = "ssm_beta",
    SsmAlpha = "ssm_alpha",
    SsmBetaAlpha = "ssm_ba",
    SsmNorm = "ssm_norm",
    SsmOut = "ssm_out",
    PerLayerTokenEmbedding = "per_layer_token_embd",
    PerLayerModelProjection = "per_layer_model_proj",
    PerLayerProjectionNorm = "per_layer_proj_norm",
    PerLayerInputGate = "inp_gate",
    PerLayerProjection = "proj",
    PerLayerPostNorm = "post_norm",
    LayerOutputScale = "layer_output_scale",
    AltupProjection = "altup_proj",
    AltupUnembedding = "altup_unembd_proj",
    AltupCorrectCoefficients = "altup_correct_coef",
    AltupCorrectScale = "altup_correct_scale",
    AltupPredictCoefficients = "altup_predict_coef",
    AltupRouter = "altup_router",
    AltupRouterNorm = "altup_router_norm",
    LaurelLeft = "laurel_l",
    LaurelRight = "laurel_r",
    LaurelPostNorm = "laurel_post_norm",
    AttnQA = "attn_q_a",
    AttnQANorm = "attn_q_a_norm",
    AttnQB = "attn_q_b",
    AttnKvA = "attn_kv_a_mqa",
    AttnKvANorm = "attn_kv_a_norm",
    AttnKvB = "attn_kv_b",
    AttnKB = "attn_k_b",
    AttnVB = "attn_v_b",
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
    /// In the file, and never read (the key projection of a layer that uses the cache of an earlier one).
    Unread,
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
    /// A stack of vectors (the biases of experts) has two: `columns` and `experts`.
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

    /// The extents in the file, GGUF's `ne` without the trailing ones.
    #[must_use]
    pub fn shape(&self) -> Vec<u64> {
        match self.dimensions {
            0 | 1 => vec![self.columns],
            2 => vec![self.columns, self.rows * self.experts],
            _ => vec![self.columns, self.rows, self.experts],
        }
    }

    /// The share of the tensor that one token uses, `experts_used / experts`.
    #[must_use]
    pub fn active_share(&self) -> f64 {
        self.experts_used as f64 / self.experts as f64
    }
}
