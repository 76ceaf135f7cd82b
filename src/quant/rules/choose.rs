//! The type that a mix wants for a matrix, by its category and its place among its like.

use super::naming::Category;
use super::{Counters, Traits};
use crate::model::Tensor;
use crate::quant::BlockType as B;
use crate::quant::Mix;

impl Mix {
    /// The type that the mix wants for a matrix, before its row length is looked at.
    pub(super) fn choose(
        self,
        base: B,
        tensor: &Tensor,
        category: Category,
        traits: &Traits,
        counters: &mut Counters,
    ) -> B {
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
        let whole_blocks = base.fills(columns);
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
