//! Repacking: at load, llama.cpp's CPU backend writes matrices into a second buffer, in the layout that its fast kernels read.
//!
//! Which block types have such kernels depends on the CPU, and the number of rows must be a multiple of what a kernel
//! computes at once. Source: `repack.cpp` and `amx.cpp` of ggml's CPU backend.

use crate::calibration::{Gains, Repacking};
use crate::model::{Model, Tensor, Use};
use crate::quant::BlockType;

/// What a CPU's instruction set offers to the kernels, from a backend's `features`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Kernels {
    dotprod: bool,
    i8mm: bool,
    avx2: bool,
    avx512: bool,
    amx: bool,
}

impl Kernels {
    fn of(features: &[String]) -> Self {
        let has = |name: &str| features.iter().any(|feature| feature == name);
        Self {
            dotprod: has("dotprod"),
            i8mm: has("i8mm"),
            avx2: has("avx2") || has("avx512"),
            avx512: has("avx512"),
            amx: has("amx"),
        }
    }

    /// The number that must divide the rows of a matrix for it to be repacked; none if this type is left as it is.
    const fn rows_at_once(self, block_type: BlockType) -> Option<u64> {
        use BlockType::{F16, IQ4_NL, IQ4_XS, MXFP4, Q1_0, Q2_K, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K, Q8_0};
        let arm = self.dotprod || self.i8mm;
        if self.amx && matches!(block_type, Q4_0 | Q4_1 | Q8_0 | Q4_K | Q5_K | Q6_K | IQ4_XS | F16) {
            return Some(1);
        }
        match block_type {
            Q4_0 if self.avx2 => Some(8),
            Q4_0 | Q8_0 | Q1_0 if arm => Some(4),
            Q4_K if self.avx2 || arm => Some(8),
            Q5_K | Q6_K if arm => Some(8),
            Q2_K if self.avx512 => Some(8),
            IQ4_NL | MXFP4 if self.avx2 => Some(8),
            IQ4_NL | MXFP4 if self.dotprod => Some(4),
            _ => None,
        }
    }
}

/// Matrices of one block type with the same largest divisor of their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    block_type: BlockType,
    /// 8, 4 or 1.
    divisor: u64,
    bytes: u64,
    /// Of `bytes`, the embedding that is the output head too.
    tied_bytes: u64,
}

/// The multiplied matrices of a model by what decides whether they are repacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RepackSums(Vec<Group>);

/// What repacking does on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repacked {
    /// Bytes written in the new layout.
    pub bytes: u64,
    /// Of those, bytes that are still needed in the old one: a tied embedding, of which rows are looked up.
    pub needed_twice: u64,
}

/// The matrices that a CPU repacks unless it is told not to, and what that gives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unrepacked {
    /// The block types, a bit each.
    types: u64,
    gains: &'static Gains,
}

impl Unrepacked {
    /// Those of a CPU with these features; none if it repacks nothing.
    #[cold]
    pub fn on(features: &[String]) -> Option<Self> {
        let kernels = Kernels::of(features);
        let repacked = BlockType::ALL
            .iter()
            .filter(|&&block_type| kernels.rows_at_once(block_type).is_some());
        let types = repacked.fold(0, |types, &block_type| types | 1 << block_type as u64);
        let Repacking { arm, x86, amx } = Repacking::shipped();
        (types != 0).then_some(Self {
            types,
            gains: match kernels {
                Kernels { amx: true, .. } => amx,
                Kernels { dotprod: true, .. } | Kernels { i8mm: true, .. } => arm,
                _ => x86,
            },
        })
    }

    /// How many times as fast a prompt would be multiplied by matrices of this type.
    pub const fn gain(&self, block_type: BlockType) -> f64 {
        if self.types >> block_type as u64 & 1 == 1 {
            self.gains.of(block_type)
        } else {
            1.0
        }
    }

    /// Standard deviation of the logarithm of a gain.
    pub const fn error(&self) -> f64 {
        self.gains.error
    }
}

