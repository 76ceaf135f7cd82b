//! `calibration diff`: factor by factor, and what it comes to in predictions.

use super::show::factor_text;
use super::{Answer, CatalogArgs, Failure, PrintArgs};
use clap::Args;
use edgeprof::calibration::{Calibration, CalibrationFile, FittedFactor};
use edgeprof::catalog::{Catalog, Entry};
use edgeprof::device::{BackendKind, Device};
use edgeprof::output::{Align, Grid, SCHEMA, Sheet, number};
use edgeprof::perf::predict;
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::Precision;
use edgeprof::scenario::{Scenario, Workload};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Models whose predictions are compared, small to large.
const MODELS: [&str; 4] = ["smollm2-135m", "tinyllama", "llama-3.2-3b", "llama-3.1-8b"];
/// Their precisions.
const PRECISIONS: [&str; 3] = ["q4_0", "q4_k_m", "q8_0"];
/// Standard normal quantile of a two-sided 90 % interval.
const QUANTILE_90: f64 = 1.645;

/// Compare two calibrations: each factor, and what they predict; as CSV the factors
#[derive(Debug, Args)]
pub struct Diff {
    /// An id of `calibration list`, or a file
    #[arg(value_name = "A")]
    first: String,
    /// Another
    #[arg(value_name = "B")]
    second: String,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

/// A factor in both.
#[derive(Debug, Serialize)]
struct FactorDifference {
    factor: String,
    a: Option<FittedFactor>,
    b: Option<FittedFactor>,
    /// `b / a`.
    ratio: Option<f64>,
    /// Whether their 90 % intervals overlap.
    overlap: Option<bool>,
}

/// A rate under both.
#[derive(Debug, Serialize)]
struct RateDifference {
    model: &'static str,
    precision: &'static str,
    quantity: &'static str,
    a: f64,
    b: f64,
    /// `b / a`.
    ratio: f64,
}

impl Diff {
    /// Prints the differences.
    pub fn run(&self) -> Result<(), Failure> {
        let catalog = self.catalog.open()?;
        let (a, b) = (catalog.calibration(&self.first)?, catalog.calibration(&self.second)?);
        let factors = factors(&a.file, &b.file);
        let stage = stage(&catalog, [&a.file, &b.file]);
        let rates = match &stage {
            Some((device, backend)) => rates(&catalog, device, *backend, [&a, &b])?,
            None => Vec::new(),
        };
        let answer = Answer {
            sheet: sheet(&a, &b, &factors, stage.as_ref(), &rates),
            document: json!({
                "schema": SCHEMA,
                "a": a.id,
                "b": b.id,
                "factors": factors,
                "device": stage.as_ref().map(|(device, _)| &device.id),
                "backend": stage.as_ref().map(|(_, backend)| backend),
                "predictions": rates,
            }),
            rows: factors.iter().map(|factor| json!(factor)).collect(),
        };
        answer.print(&self.print)
    }
}

fn factors(a: &CalibrationFile, b: &CalibrationFile) -> Vec<FactorDifference> {
    let names: BTreeSet<&String> = a.factors.keys().chain(b.factors.keys()).collect();
    let compare = |name: &String| {
        let (a, b) = (a.factors.get(name).copied(), b.factors.get(name).copied());
        let both = a.zip(b);
        FactorDifference {
            factor: name.clone(),
            a,
            b,
            ratio: both.map(|(a, b)| b.value / a.value),
            overlap: both.map(|(a, b)| (b.value / a.value).ln().abs() <= QUANTILE_90 * (a.error + b.error)),
        }
    };
    names.into_iter().map(compare).collect()
}

/// The device that predictions are made for: that of either calibration, else the first of the class.
fn stage(catalog: &Catalog, files: [&CalibrationFile; 2]) -> Option<(Arc<Entry<Device>>, BackendKind)> {
    let own = files.into_iter().find_map(|file| {
        let device = catalog.device(file.device.as_ref()?).ok()?;
        let backend = file.backend.filter(|kind| device.backends.contains_key(kind))?;
        Some((device, backend))
    });
    own.or_else(|| {
        let alike = |id: &str| {
            let device = catalog.device(id).ok()?;
            let mut kinds = device.backends.iter();
            let backend = kinds.find_map(|(kind, backend)| (backend.class == files[0].class).then_some(*kind))?;
            Some((device, backend))
        };
        catalog.device_ids().find_map(alike)
    })
}

/// What both predict for the standard models that fit.
fn rates(
    catalog: &Catalog,
    device: &Device,
    backend: BackendKind,
    calibrations: [&Calibration; 2],
) -> Result<Vec<RateDifference>, Failure> {
    let mut rates = Vec::new();
    for model in MODELS {
        for precision in PRECISIONS {
            let format: Precision = precision.parse().map_err(Failure::new)?;
            let sums = ModelSums::of(&*catalog.model(model)?, format).map_err(Failure::new)?;
            // The same question to both, on the threads of the first that names some.
            let workload = Workload {
                threads: calibrations.iter().find_map(|calibration| calibration.file.threads),
                ..Workload::default()
            };
            let scenario = Scenario::new(&sums, device, Some(backend), format, None, workload).map_err(Failure::new)?;
            let [a, b] = calibrations.map(|calibration| predict(&scenario, calibration));
            if !a.fits {
                continue;
            }
            for (quantity, a, b) in [
                ("prefill_tokens_per_s", a.prefill_tokens_per_s, b.prefill_tokens_per_s),
                ("decode_tokens_per_s", a.decode_tokens_per_s, b.decode_tokens_per_s),
            ] {
                rates.extend(a.zip(b).map(|(a, b)| RateDifference {
                    model,
                    precision,
                    quantity,
                    a,
                    b,
                    ratio: b / a,
                }));
            }
        }
    }
    Ok(rates)
}

fn sheet(
    a: &Entry<Calibration>,
    b: &Entry<Calibration>,
    factors: &[FactorDifference],
    stage: Option<&(Arc<Entry<Device>>, BackendKind)>,
    rates: &[RateDifference],
) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.heading(format!("{} and {}", a.id, b.id), ", two calibrations");
    let line = |name: &str, file: &CalibrationFile| format!("{name}: class {}, fitted {}", file.class, file.date);
    sheet.items(vec![line(&a.id, &a.file), line(&b.id, &b.file)]);
    sheet.table("Factors", factor_grid(a, b, factors));
    let known = factors.iter().filter_map(|factor| factor.overlap);
    let apart = known.clone().filter(|overlap| !overlap).count();
    sheet.paragraph(format!(
        "{apart} of {} factors differ by more than their 90 % intervals.",
        known.count()
    ));
    match stage {
        Some((device, backend)) if !rates.is_empty() => {
            sheet.table(
                format!(
                    "Predictions for {}, {backend}, prompt 512, 128 tokens generated",
                    device.name
                ),
                rate_grid(a, b, rates),
            );
        }
        Some((device, _)) => sheet.paragraph(format!("No model of the comparison fits on {}.", device.name)),
        None => sheet.paragraph("The catalogue has no device of either, so there is nothing to predict with them."),
    }
    sheet
}

