//! How a layer mixes information across tokens.

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
