//! Random blocks of every block type, with scales that are small and finite, and weights of either sign that cancel.
//!
//! Weights with a mean would make every activation the same large number after a few layers, and attention scores of hundreds, whose
//! exponentials underflow: arithmetic on subnormal numbers is many times slower, which no trained model makes a CPU do.

use std::collections::BTreeMap;
use std::io::{Result, Write};

use crate::model::{Role, Tensor};
use crate::quant::BlockType;

/// What kind of values a tensor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Values {
    /// About 0.02, of either sign: matrices and biases.
    Weights,
    /// 1 to 1.25: norms and scales.
    Ones,
    /// -1 to -1.25: rates of decay.
    Decays,
}

impl Values {
    pub(super) fn of(tensor: &Tensor) -> Self {
        match tensor.role {
            Role::SsmA => Self::Decays,
            _ if tensor.dimensions <= 1 && !tensor.bias => Self::Ones,
            _ => Self::Weights,
        }
    }
}

/// Length of the run of blocks that is kept of each block type, about, bytes.
const RUN: u64 = 4 << 20;

/// One run of random blocks for each block type in use: tensors are stitched from it, each from another place on.
#[derive(Default)]
pub(super) struct Pool {
    runs: BTreeMap<(BlockType, Values), Vec<u8>>,
    random: Random,
}

impl Pool {
    /// Writes `bytes` bytes (whole blocks) of a tensor.
    pub(super) fn write(
        &mut self,
        output: &mut dyn Write,
        block_type: BlockType,
        values: Values,
        bytes: u64,
    ) -> Result<()> {
        let run = self
            .runs
            .entry((block_type, values))
            .or_insert_with(|| run(block_type, values, &mut self.random));
        let blocks = run.len() as u64 / block_type.block_bytes();
        let mut start = (self.random.next() % blocks.max(1) * block_type.block_bytes()) as usize;
        let mut left = bytes;
        while left > 0 {
            let rest = run.get(start..).unwrap_or_default();
            let length = left.min(rest.len() as u64);
            output.write_all(rest.get(..length as usize).unwrap_or_default())?;
            left -= length;
            start = 0;
        }
        Ok(())
    }
}

fn run(block_type: BlockType, values: Values, random: &mut Random) -> Vec<u8> {
    let length = block_type.block_bytes() as usize;
    let blocks = RUN as usize / length;
    let mut run = vec![0; blocks * length];
    for word in run.chunks_mut(8) {
        word.copy_from_slice(&random.next().to_le_bytes()[..word.len()]);
    }
    for block in run.chunks_exact_mut(length) {
        settle(block, block_type, values);
    }
    run
}

