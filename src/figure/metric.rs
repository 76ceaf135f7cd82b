//! The figures of a prediction that an axis can show.

use super::Column;
use super::axis::{Axis, Unit};
use super::chart::Estimate;
use crate::model::QualityMetric;
use crate::output::Record;
use crate::perf::QUANTILE_90;

/// Which end of an axis one would rather have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The more the better.
    High,
    /// The less the better.
    Low,
}

/// A figure of a prediction.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its key in predict's JSON.
    pub key: &'static str,
    /// What an axis calls it.
    pub title: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Which end is the better one.
    pub better: Better,
    /// Why a prediction may have none, and what would give it.
    reason: &'static str,
    value: fn(&Record) -> Option<f64>,
    interval: fn(&Record) -> Option<[f64; 2]>,
}

const SECONDS: Unit = Unit::Si("s");
const RATE: Unit = Unit::Si("tokens/s");
const JOULES: Unit = Unit::Si("J/token");

const NOT_PAPER: &str = "the paper's formulas do not give it, or the workload has no such phase";
const NO_POWERS: &str = "its device file states no powers; add [power], and full_load of the backend";

const NOT_PUBLISHED: &str =
    "no published figure is known; state one with its source under [[quality]] of the model's file";

/// The 90 % interval of a published figure whose source states a standard error.
fn spread(record: &Record, metric: QualityMetric) -> Option<[f64; 2]> {
    let quality = record.quality.as_ref().filter(|quality| quality.metric == metric)?;
    let half = QUANTILE_90 * quality.error?;
    Some([quality.value - half, quality.value + half])
}

macro_rules! metric {
    ($key:literal, $title:literal, $unit:expr, $better:ident, $reason:expr, $value:expr, $interval:expr) => {
        Metric {
            key: $key,
            title: $title,
            unit: $unit,
            better: Better::$better,
            reason: $reason,
            value: $value,
            interval: $interval,
        }
    };
    ($key:literal, $title:literal, $unit:expr, $better:ident, $reason:expr, $value:expr) => {
        metric!($key, $title, $unit, $better, $reason, $value, |_| None)
    };
}

/// Every one of them.
pub const METRICS: &[Metric] = &[
    metric!(
        "decode_tokens_per_s",
        "decode",
        RATE,
        High,
        NOT_PAPER,
        |r| r.decode_tokens_per_s,
        |r| r.intervals().decode_tokens_per_s
    ),
    metric!(
        "prefill_tokens_per_s",
        "prefill",
        RATE,
        High,
        NOT_PAPER,
        |r| r.prefill_tokens_per_s,
        |r| r.intervals().prefill_tokens_per_s
    ),
    metric!("ttft_s", "time to first token", SECONDS, Low, NOT_PAPER, |r| r.ttft_s),
    metric!("end_to_end_s", "end to end", SECONDS, Low, NOT_PAPER, |r| r
        .end_to_end_s),
    metric!(
        "decode_energy_j_per_token",
        "decode energy",
        JOULES,
        Low,
        NO_POWERS,
        |r| r.decode_energy_j_per_token,
        |r| r.intervals().decode_energy_j_per_token
    ),
    metric!("energy_j_per_token", "energy", JOULES, Low, NO_POWERS, |r| r
        .energy_j_per_token),
    metric!(
        "prefill_energy_j_per_token",
        "prefill energy",
        JOULES,
        Low,
        NO_POWERS,
        |r| r.prefill_energy_j_per_token,
        |r| r.intervals().prefill_energy_j_per_token
    ),
    metric!(
        "memory_bytes",
        "memory",
        Unit::Bytes,
        Low,
        NOT_PAPER,
        |r| Some(r.memory_bytes as f64),
        |r| r.intervals().memory_bytes
    ),
    metric!("weight_bytes", "weights", Unit::Bytes, Low, NOT_PAPER, |r| Some(
        r.weight_bytes as f64
    )),
    metric!("kv_cache_bytes", "KV cache", Unit::Bytes, Low, NOT_PAPER, |r| Some(
        r.kv_cache_bytes as f64
    )),
    metric!("parameters", "parameters", Unit::Si(""), High, NOT_PAPER, |r| Some(
        r.parameters as f64
    )),
    metric!(
        "perplexity",
        "perplexity",
        Unit::Count,
        Low,
        NOT_PUBLISHED,
        |r| r.published(QualityMetric::Perplexity),
        |r| spread(r, QualityMetric::Perplexity)
    ),
    metric!(
        "perplexity_over_unquantised",
        "perplexity over unquantised",
        Unit::Count,
        Low,
        NOT_PUBLISHED,
        |r| r.over_unquantised(QualityMetric::Perplexity)
    ),
    metric!(
        "accuracy",
        "accuracy",
        Unit::Count,
        High,
        NOT_PUBLISHED,
        |r| r.published(QualityMetric::Accuracy),
        |r| spread(r, QualityMetric::Accuracy)
    ),
    metric!("compute_s", "compute latency", SECONDS, Low, NOT_PAPER, |r| r.compute_s),
    metric!("memory_s", "memory latency", SECONDS, Low, NOT_PAPER, |r| r.memory_s),
    metric!(
        "io_s",
        "storage I/O",
        SECONDS,
        Low,
        "its device file states no storage_bandwidth",
        |r| r.io_s
    ),
    metric!(
        "h2d_s",
        "host to device",
        SECONDS,
        Low,
        "a CPU copies nothing, or its file states no host_to_device",
        |r| r.h2d_s
    ),
    metric!(
        "network_s",
        "network",
        SECONDS,
        Low,
        "its device file states no network_bandwidth",
        |r| r.network_s
    ),
];

