//! The architectures of transformers that have a family here, with the values of the keys that a config.json leaves out.

use crate::model::Family;
use serde_json::{Map, Value};

/// Which keys an architecture has beyond those that all have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// None that matter.
    Plain,
    /// Optional biases; RoPE factors.
    Llama,
    /// A head that is always tied.
    Gemma,
    /// StableLM's switches.
    StableLm,
    /// LongRoPE.
    Phi,
    /// Sliding windows, with full attention in every n-th layer unless the file says otherwise.
    Windows { every: u64 },
    /// Gemma 3n's.
    Gemma3n,
    /// Gemma 4's.
    Gemma4,
    /// Short convolutions.
    Lfm2,
    /// Gated delta nets.
    DeltaNet,
    /// Token types and a pooler.
    Bert,
    /// DistilBERT's names.
    DistilBert,
    /// T5's names.
    T5,
}

/// The values of absent keys.
#[derive(Debug)]
pub(super) struct Defaults {
    pub layers: u64,
    pub hidden_size: u64,
    pub feed_forward_size: u64,
    pub heads: u64,
    pub kv_heads: Option<u64>,
    pub head_dim: Option<u64>,
    pub vocabulary_size: u64,
    pub context_length: u64,
}

/// One architecture.
#[derive(Debug)]
pub(super) struct Architecture {
    /// Its `model_type`.
    pub model_type: &'static str,
    /// The stem of its classes: `Llama` of `LlamaForCausalLM`.
    class: &'static str,
    /// The family of its tensors.
    pub family: Family,
    /// Which keys it has.
    pub kind: Kind,
    /// The values of absent keys.
    pub defaults: Defaults,
    /// Whether the head is tied where `tie_word_embeddings` is absent.
    pub tied: bool,
    /// The sliding window where `sliding_window` is absent.
    pub window: Option<u64>,
    /// Experts, experts used, width of one, width of the shared one, where absent; 0 for none. None: no mixture.
    pub experts: Option<[u64; 4]>,
    /// The dense feed-forward layer is nowhere: `intermediate_size` is absent or unused.
    pub feed_forward_is_the_experts: bool,
}

/// Layers, hidden size, feed-forward size, heads, key and value heads (0: as many), size of a head (0: the quotient),
/// vocabulary, context.
const fn architecture(
    model_type: &'static str,
    class: &'static str,
    family: Family,
    kind: Kind,
    defaults: [u64; 8],
) -> Architecture {
    let [
        layers,
        hidden_size,
        feed_forward_size,
        heads,
        kv_heads,
        head_dim,
        vocabulary_size,
        context_length,
    ] = defaults;
    Architecture {
        model_type,
        class,
        family,
        kind,
        defaults: Defaults {
            layers,
            hidden_size,
            feed_forward_size,
            heads,
            kv_heads: if kv_heads == 0 { None } else { Some(kv_heads) },
            head_dim: if head_dim == 0 { None } else { Some(head_dim) },
            vocabulary_size,
            context_length,
        },
        tied: false,
        window: None,
        experts: None,
        feed_forward_is_the_experts: false,
    }
}

impl Architecture {
    const fn tied(mut self) -> Self {
        self.tied = true;
        self
    }

    const fn window(mut self, window: u64) -> Self {
        self.window = Some(window);
        self
    }

    const fn experts(mut self, experts: u64, used: u64, size: u64, shared: u64) -> Self {
        self.experts = Some([experts, used, size, shared]);
        self
    }

    const fn only_experts(mut self) -> Self {
        self.feed_forward_is_the_experts = true;
        self
    }
}

use Family as F;
use Kind as K;

