//! What one core can do per cycle, by instruction set and micro-architecture: `hardware/host/cores.toml`.

use super::machine::{Machine, Processor};
use crate::units::{ByteRate, Bytes, Hertz};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The data file.
const TEXT: &str = include_str!("../../../hardware/host/cores.toml");

/// Rows of the data file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cores {
    arm: Vec<Arm>,
    x86: Vec<X86>,
    unstated: Vec<Unstated>,
    pub(super) storage: BTreeMap<String, ByteRate>,
    pub(super) nothing: Nothing,
}

/// What is assumed of a machine that states nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {
    pub(super) memory: Bytes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arm {
    name: String,
    implementer: Option<u32>,
    #[serde(default)]
    parts: Vec<u32>,
    class: Option<String>,
    fp32: u32,
    int8_matrix: Option<u32>,
    #[serde(default)]
    small: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct X86 {
    name: String,
    vendor: Option<String>,
    family: Option<u32>,
    #[serde(default)]
    models: Vec<u32>,
    brand: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    fp32: u32,
    int8: Option<u32>,
}

/// What a class of machines is assumed to have where the machine does not say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unstated {
    class: String,
    pub(super) clock: Hertz,
    pub(super) bandwidth_per_core: ByteRate,
    /// However few cores there are.
    pub(super) bandwidth_at_least: ByteRate,
    pub(super) bandwidth_at_most: ByteRate,
}

/// One kind of core, as found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) fp32: f64,
    /// Rate over that of fp32, 0 where there is none.
    pub(super) fp16: f64,
    pub(super) int8: f64,
    pub(super) small: bool,
}

impl Cores {
    /// The shipped file.
    pub(super) fn load() -> Result<Self, toml::de::Error> {
        toml::from_str(TEXT)
    }

    /// The row of a processor, with what its features add.
    pub(super) fn find(&self, machine: &Machine, processor: &Processor) -> Core {
        let has = |flag: &str| machine.flags.contains(flag);
        if machine.flags.iter().any(|flag| flag.starts_with("rv64")) {
            let name = "RISC-V core, scalar".to_owned();
            return Core {
                name,
                class: "riscv-cpu".to_owned(),
                fp32: 2.0,
                fp16: 0.0,
                int8: 0.0,
                small: false,
            };
        }
        if let Some((vendor, family, model)) = &machine.x86 {
            let brand = machine.brand.as_deref().unwrap_or_default();
            let row = self.x86.iter().find(|row| {
                row.vendor.as_ref().is_none_or(|named| named == vendor)
                    && row.family.is_none_or(|named| named == *family)
                    && (row.models.is_empty() || row.models.contains(model))
                    && row.brand.as_ref().is_none_or(|part| brand.contains(part.as_str()))
                    && row.flags.iter().all(|flag| has(flag))
            });
            let vnni = has("avx512_vnni") || has("avx_vnni");
            let class = if has("avx512f") && has("avx512_vnni") {
                "x86-cpu-avx512"
            } else {
                "x86-cpu-avx2"
            };
            return Core {
                name: row.map_or_else(|| "x86 core".to_owned(), |row| row.name.clone()),
                class: class.to_owned(),
                fp32: row.map_or(8.0, |row| f64::from(row.fp32)),
                fp16: 0.0,
                int8: row.and_then(|row| row.int8).filter(|_| vnni).map_or(0.0, f64::from),
                small: false,
            };
        }
        let (implementer, part) = processor.arm.unwrap_or((0, 0));
        let row = self.arm.iter().find(|row| {
            row.implementer.is_none_or(|named| named == implementer)
                && (row.parts.is_empty() || row.parts.contains(&part))
        });
        let by_features = if has("i8mm") {
            "arm-cpu-i8mm"
        } else if has("asimddp") {
            "arm-cpu-dotprod"
        } else {
            "arm-cpu"
        };
        let matrix = row
            .and_then(|row| row.int8_matrix)
            .filter(|_| has("i8mm"))
            .map(f64::from);
        Core {
            name: row.map_or_else(|| "Arm core".to_owned(), |row| row.name.clone()),
            class: row
                .and_then(|row| row.class.as_deref())
                .unwrap_or(by_features)
                .to_owned(),
            fp32: row.map_or(8.0, |row| f64::from(row.fp32)),
            fp16: if has("asimdhp") { 2.0 } else { 0.0 },
            int8: matrix.unwrap_or(if has("asimddp") { 4.0 } else { 0.0 }),
            small: row.is_some_and(|row| row.small),
        }
    }

    /// What is assumed of machines of a class.
    pub(super) fn unstated(&self, class: &str) -> Option<&Unstated> {
        self.unstated.iter().find(|row| row.class == class)
    }
}
