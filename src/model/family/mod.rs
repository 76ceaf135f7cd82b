//! The families: how dimensions become tensors, as llama.cpp names and stores them in a GGUF.

mod block;
mod dense;
mod encoder;
mod gemma;
mod hybrid;
mod list;
mod mixture;

use super::{Dimensions, Knowledge, Model, ModelError, PaperShape, Role, Tensor};
use list::TensorList;
use serde::{Deserialize, Serialize};

macro_rules! families {
    ($($(#[$doc:meta])* $family:ident = $name:literal, $architecture:literal, $tensors:path;)*) => {
        /// An architecture whose every tensor is known from its dimensions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Family { $($(#[$doc])* #[serde(rename = $name)] $family,)* }

        impl Family {
            /// Every family.
            pub const ALL: &'static [Self] = &[$(Self::$family,)*];

            /// The name in a catalogue file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$family => $name,)* }
            }

            /// llama.cpp's name of its architecture, as in a GGUF's `general.architecture`.
            #[must_use]
            pub const fn architecture(self) -> &'static str {
                match self { $(Self::$family => $architecture,)* }
            }

            /// Puts the tensors and mixers of the family into the list.
            fn build(self, list: &mut TensorList, dimensions: &Dimensions) -> Result<(), ModelError> {
                match self { $(Self::$family => $tensors(list, dimensions),)* }
            }
        }
    };
}

families! {
    /// Llama 1 to 3.3, Mistral, Yi, SmolLM, SmolLM2, DeepSeek-R1 distills of Llama, Falcon 3; with experts, Mixtral.
    Llama = "llama", "llama", dense::llama;
    /// Mistral Small 3.1 and Ministral 3.
    Mistral3 = "mistral3", "mistral3", dense::llama;
    /// SmolLM3.
    SmolLm3 = "smollm3", "smollm3", dense::llama;
    /// InternLM2 and 2.5 (query, key and value apart, as the converter writes them).
    InternLm2 = "internlm2", "internlm2", dense::llama;
    /// Granite 3 and 4, dense.
    Granite = "granite", "granite", dense::llama;
    /// Granite 3 with experts.
    GraniteMoe = "granitemoe", "granitemoe", dense::llama;
    /// Qwen2, Qwen2.5, DeepSeek-R1 distills of Qwen.
    Qwen2 = "qwen2", "qwen2", dense::qwen2;
    /// Qwen1.5-MoE, Qwen2-MoE.
    Qwen2Moe = "qwen2moe", "qwen2moe", mixture::qwen2_moe;
    /// Qwen3.
    Qwen3 = "qwen3", "qwen3", dense::qwen3;
    /// Qwen3 with experts.
    Qwen3Moe = "qwen3moe", "qwen3moe", mixture::qwen3_moe;
    /// Qwen3-Next, Qwen3-Coder-Next.
    Qwen3Next = "qwen3next", "qwen3next", hybrid::qwen3_next;
    /// Qwen3.5.
    Qwen35 = "qwen35", "qwen35", hybrid::qwen35;
    /// Qwen3.5 with experts.
    Qwen35Moe = "qwen35moe", "qwen35moe", hybrid::qwen35_moe;
    /// Gemma 1.
    Gemma = "gemma", "gemma", gemma::gemma;
    /// Gemma 2.
    Gemma2 = "gemma2", "gemma2", gemma::gemma2;
    /// Gemma 3, the language model.
    Gemma3 = "gemma3", "gemma3", gemma::gemma3;
    /// Gemma 3n, the language model.
    Gemma3n = "gemma3n", "gemma3n", gemma::gemma3n;
    /// Gemma 4, the language model.
    Gemma4 = "gemma4", "gemma4", gemma::gemma4;
    /// Phi-2.
    Phi2 = "phi2", "phi2", dense::phi2;
    /// Phi-3, Phi-3.5, Phi-4, Phi-4-mini.
    Phi3 = "phi3", "phi3", dense::phi3;
    /// Phi-3.5-MoE.
    PhiMoe = "phimoe", "phimoe", mixture::phi_moe;
    /// gpt-oss.
    GptOss = "gpt-oss", "gpt-oss", mixture::gpt_oss;
    /// OLMo 2.
    Olmo2 = "olmo2", "olmo2", dense::olmo2;
    /// OLMoE.
    Olmoe = "olmoe", "olmoe", mixture::olmoe;
    /// StableLM, StableLM 2 (the 12B apart).
    StableLm = "stablelm", "stablelm", dense::stablelm;
    /// BitNet b1.58 as 1bitLLM trained it.
    BitNet = "bitnet", "bitnet", dense::bitnet;
    /// LFM2, LFM2.5.
    Lfm2 = "lfm2", "lfm2", hybrid::lfm2;
    /// LFM2 with experts.
    Lfm2Moe = "lfm2moe", "lfm2moe", hybrid::lfm2;
    /// BERT, TinyBERT, DistilBERT and the embedding models of their shape.
    Bert = "bert", "bert", encoder::bert;
    /// T5, Flan-T5.
    T5 = "t5", "t5", encoder::t5;
}

/// More parameters than this are refused: every sum over the tensors then fits its integer.
const MOST_PARAMETERS: u64 = 1 << 50;

impl Family {
    /// The model of these dimensions.
    ///
    /// # Errors
    /// If the dimensions make no model of the family.
    pub fn model(self, id: &str, name: &str, dimensions: &Dimensions) -> Result<Model, ModelError> {
        dimensions.validate()?;
        let mut list = TensorList::new(self.name());
        self.build(&mut list, dimensions)?;
        let parameters = list.tensors.iter().map(wide_elements).sum();
        if parameters > u128::from(MOST_PARAMETERS) {
            return Err(ModelError::TooManyParameters {
                parameters,
                most: MOST_PARAMETERS,
            });
        }
        Ok(Model {
            id: id.to_owned(),
            name: name.to_owned(),
            architecture: self.architecture().to_owned(),
            knowledge: Knowledge::Exact,
            hidden_size: dimensions.hidden_size,
            feed_forward_size: widest_feed_forward(&list.tensors),
            tensors: list.tensors,
            mixers: list.mixers,
            cross_attention: list.cross_attention,
            vocabulary_size: dimensions.vocabulary_size,
            context_length: dimensions.context_length,
            experts: dimensions.experts.unwrap_or(0),
            experts_used: dimensions.experts_used.unwrap_or(0),
            paper: PaperShape {
                layers: dimensions.layers,
                hidden_size: dimensions.hidden_size,
                feed_forward_size: dimensions.feed_forward_size,
                vocabulary_size: dimensions.vocabulary_size,
            },
            paper_context: None,
            variant_of: None,
            quality: Vec::new(),
            family: Some(self),
            dimensions: Some(dimensions.clone()),
        })
    }
}

/// Number of weights of a tensor, beyond the range of `u64` too.
fn wide_elements(tensor: &Tensor) -> u128 {
    u128::from(tensor.columns) * u128::from(tensor.rows) * u128::from(tensor.experts)
}

/// The widest input of a matrix that leads back from a feed-forward layer.
pub(super) fn widest_feed_forward(tensors: &[Tensor]) -> u64 {
    tensors
        .iter()
        .filter(|tensor| {
            matches!(tensor.role, Role::FfnDown | Role::FfnDownExperts | Role::FfnDownShared) && !tensor.bias
        })
        .map(|tensor| tensor.columns)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
