//! A calibration: the utilization factors and fixed costs of one backend of one device (or of a class of them), with their
//! uncertainty. A plain value; the closed forms never see the fitter.

mod power;
mod repacking;

pub use power::{MeasuredPower, POWER_FACTORS, PowerFactors, PowerFile, propagate};
pub(crate) use repacking::{Gains, Repacking};

use crate::device::BackendKind;
use crate::quant::BlockType;
use std::collections::BTreeMap;
use std::fmt;

/// The two phases of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The prompt, many tokens a pass.
    Prefill,
    /// One token a pass.
    Decode,
}

impl Phase {
    /// `prefill` or `decode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One number of the law that measurements determine. Utilizations are shares of a data-sheet peak, costs are seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactorId {
    /// `U_memory`: share of the nominal bandwidth that weights stream at, with enough threads.
    Memory,
    /// Share of that which one core draws.
    CoreShare,
    /// Share of that which is left where memory lies in two domains, sockets or dies, and half of the reads cross from one to the other.
    Interconnect,
    /// `U_compute` of matrices in one block type.
    Compute(Phase, BlockType),
    /// Utilization of the arithmetic by attention.
    Attention(Phase),
    /// Fixed cost of one operation of the graph (a kernel launch, a barrier of the threads), seconds at a clock of 2 GHz.
    Operation(Phase),
    /// Fixed cost of a pass, seconds.
    Pass(Phase),
}

impl FactorId {
    /// How many there are.
    pub const COUNT: usize = 9 + 2 * BlockType::COUNT;

    /// A dense index below [`FactorId::COUNT`].
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        match self {
            Self::Memory => 0,
            Self::CoreShare => 1,
            Self::Interconnect => 2,
            Self::Attention(phase) => 3 + phase as usize,
            Self::Operation(phase) => 5 + phase as usize,
            Self::Pass(phase) => 7 + phase as usize,
            Self::Compute(phase, block_type) => 9 + phase as usize * BlockType::COUNT + block_type as usize,
        }
    }

    /// The factors that a phase has whatever it multiplies.
    pub(crate) const fn common(phase: Phase) -> [Self; COMMON_FACTORS] {
        [
            Self::Memory,
            Self::CoreShare,
            Self::Interconnect,
            Self::Attention(phase),
            Self::Operation(phase),
            Self::Pass(phase),
        ]
    }

    /// Every factor, in the order of [`FactorId::index`].
    pub fn all() -> impl Iterator<Item = Self> {
        let phases = [Phase::Prefill, Phase::Decode];
        [Self::Memory, Self::CoreShare, Self::Interconnect]
            .into_iter()
            .chain(phases.map(Self::Attention))
            .chain(phases.map(Self::Operation))
            .chain(phases.map(Self::Pass))
            .chain(
                phases
                    .into_iter()
                    .flat_map(|phase| BlockType::ALL.iter().map(move |&t| Self::Compute(phase, t))),
            )
    }

    /// Exponent of the factor in the time of its term: time is inverse to a utilization and proportional to a cost.
    #[must_use]
    pub const fn sign(self) -> f64 {
        if self.is_utilization() { -1.0 } else { 1.0 }
    }

    /// A share of a peak; the others are seconds.
    #[must_use]
    pub const fn is_utilization(self) -> bool {
        !matches!(self, Self::Operation(_) | Self::Pass(_))
    }
}

impl fmt::Display for FactorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::CoreShare => f.write_str("core-share"),
            Self::Interconnect => f.write_str("interconnect"),
            Self::Compute(phase, block_type) => write!(f, "{}.compute.{}", phase.name(), block_type.name()),
            Self::Attention(phase) => write!(f, "{}.attention", phase.name()),
            Self::Operation(phase) => write!(f, "{}.operation", phase.name()),
            Self::Pass(phase) => write!(f, "{}.pass", phase.name()),
        }
    }
}

/// Whose measurements a calibration rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The backend of the device itself.
    Device,
    /// The class of the backend: devices alike.
    Class,
}

/// One factor as fitted.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedFactor {
    /// The factor: a share of a peak, or seconds.
    pub value: f64,
    /// Standard error of its logarithm.
    pub error: f64,
    /// Whether the measurements determine it; else it is its class's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_class: bool,
}