/// Makes a block of random bits one of finite values: sets its scales, or the exponent of a plain number.
fn settle(block: &mut [u8], block_type: BlockType, values: Values) {
    use BlockType as B;
    let mut half = |offset: usize, bits: u16| put(block, offset, bits.to_le_bytes());
    match block_type {
        B::F32 => settle_f32(block, values),
        // Exponents of 2^-6, so that values are 0.016 to 0.031, of either sign; or the sign and exponent of one.
        B::F16 => plain_16(block, values, 0x83ff, 0x2400, 0x3c00),
        B::BF16 => plain_16(block, values, 0x807f, 0x3c80, 0x3f80),
        B::Q4_0 | B::Q5_0 => signed_half(block, 0, HALF_2_8),
        B::Q8_0 | B::IQ4_NL => signed_half(block, 0, HALF_2_12),
        // The minimum is less than zero by as much as the mean of the other term is more: 7.5, 15.5 or (of 2 bits) 1.5 scales.
        B::Q4_1 => {
            half(0, HALF_2_8);
            half(2, NEGATIVE | (HALF_2_8 + HALF_7_5));
        }
        B::Q5_1 => {
            half(0, HALF_2_8);
            half(2, NEGATIVE | (HALF_2_8 + HALF_15_5));
        }
        B::Q8_1 => {
            half(0, HALF_2_12);
            half(2, HALF_2_8);
        }
        B::Q2_K => {
            half(80, HALF_2_10);
            half(82, HALF_2_10 + HALF_1_5);
        }
        B::Q3_K => signed_half(block, 108, HALF_2_12),
        B::Q4_K => {
            half(0, HALF_2_14);
            half(2, HALF_2_14 + HALF_7_5);
        }
        B::Q5_K => {
            half(0, HALF_2_14);
            half(2, HALF_2_14 + HALF_15_5);
        }
        B::Q6_K => {
            signed_half(block, 208, HALF_2_14);
            // A quarter of what 8 bits can be.
            for scale in block.iter_mut().skip(192).take(16) {
                *scale = (*scale as i8 >> 2) as u8;
            }
        }
        B::Q8_K => put(block, 0, 2.0_f32.powi(-12).to_le_bytes()),
        B::IQ2_XXS | B::IQ2_XS | B::IQ2_S | B::IQ3_XXS | B::IQ3_S => half(0, HALF_2_12),
        B::IQ1_S => half(0, HALF_2_8),
        B::IQ1_M => settle_iq1_m(block),
        B::IQ4_XS => signed_half(block, 0, HALF_2_14),
        B::TQ1_0 => half(52, HALF_2_6),
        B::TQ2_0 => {
            half(64, HALF_2_6);
            // Two bits are -1, 0 or 1: 0 for 2, which is none of them.
            for pairs in block.iter_mut().take(64) {
                *pairs &= !((*pairs & *pairs >> 1 & 0x55) << 1);
            }
        }
        B::Q1_0 | B::Q2_0 => half(0, HALF_2_6),
        // A power of two: 2^(117 - 128), times 0 to 12.
        B::MXFP4 => put(block, 0, [117]),
        // Four scales of 4 exponent and 3 mantissa bits: 2^-6 and up to its double, halved.
        B::NVFP4 => {
            for scale in block.iter_mut().take(4) {
                *scale = 0x08 | (*scale & 0x07);
            }
        }
        B::F64 => put(block, 0, 2.0_f64.powi(-6).to_le_bytes()),
        B::I8 | B::I16 | B::I32 | B::I64 | B::NF4 | B::INT8_ROW | B::INT8_TENSOR => {}
    }
}

/// Half-precision powers of two: the exponent plus 15, above 10 bits of mantissa.
const HALF_2_6: u16 = 9 << 10;
const HALF_2_8: u16 = 7 << 10;
const HALF_2_10: u16 = 5 << 10;
const HALF_2_12: u16 = 3 << 10;
const HALF_2_14: u16 = 1 << 10;
/// What takes a power of two to its multiple: 1.5 = 1 + 512/1024, 7.5 = 4 · (1 + 896/1024), 15.5 = 8 · (1 + 960/1024).
const HALF_1_5: u16 = 512;
const HALF_7_5: u16 = (2 << 10) + 896;
const HALF_15_5: u16 = (3 << 10) + 960;
const NEGATIVE: u16 = 1 << 15;

/// A scale of either sign, as the block's random bits have it: of types whose values reach one further below zero than above.
fn signed_half(block: &mut [u8], offset: usize, bits: u16) {
    let sign = block.get(offset + 1).map_or(0, |byte| u16::from(byte & 0x80) << 8);
    put(block, offset, (sign | bits).to_le_bytes());
}

fn put<const N: usize>(block: &mut [u8], offset: usize, bytes: [u8; N]) {
    if let Some(field) = block.get_mut(offset..offset + N) {
        field.copy_from_slice(&bytes);
    }
}

fn settle_f32(block: &mut [u8], values: Values) {
    let Ok(bytes) = <[u8; 4]>::try_from(&*block) else {
        return;
    };
    let random = u32::from_le_bytes(bytes);
    let bits = match values {
        // 2^-6 times 1 to 2, of either sign.
        Values::Weights => (random & 0x807f_ffff) | 0x3c80_0000,
        Values::Ones => (random & 0x001f_ffff) | 0x3f80_0000,
        Values::Decays => (random & 0x001f_ffff) | 0xbf80_0000,
    };
    put(block, 0, bits.to_le_bytes());
}