/// Every architecture that is known, in the order of the message that lists them.
#[rustfmt::skip]
pub(super) const KNOWN: &[Architecture] = &[
    architecture("llama", "Llama", F::Llama, K::Llama, [32, 4096, 11008, 32, 0, 0, 32000, 2048]),
    architecture("mistral", "Mistral", F::Llama, K::Llama, [32, 4096, 14336, 32, 8, 0, 32000, 131_072]),
    architecture("ministral3", "Ministral3", F::Mistral3, K::Llama, [34, 4096, 14336, 32, 8, 128, 131_072, 262_144]),
    architecture("mixtral", "Mixtral", F::Llama, K::Llama, [32, 4096, 14336, 32, 8, 0, 32000, 131_072]).experts(8, 2, 0, 0),
    architecture("smollm3", "SmolLM3", F::SmolLm3, K::Llama, [36, 2048, 11008, 16, 4, 0, 128_256, 32768]).tied(),
    architecture("granite", "Granite", F::Granite, K::Llama, [32, 4096, 11008, 32, 0, 0, 32000, 2048]),
    architecture("granitemoe", "GraniteMoe", F::GraniteMoe, K::Llama, [32, 4096, 11008, 32, 0, 0, 32000, 2048]).experts(8, 2, 0, 0),
    architecture("granitemoeshared", "GraniteMoeShared", F::GraniteMoe, K::Llama, [32, 4096, 11008, 32, 0, 0, 32000, 2048]).experts(8, 2, 0, 0),
    architecture("internlm2", "InternLM2", F::InternLm2, K::Plain, [32, 4096, 11008, 32, 0, 0, 103_168, 2048]),
    architecture("qwen2", "Qwen2", F::Qwen2, K::Plain, [32, 4096, 22016, 32, 32, 0, 151_936, 32768]),
    architecture("qwen2_vl", "Qwen2VL", F::Qwen2, K::Plain, [80, 8192, 29568, 64, 8, 0, 152_064, 32768]),
    architecture("qwen2_5_vl", "Qwen2_5_VL", F::Qwen2, K::Plain, [80, 8192, 29568, 64, 8, 0, 152_064, 32768]),
    architecture("qwen2_moe", "Qwen2Moe", F::Qwen2Moe, K::Plain, [24, 2048, 5632, 16, 16, 0, 151_936, 32768]).experts(60, 4, 1408, 5632),
    architecture("qwen3", "Qwen3", F::Qwen3, K::Llama, [32, 4096, 22016, 32, 32, 128, 151_936, 32768]),
    architecture("qwen3_moe", "Qwen3Moe", F::Qwen3Moe, K::Llama, [24, 2048, 6144, 32, 4, 0, 151_936, 32768]).experts(128, 8, 768, 0),
    architecture("qwen3_next", "Qwen3Next", F::Qwen3Next, K::DeltaNet, [48, 2048, 5632, 16, 2, 256, 151_936, 32768]).experts(512, 10, 512, 512),
    architecture("qwen3_5", "Qwen3_5", F::Qwen35, K::DeltaNet, [32, 4096, 12288, 16, 4, 256, 248_320, 32768]),
    architecture("qwen3_5_text", "Qwen3_5Text", F::Qwen35, K::DeltaNet, [32, 4096, 12288, 16, 4, 256, 248_320, 32768]),
    architecture("qwen3_5_moe", "Qwen3_5Moe", F::Qwen35Moe, K::DeltaNet, [40, 2048, 512, 16, 2, 256, 248_320, 32768]).experts(256, 8, 512, 512).only_experts(),
    architecture("qwen3_5_moe_text", "Qwen3_5MoeText", F::Qwen35Moe, K::DeltaNet, [40, 2048, 512, 16, 2, 256, 248_320, 32768]).experts(256, 8, 512, 512).only_experts(),
    architecture("gemma", "Gemma", F::Gemma, K::Gemma, [28, 3072, 24576, 16, 16, 256, 256_000, 8192]).tied(),
    architecture("gemma2", "Gemma2", F::Gemma2, K::Windows { every: 2 }, [26, 2304, 9216, 8, 4, 256, 256_000, 8192]).tied().window(4096),
    architecture("gemma3", "Gemma3", F::Gemma3, K::Windows { every: 6 }, [26, 2304, 9216, 8, 4, 256, 262_208, 131_072]).tied().window(4096),
    architecture("gemma3_text", "Gemma3Text", F::Gemma3, K::Windows { every: 6 }, [26, 2304, 9216, 8, 4, 256, 262_208, 131_072]).tied().window(4096),
    architecture("gemma3n", "Gemma3n", F::Gemma3n, K::Gemma3n, [35, 2048, 16384, 8, 2, 256, 262_400, 32768]).tied().window(512),
    architecture("gemma3n_text", "Gemma3nText", F::Gemma3n, K::Gemma3n, [35, 2048, 16384, 8, 2, 256, 262_400, 32768]).tied().window(512),
    architecture("gemma4", "Gemma4", F::Gemma4, K::Gemma4, [30, 2304, 9216, 8, 4, 256, 262_144, 131_072]).tied().window(512),
    architecture("gemma4_text", "Gemma4Text", F::Gemma4, K::Gemma4, [30, 2304, 9216, 8, 4, 256, 262_144, 131_072]).tied().window(512),
    architecture("phi", "Phi", F::Phi2, K::Phi, [24, 2048, 8192, 32, 0, 0, 51200, 2048]),
    architecture("phi3", "Phi3", F::Phi3, K::Phi, [32, 3072, 8192, 32, 0, 0, 32064, 4096]),
    architecture("phimoe", "PhiMoE", F::PhiMoe, K::Phi, [32, 4096, 6400, 32, 8, 0, 32064, 131_072]).experts(16, 2, 0, 0),
    architecture("gpt_oss", "GptOss", F::GptOss, K::Windows { every: 2 }, [36, 2880, 2880, 64, 8, 64, 201_088, 131_072]).window(128).experts(128, 4, 0, 0),
    architecture("olmo2", "Olmo2", F::Olmo2, K::Plain, [32, 4096, 11008, 32, 0, 0, 50304, 2048]),
    architecture("olmoe", "Olmoe", F::Olmoe, K::Plain, [16, 2048, 2048, 16, 0, 0, 50304, 4096]).experts(64, 8, 0, 0),
    architecture("stablelm", "StableLm", F::StableLm, K::StableLm, [32, 2560, 6912, 32, 32, 0, 50304, 4096]),
    architecture("bitnet", "Bitnet", F::BitNet, K::Gemma, [30, 2560, 6912, 20, 5, 0, 128_256, 2048]).tied(),
    architecture("lfm2", "Lfm2", F::Lfm2, K::Lfm2, [32, 2560, 12288, 32, 8, 0, 65536, 128_000]).tied(),
    architecture("lfm2_moe", "Lfm2Moe", F::Lfm2Moe, K::Lfm2, [32, 2048, 7168, 32, 8, 0, 65536, 128_000]).tied().experts(32, 4, 1792, 0),
    architecture("bert", "Bert", F::Bert, K::Bert, [12, 768, 3072, 12, 0, 0, 30522, 512]),
    architecture("distilbert", "DistilBert", F::Bert, K::DistilBert, [6, 768, 3072, 12, 0, 0, 30522, 512]),
    architecture("t5", "T5", F::T5, K::T5, [6, 512, 2048, 8, 0, 64, 32128, 512]).tied(),
];