/// What is known of the predictions of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseQuality {
    /// Points that were fitted.
    pub points: u64,
    /// Standard deviation of the logarithm of measured over predicted that no factor explains.
    pub scatter: f64,
    /// For a class, the same of its devices that were measured themselves, in models that were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_scatter: Option<f64>,
    /// Median relative error on points left out of the fit (their model, or for a class their device), if it was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out_error: Option<f64>,
}

/// The range of what was measured.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredRange {
    /// Fewest and most weight bytes.
    pub weight_bytes: [u64; 2],
    /// Deepest context.
    pub depth: u64,
    /// Longest prompt.
    pub prompt: u64,
    /// Models measured.
    pub models: Vec<String>,
    /// Precisions measured.
    pub precisions: Vec<String>,
}

/// A calibration as its file states it: `calibration/<id>.toml`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationFile {
    /// Whose measurements it rests on.
    pub origin: Origin,
    /// The device, for a calibration of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The backend, for a calibration of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendKind>,
    /// The class of the backend.
    pub class: String,
    /// How the numbers were made.
    pub note: String,
    /// Day of the fit, ISO 8601.
    pub date: String,
    /// The machine that was measured, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The engine's build, where one was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Where the measurements come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// CPU threads of the measurements, which a prediction uses when the user names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Whether the engine's CPU threads split the cache of one sequence that decodes among them, as llama.cpp's have done since early
    /// 2026, and not the heads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub splits_cache: bool,
    /// What is known of the predictions, by phase.
    pub quality: BTreeMap<Phase, PhaseQuality>,
    /// What was measured.
    #[serde(default)]
    pub range: MeasuredRange,
    /// The factors by name ([`FactorId`]'s `Display`); `<phase>.compute.other` stands for block types not listed.
    pub factors: BTreeMap<String, FittedFactor>,
    /// Part of the errors of a phase's compute factors that is common to all block types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shared_error: BTreeMap<Phase, f64>,
    /// Other correlations of the errors, where they are not small: pairs of factors and their coefficient.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlations: Vec<(String, String, f64)>,
    /// What the backend draws while it computes, where it was measured too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerFactors>,
    /// The measurements and what the fit makes of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<FittedPoint>,
}

/// One measurement of a fit and its residual.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedPoint {
    /// The model's id.
    pub model: String,
    /// The precision.
    pub precision: String,
    /// The test, as llama-bench names it: `pp512`, `tg128 @ d512`.
    pub test: String,
    /// The power mode, where the source names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_mode: Option<String>,
    /// Measured tokens per second.
    pub tokens_per_s: f64,
    /// Logarithm of measured over fitted seconds.
    pub residual: f64,
}

/// Why a calibration cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The file is not TOML of this form.
    #[error("{path}: {message}")]
    Syntax {
        /// the file
        path: String,
        /// what the parser says, with line and caret
        message: String,
    },
    /// A name that is no factor.
    #[error(
        "{path}: `{name}` is not a factor; the factors are memory, core-share and, for prefill and decode, attention, operation, pass and compute.<block type>"
    )]
    UnknownFactor {
        /// the file
        path: String,
        /// the name
        name: String,
    },
    /// A value that no fit can have made.
    #[error("{path}: {name} = {value} is not a {expected}")]
    BadValue {
        /// the file
        path: String,
        /// the factor or figure
        name: String,
        /// its value
        value: f64,
        /// what it should be
        expected: &'static str,
    },
    /// A factor that every prediction needs.
    #[error("{path}: the factor `{name}` is missing")]
    MissingFactor {
        /// the file
        path: String,
        /// the factor
        name: &'static str,
    },
}

/// How many factors every phase has, whatever it multiplies.
pub(crate) const COMMON_FACTORS: usize = 6;

/// Covariances of the logarithms of the factors, by [`FactorId::index`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Covariance {
    pub all: [[f64; FactorId::COUNT]; FactorId::COUNT],
    /// Those of each factor with the ones that a phase [always has](FactorId::common), side by side.
    pub with_common: [[[f64; COMMON_FACTORS]; FactorId::COUNT]; 2],
}