fn factor_grid(a: &Calibration, b: &Calibration, factors: &[FactorDifference]) -> Grid {
    let mut grid = Grid::new([
        ("factor", Align::Left),
        (a.id.as_str(), Align::Right),
        ("±", Align::Right),
        (b.id.as_str(), Align::Right),
        ("±", Align::Right),
        ("ratio", Align::Right),
        ("intervals", Align::Left),
    ]);
    for difference in factors {
        let value = |factor: Option<FittedFactor>| {
            factor.map_or_else(String::new, |factor| factor_text(&difference.factor, factor.value))
        };
        let error =
            |factor: Option<FittedFactor>| factor.map_or_else(String::new, |factor| number::percent(factor.error));
        grid.row([
            difference.factor.clone(),
            value(difference.a),
            error(difference.a),
            value(difference.b),
            error(difference.b),
            difference.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            match difference.overlap {
                Some(true) => "overlap",
                Some(false) => "apart",
                None => "in one only",
            }
            .to_owned(),
        ]);
    }
    grid
}

fn rate_grid(a: &Calibration, b: &Calibration, rates: &[RateDifference]) -> Grid {
    let mut grid = Grid::new([
        ("model", Align::Left),
        ("precision", Align::Left),
        ("rate", Align::Left),
        (a.id.as_str(), Align::Right),
        (b.id.as_str(), Align::Right),
        ("change", Align::Right),
    ]);
    for rate in rates {
        grid.row([
            rate.model.to_owned(),
            rate.precision.to_owned(),
            rate.quantity.trim_end_matches("_tokens_per_s").to_owned(),
            format!("{} tok/s", number::rate(rate.a)),
            format!("{} tok/s", number::rate(rate.b)),
            format!("{:+.1} %", 100.0 * (rate.ratio - 1.0)),
        ]);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(memory: f64, error: f64) -> CalibrationFile {
        let mut file = Calibration::bare().file;
        let factor = FittedFactor {
            value: memory,
            error,
            from_class: false,
        };
        file.factors.insert("memory".to_owned(), factor);
        file
    }

    #[test]
    fn intervals_overlap_or_not() {
        // ln(0.6 / 0.5) = 0.182; 1.645 · (0.06 + 0.06) = 0.197, 1.645 · (0.05 + 0.05) = 0.165.
        let overlap = |error| factors(&file(0.5, error), &file(0.6, error))[0].overlap;
        assert_eq!((overlap(0.06), overlap(0.05)), (Some(true), Some(false)));
        let mut other = file(0.5, 0.1);
        other.factors.clear();
        let one = &factors(&file(0.5, 0.1), &other)[0];
        assert!(one.ratio.is_none() && one.overlap.is_none() && one.b.is_none());
    }
}