/// Whether a class such as `LlamaForCausalLM` is one of a stem's.
fn is_class(class: &str, stem: &str) -> bool {
    let matches = class
        .get(..stem.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(stem));
    matches
        && class
            .get(stem.len()..)
            .is_some_and(|tail| tail.is_empty() || tail == "Model" || tail == "LMHeadModel" || tail.starts_with("For"))
}

/// The architecture that an object names; an error with the name if it is not known; none if it names none.
///
/// BitNet's checkpoints call themselves `llama` in `model_type` and tell the truth in `architectures`.
pub(super) fn named(keys: &Map<String, Value>) -> Option<Result<&'static Architecture, String>> {
    let class = keys
        .get("architectures")
        .and_then(|classes| classes.get(0))
        .and_then(Value::as_str);
    let of_class = class.and_then(|class| KNOWN.iter().find(|known| is_class(class, known.class)));
    if let Some(bitnet) = of_class.filter(|known| known.family == Family::BitNet) {
        return Some(Ok(bitnet));
    }
    let model_type = keys.get("model_type").and_then(Value::as_str);
    match (model_type, class) {
        (Some(name), _) => match KNOWN.iter().find(|known| known.model_type == name).or(of_class) {
            Some(known) => Some(Ok(known)),
            None => Some(Err(shortened(name))),
        },
        (None, Some(class)) => Some(of_class.ok_or_else(|| shortened(class))),
        (None, None) => None,
    }
}

/// A name as it may stand in a message.
fn shortened(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}