impl Metric {
    /// The one of this key.
    #[must_use]
    pub fn of_key(key: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.key == key)
    }

    /// The columns of its values and of the ends of their intervals.
    pub(super) fn columns(&self) -> [Column; 3] {
        ["", "_low", "_high"].map(|end| Column::numbers(&format!("{}{end}", self.key), self.unit))
    }

    /// Its value in a prediction, with its interval where it has one.
    #[must_use]
    pub fn of(&self, record: &Record) -> Option<Estimate> {
        let value = (self.value)(record).filter(|value| value.is_finite())?;
        Some(Estimate {
            value,
            interval: (self.interval)(record),
            crossed: !record.fits && !self.is_size(),
        })
    }

    /// As a bar: where it has none because it does not fit, one of no height that is crossed out.
    #[must_use]
    pub(super) fn bar(&self, record: &Record) -> Option<Estimate> {
        let crossed = Estimate {
            crossed: true,
            ..Estimate::exact(0.0)
        };
        self.of(record).or_else(|| (!record.fits).then_some(crossed))
    }

    /// Whether it is a size, which a model has on a device that has no room for it too.
    fn is_size(&self) -> bool {
        self.unit == Unit::Bytes || self.key == "parameters"
    }

    /// Whether it is not predicted but published, of the model alone.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.reason == NOT_PUBLISHED
    }

    /// The axis of points with these values: from zero, but for a published quality, whose differences matter and whose zero is nothing.
    #[must_use]
    pub fn axis(&self, values: &[f64]) -> Axis {
        let axis = Axis::over(self.title, self.unit, values);
        if self.is_published() && !axis.is_logarithmic() {
            return Axis::around(self.title, self.unit, values);
        }
        axis
    }

    /// That a prediction has none, and why.
    #[must_use]
    pub fn missing(&self, record: &Record) -> String {
        let Record {
            model,
            hardware,
            precision,
            ..
        } = record;
        if !record.fits && !self.is_published() {
            return super::does_not_fit(record);
        }
        format!(
            "{model} in {precision} on {hardware} has no {}: {}",
            self.key, self.reason
        )
    }
}