const _: () = assert!(BlockType::COUNT <= 64, "a bit for every block type");

impl RepackSums {
    pub(super) fn new(model: &Model, types: &[BlockType]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (tensor, &block_type) in model.tensors.iter().zip(types) {
            if matches!(tensor.usage, Use::Multiply | Use::LookUpAndMultiply) && tensor.dimensions >= 2 {
                let divisor = divisor(tensor);
                let bytes = block_type.tensor_bytes(tensor).unwrap_or(0);
                let tied_bytes = if tensor.usage == Use::LookUpAndMultiply {
                    bytes
                } else {
                    0
                };
                match groups
                    .iter_mut()
                    .find(|group| group.block_type == block_type && group.divisor == divisor)
                {
                    Some(group) => {
                        group.bytes = group.bytes.saturating_add(bytes);
                        group.tied_bytes = group.tied_bytes.saturating_add(tied_bytes);
                    }
                    None => groups.push(Group {
                        block_type,
                        divisor,
                        bytes,
                        tied_bytes,
                    }),
                }
            }
        }
        Self(groups)
    }

    pub(super) fn on(&self, features: &[String]) -> Repacked {
        let kernels = Kernels::of(features);
        let mut repacked = Repacked::default();
        for group in &self.0 {
            if kernels
                .rows_at_once(group.block_type)
                .is_some_and(|rows| group.divisor >= rows)
            {
                repacked.bytes += group.bytes;
                repacked.needed_twice += group.tied_bytes;
            }
        }
        repacked
    }
}

const fn divisor(tensor: &Tensor) -> u64 {
    if tensor.rows.is_multiple_of(8) {
        8
    } else if tensor.rows.is_multiple_of(4) {
        4
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernels(features: &[&str]) -> Kernels {
        Kernels::of(&features.iter().map(|&feature| feature.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn each_cpu_repacks_what_it_has_kernels_for() {
        use BlockType::{F16, Q2_K, Q3_K, Q4_0, Q4_K, Q6_K, Q8_0};
        let (pi4, pi5, phone) = (
            kernels(&["neon"]),
            kernels(&["neon", "dotprod"]),
            kernels(&["neon", "dotprod", "i8mm"]),
        );
        let (desktop, server) = (kernels(&["avx2"]), kernels(&["avx2", "avx512", "amx"]));
        for (block_type, rows) in [
            (Q4_0, [None, Some(4), Some(4), Some(8), Some(1)]),
            (Q8_0, [None, Some(4), Some(4), None, Some(1)]),
            (Q4_K, [None, Some(8), Some(8), Some(8), Some(1)]),
            (Q6_K, [None, Some(8), Some(8), None, Some(1)]),
            (Q3_K, [None, None, None, None, None]),
            (Q2_K, [None, None, None, None, Some(8)]),
            (F16, [None, None, None, None, Some(1)]),
        ] {
            let found = [pi4, pi5, phone, desktop, server].map(|kernels| kernels.rows_at_once(block_type));
            assert_eq!(found, rows, "{block_type:?}");
        }
    }

    #[test]
    fn what_repacking_gains_depends_on_the_kernels() {
        let gain = |features: &[&str], block_type| {
            let features: Vec<_> = features.iter().map(|&feature| feature.to_owned()).collect();
            Unrepacked::on(&features).map(|unrepacked| unrepacked.gain(block_type))
        };
        assert_eq!(gain(&["neon"], BlockType::Q4_K), None, "it repacks nothing");
        assert!(gain(&["neon", "dotprod"], BlockType::Q4_K).is_some_and(|gain| gain > 1.5));
        assert_eq!(gain(&["neon", "dotprod"], BlockType::Q3_K), Some(1.0), "no kernel");
        assert!(gain(&["avx2"], BlockType::Q4_K).is_some_and(|gain| gain < 1.0));
        // Of other kernels than those that were measured nothing is assumed.
        assert_eq!(gain(&["avx2", "avx512", "amx"], BlockType::Q4_K), Some(1.0));
    }
}