/// A plain number of 16 bits: sign and mantissa at random and the exponent given, or one (or minus one).
fn plain_16(block: &mut [u8], values: Values, random_bits: u16, exponent: u16, one: u16) {
    let Ok(bytes) = <[u8; 2]>::try_from(&*block) else {
        return;
    };
    let bits = match values {
        Values::Weights => (u16::from_le_bytes(bytes) & random_bits) | exponent,
        Values::Ones => one,
        Values::Decays => one | 1 << 15,
    };
    put(block, 0, bits.to_le_bytes());
}

/// The scale stands in four pieces, in the upper four bits of each of the last four 16-bit words.
fn settle_iq1_m(block: &mut [u8]) {
    for (word, nibble) in (0..4).map(|word| (word, (HALF_2_8 >> (4 * word)) & 0xf)) {
        if let Some(upper) = block.get_mut(48 + 2 * word + 1) {
            *upper = (*upper & 0x0f) | (nibble as u8) << 4;
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): one addition and two multiplications for 64 bits.
#[derive(Default)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places of the half-precision scales in a block, as ggml lays it out.
    const SCALES: &[(BlockType, &[usize])] = &[
        (BlockType::Q4_0, &[0]),
        (BlockType::Q4_1, &[0, 2]),
        (BlockType::Q5_0, &[0]),
        (BlockType::Q5_1, &[0, 2]),
        (BlockType::Q8_0, &[0]),
        (BlockType::Q2_K, &[80, 82]),
        (BlockType::Q3_K, &[108]),
        (BlockType::Q4_K, &[0, 2]),
        (BlockType::Q5_K, &[0, 2]),
        (BlockType::Q6_K, &[208]),
        (BlockType::IQ2_XXS, &[0]),
        (BlockType::IQ2_XS, &[0]),
        (BlockType::IQ2_S, &[0]),
        (BlockType::IQ3_XXS, &[0]),
        (BlockType::IQ3_S, &[0]),
        (BlockType::IQ1_S, &[0]),
        (BlockType::IQ4_NL, &[0]),
        (BlockType::IQ4_XS, &[0]),
        (BlockType::TQ1_0, &[52]),
        (BlockType::TQ2_0, &[64]),
        (BlockType::TQ2_0, &[64]),
        (BlockType::Q1_0, &[0]),
        (BlockType::Q2_0, &[0]),
    ];

    /// The least and the largest bits there are must both become a scale of at most 1/16 that is neither 0 nor infinite.
    #[test]
    fn every_scale_is_small_and_finite_whatever_the_random_bits() {
        for &(block_type, offsets) in SCALES {
            for bits in [0x00, 0xff] {
                let mut block = vec![bits; block_type.block_bytes() as usize];
                settle(&mut block, block_type, Values::Weights);
                for &offset in offsets {
                    let exponent = (block[offset + 1] & 0x7f) >> 2;
                    assert!(
                        (1..=11).contains(&exponent),
                        "{block_type} at {offset}: exponent {exponent}"
                    );
                }
                let others = match block_type {
                    BlockType::Q6_K => 16,
                    BlockType::TQ2_0 => 64,
                    _ => 0,
                };
                let changed = block.iter().filter(|&&byte| byte != bits).count();
                assert!(
                    changed <= 2 * offsets.len() + others,
                    "{block_type}: more than the scales is set"
                );
            }
        }
    }

    #[test]
    fn the_scale_in_pieces_is_the_one_that_was_cut() {
        let mut block = vec![0xff; 56];
        settle(&mut block, BlockType::IQ1_M, Values::Weights);
        let word = |index: usize| u16::from_le_bytes([block[48 + 2 * index], block[49 + 2 * index]]);
        // As ggml puts it together.
        let scale = word(0) >> 12 | (word(1) >> 8 & 0x00f0) | (word(2) >> 4 & 0x0f00) | (word(3) & 0xf000);
        assert_eq!(scale, HALF_2_8);
    }

    #[test]
    fn plain_numbers_keep_to_their_kind() {
        for (values, least, most) in [
            (Values::Weights, 2.0_f32.powi(-6), 2.0_f32.powi(-5)),
            (Values::Ones, 1.0, 1.25),
        ] {
            for bits in [0x00, 0xff] {
                let mut block = [bits; 4];
                settle(&mut block, BlockType::F32, values);
                assert!((least..most).contains(&f32::from_le_bytes(block).abs()));
            }
        }
        let mut block = [0xff; 2];
        settle(&mut block, BlockType::BF16, Values::Decays);
        assert_eq!(u16::from_le_bytes(block), 0xbf80);
    }

    fn half(block: &[u8], offset: usize) -> f64 {
        let bits = u16::from_le_bytes([block[offset], block[offset + 1]]);
        let magnitude = 2.0_f64.powi(i32::from(bits >> 10 & 31) - 15) * (1.0 + f64::from(bits & 1023) / 1024.0);
        if bits & NEGATIVE == 0 { magnitude } else { -magnitude }
    }

    /// The sum of a block's weights, from how ggml lays it out.
    fn sum(block: &[u8], block_type: BlockType) -> f64 {
        let nibbles = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| f64::from((byte & 15) + (byte >> 4)))
                .sum::<f64>()
        };
        match block_type {
            BlockType::Q4_0 => half(block, 0) * (nibbles(&block[2..18]) - 32.0 * 8.0),
            BlockType::Q4_1 => half(block, 0) * nibbles(&block[4..20]) + 32.0 * half(block, 2),
            BlockType::Q2_K => (0..16)
                .map(|group| {
                    // Groups of 16 weights: byte 32 · (group / 8) + 16 · (group % 2) on, two bits of each from bit 2 · (group / 2 % 4).
                    let (start, shift) = (16 + 32 * (group / 8) + 16 * (group % 2), 2 * (group / 2 % 4));
                    let quants: f64 = block[start..start + 16]
                        .iter()
                        .map(|byte| f64::from(byte >> shift & 3))
                        .sum();
                    let scales = block[group];
                    half(block, 80) * f64::from(scales & 15) * quants - half(block, 82) * f64::from(scales >> 4) * 16.0
                })
                .sum(),
            BlockType::Q4_K => (0..8)
                .map(|group| {
                    let scales = &block[4..16];
                    let (scale, least) = if group < 4 {
                        (scales[group] & 63, scales[group + 4] & 63)
                    } else {
                        let low = scales[group + 4];
                        (
                            low & 15 | scales[group - 4] >> 6 << 4,
                            low >> 4 | scales[group] >> 6 << 4,
                        )
                    };
                    let bytes = &block[16 + 32 * (group / 2)..][..32];
                    let quants: f64 = bytes.iter().map(|byte| f64::from(byte >> (4 * (group % 2)) & 15)).sum();
                    half(block, 0) * f64::from(scale) * quants - half(block, 2) * f64::from(least) * 32.0
                })
                .sum(),
            _ => unreachable!(),
        }
    }

    /// With a mean `m`, `n` inputs that are alike add `n · m` to every output; that is to stay below what their differences add,
    /// about `√n · 0.02`, for rows of any length.
    #[test]
    fn weights_of_either_sign_cancel() {
        for block_type in [BlockType::Q4_0, BlockType::Q4_1, BlockType::Q2_K, BlockType::Q4_K] {
            let run = run(block_type, Values::Weights, &mut Random::default());
            let blocks = run.chunks_exact(block_type.block_bytes() as usize);
            let weights = (blocks.len() as u64 * block_type.block_elements()) as f64;
            let mean = blocks.map(|block| sum(block, block_type)).sum::<f64>() / weights;
            assert!(mean.abs() < 0.02 / 8192.0_f64.sqrt(), "{block_type}: {mean}");
        }
    }

    #[test]
    fn a_tensor_longer_than_the_run_goes_round_it() {
        let (mut pool, mut output) = (Pool::default(), Vec::new());
        let bytes = 34 * 400_000;
        pool.write(&mut output, BlockType::Q8_0, Values::Weights, bytes)
            .unwrap_or_default();
        assert_eq!(output.len() as u64, bytes);
        assert!(
            output
                .chunks_exact(34)
                .all(|block| (u16::from_le_bytes([block[0], block[1]]) | NEGATIVE) == NEGATIVE | HALF_2_12)
        );
    }
}
