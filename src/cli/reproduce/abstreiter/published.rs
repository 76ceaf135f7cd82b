//! The form of `reports/abstreiter/published.toml`.

use super::super::comparison::Quoted;
use edgeprof::device::BackendKind;
use edgeprof::output::number;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the study publishes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    pub source: String,
    pub workload: Work,
    pub model: Vec<Named>,
    pub statement: Vec<Statement>,
    pub quoted: Vec<Quoted>,
    pub reading: Reading,
    pub break_even: BreakEven,
}

/// Its prompt and answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    pub prompt: u64,
    pub generate: u64,
    pub context: u64,
    /// Of energy, as `--price` takes it.
    pub price: String,
    /// Of an API's million tokens, as `--api-price` takes it.
    pub api_price: String,
    /// Of its phone's battery.
    pub battery_j: f64,
}

/// A model and what the study calls it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// A device as it is run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub hardware: String,
    pub backend: Option<BackendKind>,
    pub power_mode: Option<String>,
    /// Clock of the backend in place of the mode's.
    pub clock: Option<String>,
    pub threads: Option<Threads>,
    /// Whether weights are repacked for the CPU; they are where nothing is said.
    pub repack: Option<bool>,
    pub precision: Option<String>,
}

/// Threads of a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub enum Threads {
    /// So many.
    Count(u64),
    /// As many as generate fastest.
    Named(Fastest),
}

/// `fastest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fastest {
    Fastest,
}

/// A figure that a statement is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    PrefillTokensPerS,
    DecodeTokensPerS,
    PrefillEnergyJPerToken,
    DecodeEnergyJPerToken,
    PrefillActionJSPerToken,
    InputCostPerMillionTokens,
    OutputCostPerMillionTokens,
    InputApiPriceOverCost,
    OutputApiPriceOverCost,
    BatteryS,
    MemoryBytes,
    /// Reading the weights from storage.
    IoS,
    /// What a model takes that lies in the system's memory already, over that and the prefill.
    WarmLoadShare,
    /// The threads of least energy in prefill.
    PrefillThreads,
    /// The same in generation.
    DecodeThreads,
}

impl Quantity {
    /// The key of a prediction, or what it is.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrefillTokensPerS => "prefill_tokens_per_s",
            Self::DecodeTokensPerS => "decode_tokens_per_s",
            Self::PrefillEnergyJPerToken => "prefill_energy_j_per_token",
            Self::DecodeEnergyJPerToken => "decode_energy_j_per_token",
            Self::PrefillActionJSPerToken => "prefill_action_j_s_per_token",
            Self::InputCostPerMillionTokens => "input_cost_per_million_tokens",
            Self::OutputCostPerMillionTokens => "output_cost_per_million_tokens",
            Self::InputApiPriceOverCost => "input_api_price_over_cost",
            Self::OutputApiPriceOverCost => "output_api_price_over_cost",
            Self::BatteryS => "battery_s",
            Self::MemoryBytes => "memory_bytes",
            Self::IoS => "io_s",
            Self::WarmLoadShare => "(h2d_s + repack_s) / (h2d_s + repack_s + prefill_s)",
            Self::PrefillThreads => "threads of least prefill_energy_j_per_token",
            Self::DecodeThreads => "threads of least decode_energy_j_per_token",
        }
    }

    /// A value of it for a reader, where it is not a ratio of two.
    pub fn shown(self, value: f64) -> String {
        match self {
            Self::InputCostPerMillionTokens | Self::OutputCostPerMillionTokens => {
                format!("{} cents", number::significant(100.0 * value, 3))
            }
            Self::BatteryS => format!("{} h", number::significant(value / 3600.0, 3)),
            Self::IoS => number::seconds(value),
            Self::WarmLoadShare => number::percent(value),
            Self::PrefillThreads | Self::DecodeThreads => format!("{value}"),
            _ => format!("{}x", number::significant(value, 3)),
        }
    }
}

/// A figure, or the ratio of two settings' figures, of every model and format that it is said of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub text: String,
    pub place: String,
    pub quantity: Quantity,
    pub of: Setting,
    /// What it is divided by.
    pub over: Option<Setting>,
    /// The models; all if none are named.
    #[serde(default)]
    pub models: Vec<String>,
    /// Models that it is not said of.
    #[serde(default)]
    pub without: Vec<String>,
    /// The formats; those of the settings if none are named.
    #[serde(default)]
    pub precisions: Vec<String>,
    /// Least and most.
    pub published: [f64; 2],
    /// What either end may be missed by, relative.
    pub within: f64,
    pub printed: String,
    #[serde(default)]
    pub remark: String,
}

/// Which models are generated faster than people read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    pub place: String,
    pub tokens_per_s: f64,
    pub device: Vec<Reader>,
}

/// The same of one device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    pub name: String,
    pub hardware: String,
    pub backend: BackendKind,
    /// The largest model by format.
    pub up_to: BTreeMap<String, String>,
}

/// After how long the dearer device has paid for itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakEven {
    pub place: String,
    pub dearer: Setting,
    pub cheaper: Setting,
    pub dearer_price: f64,
    pub cheaper_price: f64,
    pub precision: String,
    pub model: String,
    pub mixes: Vec<String>,
    pub utilizations: Vec<f64>,
    pub least_years: f64,
    pub printed: String,
    pub within: f64,
    pub remark: String,
}
