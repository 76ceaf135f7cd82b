//! One measured rate, with every setting that a prediction of it needs.

pub use crate::calibration::Phase;
use crate::device::BackendKind;
use crate::units::{Bytes, Joules, Seconds, Watts};

/// Which program ran the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// llama.cpp itself: llama-bench, its server, or a binding of it.
    #[default]
    LlamaCpp,
    /// Ollama: llama.cpp's kernels under another scheduler and with another sampler.
    Ollama,
    /// llamafile: llama.cpp with matrix kernels of its own.
    Llamafile,
}

/// One measured rate of one model on one device. All in base SI units.
///
/// A setting that the source does not state is `None` and stands for the engine's default.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Measurement {
    /// Catalogue id of the device, or the source's own words where the catalogue has none.
    pub device: String,
    /// What computed.
    pub backend: BackendKind,
    /// CPU threads.
    pub threads: Option<u64>,
    /// Catalogue id of the model, or the source's own words where the catalogue has none.
    pub model: String,
    /// Mix that the weights are stored in, lower case (`q4_k_m`).
    pub precision: String,
    /// Prefill or decode.
    pub phase: Phase,
    /// Tokens that the run read (prefill) or generated (decode); the rate is the mean over them, so that a decode stands for a depth
    /// of `depth + tokens / 2`.
    pub tokens: u64,
    /// Tokens in the KV cache before the run.
    pub depth: u64,
    /// Logical batch.
    pub batch: Option<u64>,
    /// Physical batch: tokens of one pass.
    pub ubatch: Option<u64>,
    /// Type of the cached keys.
    pub key_type: Option<String>,
    /// Type of the cached values.
    pub value_type: Option<String>,
    /// Whether flash attention was on.
    pub flash_attention: Option<bool>,
    /// The device's power mode.
    pub power_mode: Option<String>,
    /// Layers on the GPU; all if none is stated.
    pub gpu_layers: Option<u64>,
    /// The rate, tokens per second.
    pub tokens_per_s: f64,
    /// Standard deviation of the rate over `samples` runs, tokens per second.
    pub stddev: Option<f64>,
    /// Number of runs that the rate is a mean of.
    pub samples: Option<u64>,
    /// Power drawn during the run.
    pub watts: Option<Watts>,
    /// Power that the same rail showed before the run, with nothing running.
    pub idle_watts: Option<Watts>,
    /// Where `watts` was read (`wall`, `pmic`, `module`, `cpu-gpu`).
    pub rail: Option<String>,
    /// Energy per token, where the source states it.
    pub joules_per_token: Option<Joules>,
    /// Time to load the model.
    pub load: Option<Seconds>,
    /// Sum of the tensors' bytes, as the source states it (llama-bench's `model_size`).
    pub model_size: Option<Bytes>,
    /// Number of parameters, as the source states it.
    pub parameters: Option<u64>,
    /// Build of the engine.
    pub build: Option<String>,
    /// Day, month or year, ISO 8601, as precise as the source is: sorts as text.
    pub date: Option<String>,
    /// The program.
    pub engine: Engine,
    /// How much the row counts beside a llama-bench run of known settings, in (0, 1].
    pub weight: f64,
    /// Where the row was published, or the file it was read from.
    pub source: String,
    /// What else the source says.
    pub note: String,
    /// Line of the file on which the row begins, counted from 1.
    pub line: u64,
}

impl Measurement {
    /// Standard deviation of the rate relative to it; none if the source states none.
    #[must_use]
    pub fn spread(&self) -> Option<f64> {
        let spread = self.stddev? / self.tokens_per_s;
        (spread.is_finite() && spread >= 0.0).then_some(spread)
    }

    /// The row as llama-bench names its test: `pp512`, `tg128 @ d512`.
    #[must_use]
    pub fn test(&self) -> String {
        let name = match self.phase {
            Phase::Prefill => "pp",
            Phase::Decode => "tg",
        };
        if self.depth == 0 {
            format!("{name}{}", self.tokens)
        } else {
            format!("{name}{} @ d{}", self.tokens, self.depth)
        }
    }

    /// The row where it is neither fitted nor judged.
    #[must_use]
    pub fn left_out(self, reason: String) -> LeftOut {
        LeftOut {
            power: None,
            line: self.line,
            backend: self.backend.name().to_owned(),
            test: self.test(),
            device: self.device,
            model: self.model,
            precision: self.precision,
            tokens_per_s: self.tokens_per_s,
            source: self.source,
            reason,
        }
    }
}

/// A row that is neither fitted nor judged, and why.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LeftOut {
    /// Line of the file on which the row begins, counted from 1.
    pub line: u64,
    /// The device in the source's words (its catalogue id where that is known).
    pub device: String,
    /// The backend in the source's words.
    pub backend: String,
    /// The model in the source's words.
    pub model: String,
    /// The precision in the source's words.
    pub precision: String,
    /// The test in the source's words.
    pub test: String,
    /// The rate, tokens per second.
    pub tokens_per_s: f64,
    /// Where the row was published.
    pub source: String,
    /// Why it is left out, one clause.
    pub reason: String,
    /// The row all the same where its power is to be trusted though its rate is not.
    #[serde(skip)]
    pub power: Option<Box<Measurement>>,
}

/// What a file of measurements holds: every row is in one list or the other.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Measurements {
    /// Rows to fit and to judge.
    pub kept: Vec<Measurement>,
    /// Rows that are not to be trusted, or that nothing here describes.
    pub left_out: Vec<LeftOut>,
}

impl Measurements {
    /// Number of rows, kept or not.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.kept.len() + self.left_out.len()
    }

    /// Adds the rows of another file.
    pub fn extend(&mut self, other: Self) {
        self.kept.extend(other.kept);
        self.left_out.extend(other.left_out);
    }
}
