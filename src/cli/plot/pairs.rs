//! Measured and predicted rates from files.

use crate::cli::calibrate::rows;
use crate::cli::failure::Failure;
use crate::cli::predict::question::QuestionArgs;
use edgeprof::calibrate::validate::validate;
use edgeprof::calibration::Phase;
use edgeprof::figure::parity::Pair;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A parity plot of nothing.
#[derive(Debug, thiserror::Error)]
#[error("parity needs a file: measurements, or what `edgeprof validate --format json` printed")]
struct NoFile;

/// A file that begins as one of edgeprof's own and does not go on so.
#[derive(Debug, thiserror::Error)]
#[error("{} is not what edgeprof wrote", path.display())]
struct Broken {
    path: PathBuf,
    source: Box<dyn std::error::Error>,
}

/// What `validate --format json` prints.
#[derive(Deserialize)]
struct Validation {
    rows: Vec<Pair>,
}

/// A row of the data of a parity plot.
#[derive(Deserialize)]
struct Row {
    device: String,
    backend: String,
    model: String,
    precision: String,
    phase: Phase,
    test: String,
    #[serde(rename = "measured_tokens_per_s")]
    measured: f64,
    #[serde(rename = "predicted_tokens_per_s")]
    predicted: f64,
    #[serde(rename = "predicted_tokens_per_s_low")]
    low: f64,
    #[serde(rename = "predicted_tokens_per_s_high")]
    high: f64,
}

impl From<Row> for Pair {
    fn from(row: Row) -> Self {
        Self {
            device: row.device,
            backend: row.backend,
            model: row.model,
            precision: row.precision,
            phase: row.phase,
            test: row.test,
            measured: row.measured,
            predicted: row.predicted,
            interval: [row.low, row.high],
        }
    }
}

/// The pairs of the files: of edgeprof's own as they stand, of measurements with what is predicted for them now.
pub fn read(files: &[PathBuf], question: &QuestionArgs) -> Result<Vec<Pair>, Failure> {
    if files.is_empty() {
        return Err(
            Failure::new(NoFile).hint("`edgeprof plot parity calibration/measurements/published.csv --phase decode`")
        );
    }
    let mut pairs = Vec::new();
    let mut measurements = Vec::new();
    for path in files {
        match own(path)? {
            Some(own) => pairs.extend(own),
            None => measurements.push(path.clone()),
        }
    }
    if !measurements.is_empty() {
        let catalog = question.catalog.open()?;
        let device = match question.hardware.as_slice() {
            [name] => Some(catalog.device(name.trim())?),
            _ => None,
        };
        let (bench, notes) = rows::bench(&catalog, &measurements, device.as_deref().map(|entry| &entry.value))?;
        for note in notes {
            Failure::new(note).warn();
        }
        let validation = validate(&catalog, &bench, None, &question.calibration.choice()).map_err(rows::not_judged)?;
        pairs.extend(validation.rows.iter().map(Pair::from));
    }
    Ok(pairs)
}

/// The pairs of a file that edgeprof wrote; none if it is another.
fn own(path: &Path) -> Result<Option<Vec<Pair>>, Failure> {
    // What cannot be read is reported by the importer, in the same words as everywhere.
    let Ok(text) = std::fs::read_to_string(path) else {
        return Ok(None);
    };
    let broken = |source: Box<dyn std::error::Error>| {
        Failure::new(Broken {
            path: path.to_owned(),
            source,
        })
    };
    let is_validation = || text.contains("\"groups\"") && text.contains("\"rows\"") && text.contains("\"predicted\"");
    if text.trim_start().starts_with('{') && is_validation() {
        let validation: Validation = serde_json::from_str(&text).map_err(|error| broken(error.into()))?;
        return Ok(Some(validation.rows));
    }
    let header = text.lines().next().unwrap_or_default();
    if header.starts_with("device,backend,model,precision,phase,test,measured_tokens_per_s") {
        return csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .map(|row: Result<Row, _>| row.map(Pair::from))
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
            .map_err(|error| broken(error.into()));
    }
    Ok(None)
}