impl Covariance {
    const NONE: Self = Self {
        all: [[0.0; FactorId::COUNT]; FactorId::COUNT],
        with_common: [[[0.0; COMMON_FACTORS]; FactorId::COUNT]; 2],
    };
}

/// Nothing is uncertain.
static CERTAIN: Covariance = Covariance::NONE;

/// A calibration ready to predict with.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// `<device>-<backend>`, `class-<class>`, or the name of the user's file.
    pub id: String,
    /// What its file states.
    pub file: CalibrationFile,
    /// What the backend draws while it computes, if that was fitted for it or its class.
    pub power: Option<PowerFactors>,
    values: Box<[f64; FactorId::COUNT]>,
    /// None for a calibration without uncertainty.
    covariance: Option<Box<Covariance>>,
    quality: [PhaseQuality; 2],
}

/// A block type that was not measured takes the factor of `other`, and so much more uncertainty in its logarithm.
pub(crate) const UNMEASURED_FORMAT_ERROR: f64 = 0.25;

impl Calibration {
    /// Reads a calibration.
    ///
    /// # Errors
    /// [`CalibrationError`] where the text is not one.
    pub fn parse(id: &str, text: &str) -> Result<Self, CalibrationError> {
        let file = toml::from_str(text).map_err(|error| CalibrationError::Syntax {
            path: id.to_owned(),
            message: error.to_string(),
        })?;
        Self::new(id, file)
    }

    /// Checks a calibration and makes it ready.
    ///
    /// # Errors
    /// [`CalibrationError`] where a factor is unknown, missing or impossible.
    pub fn new(id: &str, file: CalibrationFile) -> Result<Self, CalibrationError> {
        let path = || id.to_owned();
        let mut values = Box::new([f64::NAN; FactorId::COUNT]);
        let mut errors = vec![0.0; FactorId::COUNT].into_boxed_slice();
        for (name, factor) in &file.factors {
            let bad = |name: &str, value, expected| CalibrationError::BadValue {
                path: path(),
                name: name.to_owned(),
                value,
                expected,
            };
            if !(factor.value.is_finite() && factor.value > 0.0) {
                return Err(bad(name, factor.value, "positive number"));
            }
            if !(factor.error.is_finite() && factor.error >= 0.0) {
                return Err(bad(name, factor.error, "standard error of zero or more"));
            }
            if let Some(id) = FactorId::from_name(name) {
                values[id.index()] = factor.value;
                errors[id.index()] = factor.error;
            } else if !matches!(name.as_str(), "prefill.compute.other" | "decode.compute.other") {
                return Err(CalibrationError::UnknownFactor {
                    path: path(),
                    name: name.clone(),
                });
            }
        }
        for phase in [Phase::Prefill, Phase::Decode] {
            let other = match phase {
                Phase::Prefill => file.factors.get("prefill.compute.other"),
                Phase::Decode => file.factors.get("decode.compute.other"),
            };
            for &block_type in BlockType::ALL {
                let at = FactorId::Compute(phase, block_type).index();
                if values[at].is_nan() {
                    let other = other.ok_or(CalibrationError::MissingFactor {
                        path: path(),
                        name: if phase == Phase::Prefill {
                            "prefill.compute.other"
                        } else {
                            "decode.compute.other"
                        },
                    })?;
                    values[at] = other.value;
                    errors[at] = other.error.hypot(UNMEASURED_FORMAT_ERROR);
                }
            }
        }
        for (needed, name) in [
            (FactorId::Memory, "memory"),
            (FactorId::Attention(Phase::Prefill), "prefill.attention"),
            (FactorId::Attention(Phase::Decode), "decode.attention"),
        ] {
            if values[needed.index()].is_nan() {
                return Err(CalibrationError::MissingFactor { path: path(), name });
            }
        }
        // A cost that is not stated is none; a core that is not stated draws all.
        for value in values.iter_mut().filter(|value| value.is_nan()) {
            *value = 0.0;
        }
        for share in [FactorId::CoreShare, FactorId::Interconnect] {
            if values[share.index()] == 0.0 {
                values[share.index()] = 1.0;
            }
        }
        let mut covariance = Box::new(Covariance::NONE);
        let Covariance { all, with_common } = &mut *covariance;
        for (at, error) in errors.iter().enumerate() {
            all[at][at] = error * error;
        }
        for (&phase, &shared) in &file.shared_error {
            for &a in BlockType::ALL {
                for &b in BlockType::ALL {
                    let (a, b) = (FactorId::Compute(phase, a).index(), FactorId::Compute(phase, b).index());
                    if a != b {
                        let most = errors[a] * errors[b];
                        all[a][b] = (shared * shared).min(most);
                    }
                }
            }
        }
        for (first, second, correlation) in &file.correlations {
            let find = |name: &String| {
                FactorId::from_name(name).ok_or_else(|| CalibrationError::UnknownFactor {
                    path: path(),
                    name: name.clone(),
                })
            };
            let (a, b) = (find(first)?.index(), find(second)?.index());
            if !(-1.0..=1.0).contains(correlation) {
                return Err(CalibrationError::BadValue {
                    path: path(),
                    name: format!("correlation of {first} and {second}"),
                    value: *correlation,
                    expected: "number from -1 to 1",
                });
            }
            all[a][b] = correlation * errors[a] * errors[b];
            all[b][a] = correlation * errors[a] * errors[b];
        }
        for (phase, with_common) in [Phase::Prefill, Phase::Decode].into_iter().zip(with_common) {
            for (row, with_common) in all.iter().zip(with_common) {
                *with_common = FactorId::common(phase).map(|factor| row[factor.index()]);
            }
        }
        if let Some((name, value, expected)) = file.power.as_ref().and_then(PowerFactors::fault) {
            return Err(CalibrationError::BadValue {
                path: path(),
                name: format!("power.{name}"),
                value,
                expected,
            });
        }
        Ok(Self {
            id: id.to_owned(),
            power: file.power.or_else(|| PowerFactors::shipped(id, &file.class)),
            quality: [Phase::Prefill, Phase::Decode].map(|phase| file.quality.get(&phase).copied().unwrap_or_default()),
            file,
            values,
            covariance: Some(covariance),
        })
    }

