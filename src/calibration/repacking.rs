//! What repacking gives the prompt of a CPU.

use crate::quant::BlockType;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const SHIPPED: &str = include_str!("../../calibration/repacking/gains.toml");

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    arm: Table,
    x86: Table,
    amx: Table,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    error: f64,
    other: f64,
    gain: BTreeMap<String, f64>,
}

/// How many times as fast a kind of CPU multiplies a prompt by matrices that it has repacked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gains {
    by_type: [f64; BlockType::COUNT],
    /// Standard deviation of the logarithm of a gain.
    pub error: f64,
}

impl Gains {
    /// That of a block type.
    pub const fn of(&self, block_type: BlockType) -> f64 {
        self.by_type[block_type as usize]
    }
}

impl Default for Gains {
    /// None.
    fn default() -> Self {
        Self {
            by_type: [1.0; BlockType::COUNT],
            error: 0.0,
        }
    }
}

impl From<Table> for Gains {
    fn from(table: Table) -> Self {
        let mut by_type = [table.other; BlockType::COUNT];
        for &block_type in BlockType::ALL {
            if let Some(&gain) = table.gain.get(block_type.name()) {
                by_type[block_type as usize] = gain;
            }
        }
        Self {
            by_type,
            error: table.error,
        }
    }
}

/// The gains of kinds of CPU.
#[derive(Debug, Default)]
pub(crate) struct Repacking {
    /// CPUs with NEON.
    pub arm: Gains,
    /// CPUs with AVX and no AMX.
    pub x86: Gains,
    /// CPUs with AMX.
    pub amx: Gains,
}

impl Repacking {
    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let File { arm, x86, amx } = toml::from_str(text)?;
        Ok(Self {
            arm: arm.into(),
            x86: x86.into(),
            amx: amx.into(),
        })
    }

    /// As shipped; a test holds the file to being one.
    pub fn shipped() -> &'static Self {
        static REPACKING: OnceLock<Repacking> = OnceLock::new();
        REPACKING.get_or_init(|| Self::parse(SHIPPED).unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn near(gains: &Gains, block_type: BlockType, gain: f64) {
        let stated = gains.of(block_type);
        assert!(
            (stated / gain - 1.0).abs() < 0.005,
            "{block_type}: {stated} is not {gain}"
        );
    }

    /// Of the time of q4_K_M repacked, 0.85 is q4_K's; the rest is q6_K's, `q6_k` without a kernel that repacks it.
    fn q4_k(together: f64, q6_k: f64) -> f64 {
        (together * (0.85 + 0.15 * q6_k) - 0.15 * q6_k) / 0.85
    }

    #[test]
    fn the_gains_are_those_of_the_pairs() {
        let Repacking { arm, x86, amx } = Repacking::parse(SHIPPED).unwrap();
        let median = |off: &[f64], on: &[f64]| {
            let mut gains: Vec<f64> = off.iter().zip(on).map(|(off, on)| on / off).collect();
            gains.sort_by(f64::total_cmp);
            f64::midpoint(gains[(gains.len() - 1) / 2], gains[gains.len() / 2])
        };
        // Tokens per second as calibration/measurements/published.csv has them.
        let together = median(
            &[344.36, 51.11, 408.04, 645.21, 60.62, 60.11],
            &[667.63, 96.09, 683.08, 1070.35, 98.37, 92.10],
        );
        near(&arm, BlockType::Q4_K, q4_k(together, arm.of(BlockType::Q6_K)));
        near(&arm, BlockType::Q5_K, median(&[100.89], &[187.35]));
        near(&arm, BlockType::Q6_K, median(&[86.21], &[224.06]));
        near(&arm, BlockType::Q8_0, median(&[303.67, 43.03], &[1085.44, 160.03]));
        let measured = [BlockType::Q4_K, BlockType::Q5_K, BlockType::Q6_K, BlockType::Q8_0];
        let logarithms: f64 = measured.iter().map(|&block_type| arm.of(block_type).ln()).sum();
        near(&arm, BlockType::Q4_0, (logarithms / 4.0).exp());
        // Of AMX no pair is known.
        assert!(amx.error > x86.error && BlockType::ALL.iter().all(|&block_type| amx.of(block_type) == 1.0));
        // A Xeon and an EPYC.
        let both = |xeon: f64, epyc: f64| (xeon * epyc).sqrt();
        near(&x86, BlockType::Q4_0, both(98.0 / 62.0, 249.0 / 111.0));
        let of_q4_k = both(q4_k(115.0 / 171.0, 1.0), q4_k(197.0 / 310.0, 1.0));
        near(&x86, BlockType::Q4_K, of_q4_k);
    }
}
