//! What a user names with `--prec`.

use super::{BlockType, Mix, UnknownName};
use crate::model::{Model, Role, Tensor, Use};
use std::fmt;
use std::str::FromStr;

/// The precision of a model's weights, as a user names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    /// The paper's FP32; the mix `f32`.
    Fp32,
    /// The paper's FP16; the mix `f16`.
    Fp16,
    /// The paper's BF16; the mix `bf16` goes by the same name.
    Bf16,
    /// The paper's INT8; with the exact formulas the mix `q8_0`.
    Int8,
    /// The paper's INT4; with the exact formulas the mix `q4_k_m`.
    Int4,
    /// A mix of llama.cpp.
    Mix(Mix),
    /// bitsandbytes' 4-bit normal floats with double quantisation, as transformers loads them: the linear layers in
    /// [`BlockType::NF4`]; embeddings, output head, norms and biases in half precision.
    Nf4,
    /// Weight-only int8: the linear layers in [`BlockType::INT8_ROW`], everything else in half precision; computed in half precision.
    Int8Weights,
    /// ONNX Runtime's dynamic quantisation: every matrix, embeddings included, in [`BlockType::INT8_TENSOR`]; norms and biases in single
    /// precision; activations are quantised as they arrive and multiplied as integers.
    Int8Dynamic,
    /// Each tensor as the GGUF file holds it.
    Stored,
}

/// The precision `stored` was asked of a model that was not read from a GGUF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{model}` was not read from a GGUF file, so it has no stored precision; name one, for example `q4_k_m`")]
pub struct NotStored {
    /// the model's id
    pub model: String,
}

impl Precision {
    /// Every precision, each once: the paper's names, llama.cpp's, those of other frameworks, `stored`.
    pub fn all() -> impl Iterator<Item = Self> {
        let paper = [Self::Fp32, Self::Fp16, Self::Bf16, Self::Int8, Self::Int4];
        let others = [Self::Nf4, Self::Int8Weights, Self::Int8Dynamic, Self::Stored];
        let mixes = Mix::ALL.iter().copied().filter(|&mix| mix != Mix::BF16).map(Self::Mix);
        paper.into_iter().chain(mixes).chain(others)
    }