    /// The factor: a share of a peak, or seconds.
    #[must_use]
    #[inline]
    pub fn factor(&self, id: FactorId) -> f64 {
        self.values[id.index()]
    }

    /// A calibration of nothing: factors to be [set](Self::set_factor), no uncertainty.
    #[must_use]
    pub fn bare() -> Self {
        let file = CalibrationFile {
            origin: Origin::Class,
            device: None,
            backend: None,
            class: String::new(),
            note: String::new(),
            date: String::new(),
            machine: None,
            build: None,
            sources: Vec::new(),
            threads: None,
            splits_cache: false,
            quality: BTreeMap::new(),
            range: MeasuredRange::default(),
            factors: BTreeMap::new(),
            shared_error: BTreeMap::new(),
            correlations: Vec::new(),
            power: None,
            points: Vec::new(),
        };
        Self {
            id: String::new(),
            file,
            power: None,
            values: Box::new([1.0; FactorId::COUNT]),
            covariance: None,
            quality: <[PhaseQuality; 2]>::default(),
        }
    }

    /// Replaces a factor, as the fit does while it searches.
    pub fn set_factor(&mut self, id: FactorId, value: f64) {
        self.values[id.index()] = value;
    }

    /// Covariance of the logarithms of two factors.
    #[must_use]
    pub fn covariance(&self, a: FactorId, b: FactorId) -> f64 {
        self.covariances().all[a.index()][b.index()]
    }

    /// All covariances.
    #[inline]
    pub(crate) fn covariances(&self) -> &Covariance {
        self.covariance.as_deref().unwrap_or(&CERTAIN)
    }

    /// Whether what `scenario` asks lies within what was measured, give or take the half.
    #[must_use]
    pub fn covers(&self, scenario: &crate::scenario::Scenario<'_>) -> bool {
        let (range, work) = (&self.file.range, &scenario.workload);
        let [least, most] = range.weight_bytes;
        let bytes = scenario.sums.weight_bytes;
        let positions = work.depth + work.prompt + work.generate;
        least / 2 <= bytes && bytes <= most + most / 2 && positions <= 2 * (range.depth + range.prompt).max(512)
    }

