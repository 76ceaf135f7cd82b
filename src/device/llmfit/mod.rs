//! llmfit's hardware profiles: a machine in a few lines of JSON, read as a device and written from one.
//!
//! The form is the one that llmfit ships as `data/hardware/schema.json` (llmfit-core 1.1.18, `schema_version` 1); it is read as strictly
//! as that schema asks. What this module relies on beyond the schema, which names no units but in its keys:
//!
//! | key | taken as |
//! |---|---|
//! | `hardware.total_ram_gb` | GiB of the machine's memory, a card's own memory not among them |
//! | `hardware.gpu_memory_bandwidth_gbps` | 10^9 bytes per second of the memory that the GPU computes in |
//! | `hardware.ddr_bandwidth_gbps` | 10^9 bytes per second of the machine's memory |
//! | `hardware.gpu_compute_tflops_fp16` | 10^12 dense FP16 operations per second, accumulated as llama.cpp does |
//! | `estimation`, `calibration` | checked and not used: they scale llmfit's own formulas |
//!
//! A profile states five numbers at most. The rest is not made up: it is the catalogue's, of the device that the profile names, or the
//! median of the class that it belongs to, and the device's notes say which.

mod export;
mod import;

pub use export::{Exported, NotAProfile, export};
pub use import::{ImportError, Imported, import};

use crate::excerpt::Excerpt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The version of the form.
pub const SCHEMA_VERSION: u64 = 1;

/// A profile as its file states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u64,
    /// Its id: small letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Which GPU it describes.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Match>,
    /// The numbers.
    pub hardware: Hardware,
    /// llmfit's own factors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimation: Option<Estimation>,
    /// Measured speeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<Anchor>,
}

/// Which GPU a profile describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Part of the GPU's name.
    pub gpu_name_contains: String,
}

/// The numbers of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Memory of the machine, GiB.
    pub total_ram_gb: f64,
    /// Whether the GPU computes in it.
    pub unified_memory: bool,
    /// Bandwidth of the memory that the GPU computes in, GB/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory_bandwidth_gbps: Option<f64>,
    /// Bandwidth of the machine's memory, GB/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddr_bandwidth_gbps: Option<f64>,
    /// FP16 peak of the GPU, TFLOP/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_compute_tflops_fp16: Option<f64>,
}

/// llmfit's own factors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimation {
    /// Share of the bandwidth that decoding reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<f64>,
    /// Factors by run mode.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub run_mode_factors: BTreeMap<RunMode, f64>,
}

/// Where llmfit thinks a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RunMode {
    Gpu,
    TensorParallel,
    MoeOffload,
    CpuOffload,
    CpuOnly,
}

/// A measured speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The model.
    pub model: String,
    /// Its precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quant: Option<String>,
    /// Where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_mode: Option<RunMode>,
    /// Tokens per second.
    pub measured_tps: f64,
    /// Where that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Why a text is not a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileError {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where, if a place can be named.
    pub at: Option<Excerpt>,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "line {}, column {}: {}\n{at}", at.line, at.column, self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// Reads a profile from the text of its file, as strictly as its schema asks.
    ///
    /// # Errors
    /// [`ProfileError`]: what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let document: serde_json::Value = serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
        let Some(object) = document.as_object() else {
            return Err(ProfileError {
                message: "a profile is a JSON object".to_owned(),
                at: None,
            });
        };
        // Another version may have other keys: it is looked at first.
        let version = object.get("schema_version");
        if let Some(version) = version.filter(|version| version.as_u64() != Some(SCHEMA_VERSION)) {
            return Err(fault(
                text,
                "schema_version",
                format!("schema_version {version} is not known; profiles of version {SCHEMA_VERSION} are"),
            ));
        }
        let profile: Self = serde_json::from_str(text).map_err(|error| unreadable(text, &error))?;
        profile.check(text)?;
        Ok(profile)
    }

    /// The rules of the schema that types do not hold.
    fn check(&self, text: &str) -> Result<(), ProfileError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        let begins_well = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !self.name.starts_with(begins_well) || !self.name.chars().all(allowed) {
            let message =
                "a profile's name is of small letters, digits, `.`, `_` and `-`, and begins with a letter or digit";
            return Err(fault(text, "name", message.to_owned()));
        }
        let empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
        if self
            .matches
            .as_ref()
            .is_some_and(|matches| matches.gpu_name_contains.trim().is_empty())
        {
            return Err(fault(text, "gpu_name_contains", "it is empty".to_owned()));
        }
        for anchor in &self.calibration {
            if anchor.model.is_empty() || empty(&anchor.quant) || empty(&anchor.source) {
                return Err(fault(text, "calibration", "an anchor has an empty text".to_owned()));
            }
        }
        let hardware = &self.hardware;
        let factors = self
            .estimation
            .iter()
            .flat_map(|estimation| estimation.run_mode_factors.values());
        let numbers = [
            ("total_ram_gb", Some(hardware.total_ram_gb), 16_384.0),
            ("gpu_memory_bandwidth_gbps", hardware.gpu_memory_bandwidth_gbps, 1e5),
            ("ddr_bandwidth_gbps", hardware.ddr_bandwidth_gbps, 1e5),
            ("gpu_compute_tflops_fp16", hardware.gpu_compute_tflops_fp16, 1e5),
            (
                "efficiency",
                self.estimation.as_ref().and_then(|estimation| estimation.efficiency),
                1.0,
            ),
        ];
        numbers
            .into_iter()
            .chain(factors.map(|&factor| ("run_mode_factors", Some(factor), 10.0)))
            .chain(
                self.calibration
                    .iter()
                    .map(|anchor| ("measured_tps", Some(anchor.measured_tps), 1e5)),
            )
            .filter_map(|(key, value, most)| Some((key, value?, most)))
            .find(|&(_, value, most)| !(value > 0.0 && value <= most))
            .map_or(Ok(()), |(key, value, most)| {
                let message = format!("`{key}` is {value}; it must be above 0 and at most {most}");
                Err(fault(text, key, message))
            })
    }
}

/// A broken rule, shown at the first place that names the key.
fn fault(text: &str, key: &str, message: String) -> ProfileError {
    let quoted = format!("\"{key}\"");
    let at = text.find(&quoted).map(|at| Excerpt::of(text, at..at + quoted.len()));
    ProfileError { message, at }
}

/// What serde says, where it says it.
fn unreadable(text: &str, error: &serde_json::Error) -> ProfileError {
    ProfileError {
        message: sentence(error),
        at: place(text, error.line(), error.column()),
    }
}

/// serde's sentence without the place, which is said apart.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// The byte of a line and column that serde names.
fn place(text: &str, line: usize, column: usize) -> Option<Excerpt> {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum();
    let at = before + column.saturating_sub(1);
    Some(Excerpt::of(text, at..at + 1))
}
