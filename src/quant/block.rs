//! How a run of weights is stored.

use crate::model::Tensor;
use std::fmt;

/// One row of the table is one type: its ggml id (none outside ggml), its name, and how many bytes hold how many weights.
macro_rules! block_types {
    ($($(#[$doc:meta])* $name:ident = $id:expr, $text:literal, $elements:literal weights in $bytes:literal bytes;)*) => {
        /// How a tensor's weights are stored: ggml's types, and those of the frameworks that encoders are run in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types)]
        pub enum BlockType { $($(#[$doc])* $name,)* }

        impl BlockType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The id that GGUF files use (`enum ggml_type`); none for the types that ggml does not have.
            #[must_use]
            pub const fn ggml_id(self) -> Option<u32> {
                match self { $(Self::$name => $id,)* }
            }

            /// The name, spelled as llama.cpp prints it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Weights in one block. A row of a ggml tensor holds whole blocks only.
            #[must_use]
            pub const fn block_elements(self) -> u64 {
                match self { $(Self::$name => $elements,)* }
            }

            /// Bytes of one block; for [`NF4`](Self::NF4) and the int8 types, of the weights alone.
            #[must_use]
            pub const fn block_bytes(self) -> u64 {
                match self { $(Self::$name => $bytes,)* }
            }
        }
    };
}

block_types! {
    /// IEEE single precision.
    F32 = Some(0), "f32", 1 weights in 4 bytes;
    /// IEEE half precision.
    F16 = Some(1), "f16", 1 weights in 2 bytes;
    /// 4 bits and a scale.
    Q4_0 = Some(2), "q4_0", 32 weights in 18 bytes;
    /// 4 bits, a scale and a minimum.
    Q4_1 = Some(3), "q4_1", 32 weights in 20 bytes;
    /// 5 bits and a scale.
    Q5_0 = Some(6), "q5_0", 32 weights in 22 bytes;
    /// 5 bits, a scale and a minimum.
    Q5_1 = Some(7), "q5_1", 32 weights in 24 bytes;
    /// 8 bits and a scale.
    Q8_0 = Some(8), "q8_0", 32 weights in 34 bytes;
    /// 8 bits, a scale and the block's sum: activations, at run time.
    Q8_1 = Some(9), "q8_1", 32 weights in 36 bytes;
    /// 2 bits with 4-bit scales and minima of 16 weights.
    Q2_K = Some(10), "q2_K", 256 weights in 84 bytes;
    /// 3 bits with 6-bit scales of 16 weights.
    Q3_K = Some(11), "q3_K", 256 weights in 110 bytes;
    /// 4 bits with 6-bit scales and minima of 32 weights.
    Q4_K = Some(12), "q4_K", 256 weights in 144 bytes;
    /// 5 bits with 6-bit scales and minima of 32 weights.
    Q5_K = Some(13), "q5_K", 256 weights in 176 bytes;
    /// 6 bits with 8-bit scales of 16 weights.
    Q6_K = Some(14), "q6_K", 256 weights in 210 bytes;
    /// 8 bits, a scale and sums of 16: activations, at run time.
    Q8_K = Some(15), "q8_K", 256 weights in 292 bytes;
    /// Code book of 8 weights, 2.06 bits a weight.
    IQ2_XXS = Some(16), "iq2_xxs", 256 weights in 66 bytes;
    /// Code book of 8 weights, 2.31 bits a weight.
    IQ2_XS = Some(17), "iq2_xs", 256 weights in 74 bytes;
    /// Code book of 4 weights, 3.06 bits a weight.
    IQ3_XXS = Some(18), "iq3_xxs", 256 weights in 98 bytes;
    /// Code book of 8 ternary weights, 1.56 bits a weight.
    IQ1_S = Some(19), "iq1_s", 256 weights in 50 bytes;
    /// 4-bit index into 16 unevenly spaced levels, and a scale.
    IQ4_NL = Some(20), "iq4_nl", 32 weights in 18 bytes;
    /// Code book of 4 weights, 3.44 bits a weight.
    IQ3_S = Some(21), "iq3_s", 256 weights in 110 bytes;
    /// Code book of 8 weights, 2.56 bits a weight.
    IQ2_S = Some(22), "iq2_s", 256 weights in 82 bytes;
    /// The levels of `iq4_nl` with 6-bit scales of 32 weights.
    IQ4_XS = Some(23), "iq4_xs", 256 weights in 136 bytes;
    /// 8-bit integers.
    I8 = Some(24), "i8", 1 weights in 1 bytes;
    /// 16-bit integers.
    I16 = Some(25), "i16", 1 weights in 2 bytes;
    /// 32-bit integers.
    I32 = Some(26), "i32", 1 weights in 4 bytes;
    /// 64-bit integers.
    I64 = Some(27), "i64", 1 weights in 8 bytes;
    /// IEEE double precision.
    F64 = Some(28), "f64", 1 weights in 8 bytes;
    /// Code book of 8 ternary weights, 1.75 bits a weight.
    IQ1_M = Some(29), "iq1_m", 256 weights in 56 bytes;
    /// The upper half of single precision.
    BF16 = Some(30), "bf16", 1 weights in 2 bytes;
    /// Ternary, five weights in a byte.
    TQ1_0 = Some(34), "tq1_0", 256 weights in 54 bytes;
    /// Ternary, four weights in a byte.
    TQ2_0 = Some(35), "tq2_0", 256 weights in 66 bytes;
    /// 4-bit floats with a power-of-two scale (OCP microscaling).
    MXFP4 = Some(39), "mxfp4", 32 weights in 17 bytes;
    /// 4-bit floats with an 8-bit float scale of 16 weights.
    NVFP4 = Some(40), "nvfp4", 64 weights in 36 bytes;
    /// One bit and a scale.
    Q1_0 = Some(41), "q1_0", 128 weights in 18 bytes;
    /// 2 bits and a scale.
    Q2_0 = Some(42), "q2_0", 64 weights in 18 bytes;
    /// bitsandbytes' 4-bit normal floats with double quantisation; [`BlockType::bytes`] states what comes on top of the weights.
    NF4 = None, "nf4", 64 weights in 32 bytes;
    /// 8-bit integers with one F32 scale a row (an output channel).
    INT8_ROW = None, "int8 per row", 1 weights in 1 bytes;
    /// 8-bit integers with one F32 scale and an 8-bit zero point for the whole tensor.
    INT8_TENSOR = None, "int8 per tensor", 1 weights in 1 bytes;
}

impl BlockType {
    /// The type of an id in a GGUF file; none for ids that ggml has dropped or that are not known here.
    #[must_use]
    pub fn from_ggml_id(id: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|block| block.ggml_id() == Some(id))
    }

    /// Whether a row of `columns` weights is a whole number of blocks. Blocks are powers of two, so no division is needed.
    #[must_use]
    pub const fn fills(self, columns: u64) -> bool {
        columns & (self.block_elements() - 1) == 0
    }

    /// Bytes of one row of `columns` weights, `columns / block_elements · block_bytes` for ggml's types.
    ///
    /// None if the row is not a whole number of blocks, or the count overflows.
    #[must_use]
    pub const fn row_bytes(self, columns: u64) -> Option<u64> {
        self.bytes(columns, 1)
    }

    /// Bytes of a matrix of `rows` rows of `columns` weights; a stack of matrices counts as one with all their rows.
    ///
    /// - ggml's types: `rows · row_bytes(columns)`.
    /// - [`NF4`](Self::NF4), for `n = columns · rows` weights in one run as bitsandbytes cuts them, whatever the row length:
    ///   `⌈n/2⌉` for the codes, `⌈n/64⌉` for the 8-bit scales of blocks of 64, `4·⌈⌈n/64⌉/256⌉` for the F32 scales of 256 of
    ///   those, and 4 for the mean that was subtracted from them: 4.127 bits a weight (QLoRA, Dettmers et al. 2023, section 3).
    ///   The two code tables (16 and 256 F32) are constants and are not counted.
    /// - [`INT8_ROW`](Self::INT8_ROW): `n + 4·rows`.
    /// - [`INT8_TENSOR`](Self::INT8_TENSOR): `n + 5`.
    ///
    /// None if a row is not a whole number of a ggml type's blocks, or the count overflows.
    #[must_use]
    pub const fn bytes(self, columns: u64, rows: u64) -> Option<u64> {
        let Some(elements) = columns.checked_mul(rows) else {
            return None;
        };
        match self {
            Self::NF4 => {
                let blocks = elements.div_ceil(64);
                let scales = blocks.div_ceil(256) * 4;
                Some(elements.div_ceil(2) + blocks + scales + 4)
            }
            Self::INT8_ROW => match rows.checked_mul(4) {
                Some(scales) => elements.checked_add(scales),
                None => None,
            },
            Self::INT8_TENSOR => elements.checked_add(5),
            _ if !self.fills(columns) => None,
            _ => (elements >> self.block_elements().trailing_zeros()).checked_mul(self.block_bytes()),
        }
    }

    /// Bytes of a whole tensor; none where [`BlockType::bytes`] has none.
    #[must_use]
    pub const fn tensor_bytes(self, tensor: &Tensor) -> Option<u64> {
        match tensor.rows.checked_mul(tensor.experts) {
            Some(rows) => self.bytes(tensor.columns, rows),
            None => None,
        }
    }

    /// Bits a weight in a large tensor.
    #[must_use]
    pub fn bits_per_weight(self) -> f64 {
        let weights = 8.0 * self.block_bytes() as f64 / self.block_elements() as f64;
        match self {
            Self::NF4 => weights + 8.0 / 64.0 + 32.0 / (64.0 * 256.0),
            _ => weights,
        }
    }

    /// Whether it is a plain number format, one weight a block.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16)
    }
}

impl fmt::Display for BlockType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for BlockType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_its_blocks() {
        // 2048 weights are 8 super-blocks of 256, or 64 blocks of 32
        assert_eq!(BlockType::Q4_K.row_bytes(2048), Some(8 * 144));
        assert_eq!(BlockType::Q8_0.row_bytes(2048), Some(64 * 34));
        assert_eq!(BlockType::F16.row_bytes(2048), Some(4096));
        // 896 = 3.5 · 256 = 28 · 32
        assert_eq!(BlockType::Q4_K.row_bytes(896), None);
        assert_eq!(BlockType::Q5_0.row_bytes(896), Some(28 * 22));
    }

    #[test]
    fn bits_per_weight_are_those_that_the_types_are_known_by() {
        for (block, bits) in [
            (BlockType::Q4_0, 4.5),
            (BlockType::Q4_K, 4.5),
            (BlockType::Q6_K, 6.5625),
            (BlockType::Q8_0, 8.5),
            (BlockType::IQ4_XS, 4.25),
            (BlockType::IQ1_S, 1.5625),
            (BlockType::IQ2_XXS, 2.0625),
            (BlockType::TQ1_0, 1.6875),
            (BlockType::MXFP4, 4.25),
            (BlockType::NVFP4, 4.5),
            (BlockType::Q1_0, 1.125),
            (BlockType::Q2_0, 2.25),
        ] {
            assert_eq!(block.bits_per_weight(), bits, "{block}");
        }
        assert!((BlockType::NF4.bits_per_weight() - 4.127).abs() < 1e-4);
    }

    #[test]
    fn nf4_counts_codes_scales_and_their_scales() {
        // DistilBERT's 768 x 3072: 1 179 648 bytes of codes, 36 864 scales, 144 scales of scales, one mean
        assert_eq!(BlockType::NF4.bytes(3072, 768), Some(1_179_648 + 36_864 + 4 * 144 + 4));
        // 65 weights: 33 bytes of codes, two scales, one scale of scales, one mean
        assert_eq!(BlockType::NF4.bytes(65, 1), Some(33 + 2 + 4 + 4));
    }

    #[test]
    fn int8_counts_its_scales() {
        assert_eq!(BlockType::INT8_ROW.bytes(768, 3072), Some(768 * 3072 + 4 * 3072));
        assert_eq!(BlockType::INT8_TENSOR.bytes(768, 3072), Some(768 * 3072 + 5));
    }

    #[test]
    fn sizes_near_the_end_of_u64_do_not_wrap() {
        for &block in BlockType::ALL {
            let _ = block.bytes(u64::MAX, 1);
            assert_eq!(block.bytes(u64::MAX, 2), None, "{block}");
        }
        assert_eq!(BlockType::F32.bytes(1 << 62, 2), None);
    }

    #[test]
    fn blocks_are_powers_of_two() {
        assert!(
            BlockType::ALL
                .iter()
                .all(|block| block.block_elements().is_power_of_two())
        );
    }

    #[test]
    fn ids_are_found_and_unique() {
        assert_eq!(BlockType::from_ggml_id(12), Some(BlockType::Q4_K));
        assert_eq!(BlockType::from_ggml_id(4), None, "Q4_2 was dropped");
        for &block in BlockType::ALL {
            if let Some(id) = block.ggml_id() {
                assert_eq!(BlockType::from_ggml_id(id), Some(block));
            }
        }
    }
}