    /// What is known of the predictions of a phase.
    #[must_use]
    #[inline]
    pub const fn quality(&self, phase: Phase) -> PhaseQuality {
        self.quality[phase as usize]
    }
}

impl FactorId {
    /// The factor of a name as `Display` writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|id| id.to_string() == name)
    }
}

impl CalibrationFile {
    /// The file's text, one line a factor and a point.
    ///
    /// # Errors
    /// [`toml::ser::Error`] if a value has no form in TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        use fmt::Write as _;
        let mut head = self.clone();
        let (factors, points) = (std::mem::take(&mut head.factors), std::mem::take(&mut head.points));
        let text = toml::to_string(&head)?;
        // The empty table of factors is the last of the head; the lines of the full one take its place.
        let mut text = text.replace("[factors]\n", "").trim_end().to_owned();
        text.push_str("\n\n[factors]\n");
        for (name, factor) in &factors {
            let inherited = if factor.from_class { ", from_class = true" } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "\"{name}\" = {{ value = {}, error = {}{inherited} }}",
                number(factor.value),
                number(factor.error)
            );
        }
        for point in &points {
            let _ = write!(text, "\n[[points]]\n{}", toml::to_string(point)?);
        }
        Ok(text)
    }
}

/// A number that TOML reads as a float.
fn number(value: f64) -> String {
    let text = format!("{value:?}");
    if text.contains(['.', 'e', 'n', 'i']) {
        text
    } else {
        text + ".0"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = include_str!("../tests/it/data/calibration/test-board-cpu.toml");

    fn error(from: &str, to: &str) -> CalibrationError {
        assert!(TEXT.contains(from), "{from}");
        Calibration::parse("test", &TEXT.replace(from, to)).unwrap_err()
    }

    #[test]
    fn a_broken_calibration_says_what_is_wrong() {
        assert!(matches!(
            error("core-share =", "core-chair ="),
            CalibrationError::UnknownFactor { name, .. } if name == "core-chair"
        ));
        for impossible in ["nan", "inf", "0.0", "-0.5"] {
            let error = error("value = 0.72", &format!("value = {impossible}"));
            assert!(
                matches!(&error, CalibrationError::BadValue { name, .. } if name == "memory"),
                "{error}"
            );
        }
        assert!(matches!(
            error("error = 0.05", "error = nan"),
            CalibrationError::BadValue { .. }
        ));
        assert!(matches!(
            error("\"decode.compute.other\" = { value = 0.18, error = 0.1 }\n", ""),
            CalibrationError::MissingFactor {
                name: "decode.compute.other",
                ..
            }
        ));
        assert!(matches!(
            error("memory = { value = 0.72, error = 0.05 }\n", ""),
            CalibrationError::MissingFactor { name: "memory", .. }
        ));
        assert!(matches!(
            error("[factors]", "[factor]"),
            CalibrationError::Syntax { .. }
        ));
    }

    #[test]
    fn errors_and_correlations_make_the_covariance() {
        let line = "[[\"memory\", \"core-share\", -0.5]]";
        let text = TEXT.replace("class =", &format!("correlations = {line}\nclass ="));
        let calibration = Calibration::parse("test", &text).unwrap();
        let (memory, core) = (FactorId::Memory, FactorId::CoreShare);
        assert_eq!(calibration.covariance(memory, memory), 0.05 * 0.05);
        // -0.5 · 0.05 · 0.1
        assert_eq!(calibration.covariance(memory, core), -0.5 * 0.05 * 0.1);
        assert_eq!(
            calibration.covariances().all[core.index()][memory.index()],
            calibration.covariance(memory, core)
        );
        // A block type that was not measured takes the factor of `other` and a wider error, √(0.1² + 0.25²).
        let other = FactorId::Compute(Phase::Decode, BlockType::Q3_K);
        assert_eq!(calibration.factor(other), 0.18);
        assert!((calibration.covariance(other, other) - 0.0725).abs() < 1e-12);
        let wrong = text.replace("-0.5]]", "-1.5]]");
        assert!(matches!(
            Calibration::parse("test", &wrong),
            Err(CalibrationError::BadValue { .. })
        ));
    }
}
