//! How good a model's answers are in each precision, as others measured and published it.
//!
//! Nothing here is computed or carried over from another model: a precision that no source gives a figure of has none.

use crate::quant::Precision;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityMetric {
    /// How little a text surprises the model, the less the better. Those of models with different vocabularies do not compare.
    Perplexity,
    /// Share of the answers that are right.
    Accuracy,
}

impl QualityMetric {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Perplexity => "perplexity",
            Self::Accuracy => "accuracy",
        }
    }
}

/// The figures of one source for one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityTable {
    /// What was measured.
    pub metric: QualityMetric,
    /// On which text or task, and how.
    pub data: String,
    /// Who published it, and where.
    pub source: String,
    /// What a reader must know besides.
    #[serde(default)]
    pub note: Option<String>,
    /// The precision that the others are held against; none if the source has no such figure.
    #[serde(default)]
    pub unquantised: Option<Precision>,
    /// The figure of each precision.
    pub values: BTreeMap<Precision, QualityValue>,
}

/// A published figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityValue {
    /// The figure.
    pub value: f64,
    /// Its standard error, where the source states one.
    #[serde(default)]
    pub error: Option<f64>,
}

/// Why a table of published figures is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QualityError {
    /// A perplexity below 1, an accuracy that is no share, an error below 0.
    #[error(
        "the {metric} of {precision} is {value}; a perplexity is 1 or more, an accuracy between 0 and 1, an error 0 or more"
    )]
    OutOfRange {
        /// what was measured
        metric: &'static str,
        /// of which precision
        precision: Precision,
        /// as written
        value: f64,
    },
    /// A figure without what a reader needs to judge it, or a table without figures.
    #[error(
        "a table of the {metric} states no {field}; say what was measured on, who published it, and a figure of at least one precision"
    )]
    Unstated {
        /// what was measured
        metric: &'static str,
        /// what is empty
        field: &'static str,
    },
    /// Two names of the same mix, of which nobody could say which counts.
    #[error("{first} and {second} are the same mix and have a figure each; leave one of them out")]
    Twice {
        /// the one
        first: Precision,
        /// the other
        second: Precision,
    },
    /// What the others are held against has no figure.
    #[error(
        "the others are held against {precision}, which has no figure; add it to the values, or leave out `unquantised`"
    )]
    NoReference {
        /// the precision
        precision: Precision,
    },
}

impl QualityTable {
    /// Checks the figures.
    ///
    /// # Errors
    /// [`QualityError`], naming the first that cannot be.
    pub fn check(&self) -> Result<(), QualityError> {
        let metric = self.metric.name();
        let stated = [
            ("data", self.data.trim().is_empty()),
            ("source", self.source.trim().is_empty()),
            ("values", self.values.is_empty()),
        ];
        if let Some(&(field, _)) = stated.iter().find(|(_, empty)| *empty) {
            return Err(QualityError::Unstated { metric, field });
        }
        let named: Vec<Precision> = self.values.keys().copied().collect();
        for (at, &second) in named.iter().enumerate() {
            if let Some(&first) = named.iter().take(at).find(|first| first.is(second)) {
                return Err(QualityError::Twice { first, second });
            }
        }
        for (&precision, figure) in &self.values {
            let possible = match self.metric {
                QualityMetric::Perplexity => figure.value.is_finite() && figure.value >= 1.0,
                QualityMetric::Accuracy => (0.0..=1.0).contains(&figure.value),
            };
            let error = figure.error.unwrap_or(0.0);
            for (value, possible) in [(figure.value, possible), (error, error.is_finite() && error >= 0.0)] {
                if !possible {
                    return Err(QualityError::OutOfRange {
                        metric,
                        precision,
                        value,
                    });
                }
            }
        }
        match self.unquantised {
            Some(precision) if self.of(precision).is_none() => Err(QualityError::NoReference { precision }),
            _ => Ok(()),
        }
    }

    fn of(&self, precision: Precision) -> Option<QualityValue> {
        self.values
            .iter()
            .find(|(own, _)| own.is(precision))
            .map(|(_, figure)| *figure)
    }

    /// What the source gives of a precision, whatever name it goes by (`int4` is `q4_k_m`).
    #[must_use]
    pub fn quality(&self, precision: Precision) -> Option<Quality<'_>> {
        let figure = self.of(precision)?;
        let reference = self.unquantised.and_then(|precision| self.of(precision));
        Some(Quality {
            table: self,
            value: figure.value,
            error: figure.error,
            over_unquantised: reference.map(|reference| figure.value / reference.value),
        })
    }
}

/// A published figure of a model in a precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality<'a> {
    /// Who published it, on what.
    pub table: &'a QualityTable,
    /// The figure.
    pub value: f64,
    /// Its standard error, where the source states one.
    pub error: Option<f64>,
    /// The figure over that of the unquantised model from the same source.
    pub over_unquantised: Option<f64>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table(values: &str) -> Result<QualityTable, String> {
        let text = format!(
            "metric = \"perplexity\"\ndata = \"a text\"\nsource = \"a paper\"\nunquantised = \"f16\"\n[values]\n{values}"
        );
        let table: QualityTable = toml::from_str(&text).map_err(|error| error.to_string())?;
        table.check().map_err(|error| error.to_string())?;
        Ok(table)
    }

    #[test]
    fn a_precision_has_the_figure_of_what_it_means() {
        let table = table("f16 = { value = 5.0 }\nq4_k_m = { value = 5.5, error = 0.03 }").unwrap();
        let quality = table.quality(Precision::Int4).unwrap();
        assert_eq!((quality.value, quality.error), (5.5, Some(0.03)));
        assert!((quality.over_unquantised.unwrap() - 1.1).abs() < 1e-12);
        assert_eq!(table.quality(Precision::Int8), None, "a gap is a gap");
    }

    #[test]
    fn impossible_figures_are_refused() {
        for (values, why) in [
            ("f16 = { value = 0.9 }", "a perplexity is 1 or more"),
            ("f16 = { value = nan }", "a perplexity is 1 or more"),
            ("f16 = { value = 5.0, error = -1.0 }", "an error 0 or more"),
            ("", "states no values"),
            ("f16 = { value = 5.0 }\nfp16 = { value = 5.0 }", "the same mix"),
            ("f16 = { value = inf }", "a perplexity is 1 or more"),
            ("q8_0 = { value = 5.0 }", "held against f16"),
            ("q9 = { value = 5.0 }", "q9"),
            ("f16 = 5.0", "line 6"),
        ] {
            let error = table(values).unwrap_err();
            assert!(error.contains(why), "{values}: {error}");
        }
    }
}
