//! The mixes: what `llama-quantize` can be asked for.

use super::{BlockType, UnknownName};
use std::fmt;
use std::str::FromStr;

/// One row of the table is one mix: its id (`general.file_type` in a GGUF), its name, the type that most matrices get, bits per
/// weight of a whole Llama 3.1 8B file, the bits that its name promises, and what it is.
macro_rules! mixes {
    ($($name:ident = $id:literal, $text:literal, $base:ident, $bits:literal, $named:literal, $description:literal;)*) => {
        /// A quantisation mix of llama.cpp (its `llama_ftype`): not one block type, but a rule that gives each tensor its own.
        ///
        /// The rule is that of the llama.cpp of October 2026 (commit 0c1e570). Files that were published with older builds can
        /// differ in a few tensors: the rules for tied embeddings, mixtures of experts and the smallest mixes have changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types, missing_docs)]
        pub enum Mix { $(#[doc = $description] $name,)* }

        impl Mix {
            /// Every mix, smallest first.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name, in lower case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The type of the matrices that no rule singles out.
            #[must_use]
            pub const fn base_type(self) -> BlockType {
                match self { $(Self::$name => BlockType::$base,)* }
            }

            /// Bits per weight that Llama 3.1 8B takes in this mix, all tensors counted, to two decimals: what to expect of a model
            /// of that size. Small models with large vocabularies take more.
            #[must_use]
            pub const fn nominal_bits_per_weight(self) -> f64 {
                match self { $(Self::$name => $bits,)* }
            }

            /// The bits that the name states (4 for `q4_k_m`).
            #[must_use]
            pub const fn named_bits(self) -> u8 {
                match self { $(Self::$name => $named,)* }
            }

            /// What it is, in one line.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)* }
            }

            /// Its number in a GGUF's `general.file_type`.
            #[must_use]
            pub const fn file_type(self) -> u32 {
                match self { $(Self::$name => $id,)* }
            }

            /// The mix of a GGUF's `general.file_type`.
            #[must_use]
            pub const fn from_file_type(id: u32) -> Option<Self> {
                match id { $($id => Some(Self::$name),)* _ => None }
            }
        }
    };
}

mixes! {
    Q1_0 = 40, "q1_0", Q1_0, 1.48, 1, "one bit a weight, for models trained so";
    IQ1_S = 24, "iq1_s", IQ1_S, 2.0, 1, "ternary code book, the smallest for ordinary models";
    IQ1_M = 31, "iq1_m", IQ1_M, 2.15, 1, "ternary code book with finer scales";
    TQ1_0 = 36, "tq1_0", TQ1_0, 2.19, 1, "ternary, for models trained so";
    IQ2_XXS = 19, "iq2_xxs", IQ2_XXS, 2.38, 2, "2-bit code book";
    TQ2_0 = 37, "tq2_0", TQ2_0, 2.52, 2, "ternary in 2 bits, for models trained so";
    IQ2_XS = 20, "iq2_xs", IQ2_XS, 2.59, 2, "2-bit code book with more entries";
    Q2_0 = 41, "q2_0", Q2_0, 2.68, 2, "2 bits with scales of 64";
    IQ2_S = 28, "iq2_s", IQ2_XS, 2.74, 2, "2-bit code book, value and down projections in 3 bits";
    IQ2_M = 29, "iq2_m", IQ2_S, 2.93, 2, "larger 2-bit code book, value and down projections in 3 bits";
    Q2_K_S = 21, "q2_k_s", Q2_K, 2.97, 2, "2-bit k-quant, first down projections in 4 bits";
    Q2_K = 10, "q2_k", Q2_K, 3.16, 2, "2-bit k-quant, sensitive matrices in 3 or 4 bits";
    IQ3_XXS = 23, "iq3_xxs", IQ3_XXS, 3.25, 3, "3-bit code book, queries and keys in 2 bits";
    IQ3_XS = 22, "iq3_xs", IQ3_S, 3.5, 3, "between iq3_xxs and iq3_s";
    Q3_K_S = 11, "q3_k_s", Q3_K, 3.64, 3, "3-bit k-quant throughout";
    IQ3_S = 26, "iq3_s", IQ3_S, 3.66, 3, "3-bit code book with finer scales";
    IQ3_M = 27, "iq3_m", IQ3_S, 3.76, 3, "iq3_s, sensitive matrices in 4 bits";
    Q3_K_M = 12, "q3_k_m", Q3_K, 4.0, 3, "3-bit k-quant, sensitive matrices in 4 or 5 bits";
    Q3_K_L = 13, "q3_k_l", Q3_K, 4.3, 3, "3-bit k-quant, sensitive matrices in 5 bits";
    IQ4_XS = 30, "iq4_xs", IQ4_XS, 4.46, 4, "4 bits on uneven levels, the smallest 4-bit mix";
    Q4_0 = 2, "q4_0", Q4_0, 4.64, 4, "4 bits with scales of 32, fast on Arm";
    Q4_K_S = 14, "q4_k_s", Q4_K, 4.67, 4, "4-bit k-quant, a few matrices in 5 bits";
    IQ4_NL = 25, "iq4_nl", IQ4_NL, 4.68, 4, "4 bits on uneven levels with scales of 32";
    Q4_K_M = 15, "q4_k_m", Q4_K, 4.89, 4, "4-bit k-quant, half the value and down projections in 6 bits: the usual choice";
    Q4_1 = 3, "q4_1", Q4_1, 5.1, 4, "4 bits with scales and minima of 32";
    Q5_0 = 8, "q5_0", Q5_0, 5.57, 5, "5 bits with scales of 32";
    Q5_K_S = 16, "q5_k_s", Q5_K, 5.57, 5, "5-bit k-quant throughout";
    Q5_K_M = 17, "q5_k_m", Q5_K, 5.7, 5, "5-bit k-quant, half the value and down projections in 6 bits";
    Q5_1 = 9, "q5_1", Q5_1, 6.04, 5, "5 bits with scales and minima of 32";
    Q6_K = 18, "q6_k", Q6_K, 6.56, 6, "6-bit k-quant throughout";
    MXFP4_MOE = 38, "mxfp4_moe", MXFP4, 8.5, 4, "experts in 4-bit floats, all else (of a model without experts: everything) in 8 bits";
    Q8_0 = 7, "q8_0", Q8_0, 8.5, 8, "8 bits with scales of 32, next to lossless";
    BF16 = 32, "bf16", BF16, 16.0, 16, "16-bit floats with the exponent range of 32";
    F16 = 1, "f16", F16, 16.0, 16, "16-bit floats";
    F32 = 0, "f32", F32, 32.0, 32, "32-bit floats";
}

/// Names that `llama-quantize` takes as well.
const ALIASES: [(&str, Mix); 3] = [("q3_k", Mix::Q3_K_M), ("q4_k", Mix::Q4_K_M), ("q5_k", Mix::Q5_K_M)];

impl Mix {
    /// Whether `llama-quantize` refuses it without an importance matrix.
    ///
    /// Whoever publishes such a file had one, so [`Mix::block_types`] assumes one for these mixes, and none for the others.
    #[must_use]
    pub const fn needs_importance_matrix(self) -> bool {
        matches!(
            self,
            Self::IQ1_S
                | Self::IQ1_M
                | Self::IQ2_XXS
                | Self::IQ2_XS
                | Self::IQ2_S
                | Self::IQ2_M
                | Self::Q2_K_S
                | Self::IQ3_XXS
                | Self::IQ3_XS
        )
    }

    /// The mix of a name or alias, in any case.
    pub(super) fn find(name: &str) -> Option<Self> {
        let by_name = Self::ALL
            .iter()
            .copied()
            .find(|mix| mix.name().eq_ignore_ascii_case(name));
        by_name.or_else(|| {
            let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name));
            alias.map(|&(_, mix)| mix)
        })
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for Mix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Mix {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::find(text)
            .ok_or_else(|| UnknownName::new("quantisation mix", text, Self::ALL.iter().map(|mix| mix.name())))
    }
}