    /// The precision of a model of which none is named: that of its GGUF file, else the paper's INT4.
    #[must_use]
    pub fn own(model: &Model) -> Self {
        if model.tensors.iter().all(|tensor| tensor.stored.is_some()) {
            Self::Stored
        } else {
            Self::Int4
        }
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Mix(mix) => mix.name(),
            Self::Nf4 => "nf4",
            Self::Int8Weights => "int8-weights",
            Self::Int8Dynamic => "int8-dynamic",
            Self::Stored => "stored",
        }
    }

    /// The llama.cpp mix that it means under the exact formulas; none for the schemes outside llama.cpp and for `stored`.
    #[must_use]
    pub const fn mix(self) -> Option<Mix> {
        match self {
            Self::Fp32 => Some(Mix::F32),
            Self::Fp16 => Some(Mix::F16),
            Self::Bf16 => Some(Mix::BF16),
            Self::Int8 => Some(Mix::Q8_0),
            Self::Int4 => Some(Mix::Q4_K_M),
            Self::Mix(mix) => Some(mix),
            Self::Nf4 | Self::Int8Weights | Self::Int8Dynamic | Self::Stored => None,
        }
    }

    /// The paper's `B`, bytes per element: FP32 4, FP16 and BF16 2, INT8 1, INT4 0.5.
    ///
    /// The paper knows no mixes. It uses 0.5 for files that are Q4_K_M in truth, so a mix gets, in the same spirit, the bits that its
    /// name states divided by eight (`q5_k_m`: 0.625). None for `stored`, whose name states nothing.
    #[must_use]
    pub fn paper_bytes_per_element(self) -> Option<f64> {
        let bits = match self {
            Self::Stored => return None,
            Self::Nf4 => 4,
            Self::Int4 => 4,
            Self::Int8 | Self::Int8Weights | Self::Int8Dynamic => 8,
            Self::Fp32 => 32,
            Self::Fp16 | Self::Bf16 => 16,
            Self::Mix(mix) => mix.named_bits(),
        };
        Some(f64::from(bits) / 8.0)
    }

    /// Bits per weight of a whole model: for a mix, Llama 3.1 8B's ([`Mix::nominal_bits_per_weight`]); for the other schemes, those of a
    /// linear layer. None for `stored`.
    #[must_use]
    pub fn nominal_bits_per_weight(self) -> Option<f64> {
        match self {
            Self::Nf4 => Some(BlockType::NF4.bits_per_weight()),
            Self::Int8Weights => Some(BlockType::INT8_ROW.bits_per_weight()),
            Self::Int8Dynamic => Some(BlockType::INT8_TENSOR.bits_per_weight()),
            _ => self.mix().map(Mix::nominal_bits_per_weight),
        }
    }

    /// What it is, in one line.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Fp32 => "32-bit floats (f32)",
            Self::Fp16 => "16-bit floats (f16)",
            Self::Bf16 => "16-bit floats with the exponent range of 32",
            Self::Int8 => "8 bits; q8_0 with the exact formulas",
            Self::Int4 => "4 bits; q4_k_m with the exact formulas",
            Self::Mix(mix) => mix.description(),
            Self::Nf4 => "bitsandbytes: linear layers in 4-bit normal floats, double quantisation, the rest in f16",
            Self::Int8Weights => "linear layers in int8 with a scale per row, the rest in f16, computed in f16",
            Self::Int8Dynamic => {
                "ONNX Runtime: all matrices in int8, activations quantised on the fly, the rest in f32"
            }
            Self::Stored => "each tensor as the GGUF file holds it",
        }
    }

    /// Whether it stands for the same weights as another under the exact formulas: the same, or the same mix by another name.
    #[must_use]
    pub fn is(self, other: Self) -> bool {
        self == other || self.mix().is_some_and(|mix| other.mix() == Some(mix))
    }

    /// The block type of every tensor of `model`, in its order.
    ///
    /// # Errors
    /// [`NotStored`] for `stored` if the model was not read from a GGUF file.
    pub fn block_types(self, model: &Model) -> Result<Vec<BlockType>, NotStored> {
        if let Some(mix) = self.mix() {
            return Ok(mix.block_types(model));
        }
        let tensors = model.tensors.iter();
        match self {
            Self::Nf4 => Ok(tensors.map(|tensor| linear_or(tensor, BlockType::NF4)).collect()),
            Self::Int8Weights => Ok(tensors.map(|tensor| linear_or(tensor, BlockType::INT8_ROW)).collect()),
            Self::Int8Dynamic => Ok(tensors.map(dynamic_int8).collect()),
            _ => tensors
                .map(|tensor| {
                    tensor.stored.ok_or_else(|| NotStored {
                        model: model.id.clone(),
                    })
                })
                .collect(),
        }
    }
}

/// `quantised` for the weight of a linear layer other than the output head, else half precision.
fn linear_or(tensor: &Tensor, quantised: BlockType) -> BlockType {
    let linear = tensor.usage == Use::Multiply
        && is_matrix(tensor)
        && !matches!(tensor.role, Role::Output | Role::ShortConv | Role::SsmConv);
    if linear { quantised } else { BlockType::F16 }
}

/// ONNX Runtime quantises the constants of matrix products and of look-ups.
fn dynamic_int8(tensor: &Tensor) -> BlockType {
    let constant = tensor.usage != Use::Elementwise && is_matrix(tensor);
    if constant {
        BlockType::INT8_TENSOR
    } else {
        BlockType::F32
    }
}

/// Whether it is a weight of more than one row.
const fn is_matrix(tensor: &Tensor) -> bool {
    !tensor.bias && tensor.rows > 1
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for Precision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Precision {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Precision {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::all()
            .find(|precision| precision.name().eq_ignore_ascii_case(text))
            .or_else(|| Mix::find(text).map(Self::Mix))
            .ok_or_else(|| UnknownName::new("precision", text, Self::all().map(Self::name)))
    }
}
