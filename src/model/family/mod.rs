//! The families: how dimensions become tensors, as llama.cpp names and stores them in a GGUF.

mod dense;
mod list;

use super::{Dimensions, Knowledge, Model, ModelError, PaperShape};
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
    /// Llama 1 to 3.3, Mistral, Yi, SmolLM, SmolLM2, DeepSeek-R1 distills of Llama; with experts, Mixtral.
    Llama = "llama", "llama", dense::llama;
    /// Qwen2, Qwen2.5, DeepSeek-R1 distills of Qwen.
    Qwen2 = "qwen2", "qwen2", dense::qwen2;
    /// Gemma 2.
    Gemma2 = "gemma2", "gemma2", dense::gemma2;
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
        let mut list = TensorList::new();
        self.build(&mut list, dimensions)?;
        let parameters = list.parameters();
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
            tensors: list.tensors,
            mixers: list.mixers,
            cross_attention: list.cross_attention,
            hidden_size: dimensions.hidden_size,
            feed_forward_size: dimensions.feed_forward_size,
            vocabulary_size: dimensions.vocabulary_size,
            context_length: dimensions.context_length,
            experts: 0,
            experts_used: 0,
            paper: PaperShape {
                layers: dimensions.layers,
                hidden_size: dimensions.hidden_size,
                feed_forward_size: dimensions.feed_forward_size,
                vocabulary_size: dimensions.vocabulary_size,
            },
            paper_context: None,
            family: Some(self),
            dimensions: Some(dimensions.clone()),
        })
    }
}
