//! Ahmad: batches of texts through DistilBERT and TinyBERT on an A100; one row calibrates, the others are predicted.

use super::comparison::{Comparison, grid, rows};
use super::{Question, Report};
use crate::cli::failure::Failure;
use edgeprof::calibrate::fit::Point;
use edgeprof::calibrate::fit::device::fit;
use edgeprof::calibration::{Calibration, Phase};
use edgeprof::catalog::Catalog;
use edgeprof::device::{BackendKind, Device};
use edgeprof::output::{Align, Grid, SCHEMA, Sheet};
use edgeprof::perf::predict;
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::Precision;
use edgeprof::scenario::{Scenario, Workload};
use serde::{Deserialize, Serialize};
use serde_json::json;

const PUBLISHED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/reports/ahmad/published.toml"));

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    source: String,
    hardware: String,
    backend: BackendKind,
    /// Texts in a batch.
    batch: u64,
    length: Vec<Length>,
    row: Vec<Row>,
}

/// Tokens that a text can have had.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Length {
    tokens: u64,
    title: String,
}

/// A row of Table 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    runtime: String,
    /// None where there is no device to predict it for.
    model: Option<String>,
    precision: Option<String>,
    /// Seconds of a batch.
    latency: f64,
    vram_gb: f64,
    accuracy_percent: f64,
    #[serde(default)]
    calibrate: bool,
    remark: String,
}

/// A row with what its prediction needs.
struct Case<'a> {
    row: &'a Row,
    sums: ModelSums,
    precision: Precision,
}

/// The comparison.
pub fn report(question: &Question) -> Result<Report, Failure> {
    let published: Published = toml::from_str(PUBLISHED).map_err(Failure::new)?;
    let device = question.catalog.device(&published.hardware)?;
    let class = question
        .catalog
        .calibration_for(&device, published.backend, question.choice)?;
    let cases = cases(question.catalog, &published.row)?;
    let mut sheet = Sheet::default();
    let mut all = Vec::new();
    for length in &published.length {
        let comparisons = latencies(&published, &device, &class, &cases, length)?;
        sheet.table(
            format!(
                "Latency of {} texts of {} tokens, {}",
                published.batch, length.tokens, length.title
            ),
            grid(&comparisons),
        );
        all.extend(comparisons);
    }
    sheet.table("Quoted as measured, not computed", quoted(&published.row));
    sheet.paragraph(format!(
        "The calibration of {} for {} has no measurement in FP32; the first row gives it one, and the others follow from the arithmetic of\n\
         their models. What the model cannot know: how long the texts were after padding, which kernels a runtime chose and whether they\n\
         rounded to TF32, what unpacking NF4 costs in bitsandbytes, and the CPU that ran INT8. At 512 tokens, 0.018 s would be more than the\n\
         A100's FP32 units can do, so either tensor cores or shorter texts explain that row. VRAM is what the allocator reserved (the report\n\
         says so), and accuracy is no matter of speed: both are quoted.\n\
         Source: {}",
        class.id, device.name, published.source
    ));
    Ok(Report {
        document: json!({
            "schema": SCHEMA,
            "source": published.source,
            "comparisons": all,
            "quoted": published.row,
        }),
        rows: rows(&all),
        sheet,
    })
}

fn cases<'a>(catalog: &Catalog, published: &'a [Row]) -> Result<Vec<Case<'a>>, Failure> {
    let mut cases = Vec::new();
    for row in published {
        let (Some(model), Some(precision)) = (&row.model, &row.precision) else {
            continue;
        };
        let precision: Precision = precision.parse().map_err(Failure::new)?;
        let sums = ModelSums::of(&*catalog.model(model)?, precision).map_err(Failure::new)?;
        cases.push(Case { row, sums, precision });
    }
    Ok(cases)
}

/// Every case at one length, with a calibration that has seen the row it is calibrated on.
fn latencies(
    published: &Published,
    device: &Device,
    class: &Calibration,
    cases: &[Case<'_>],
    length: &Length,
) -> Result<Vec<Comparison>, Failure> {
    let tokens = published.batch * length.tokens;
    let workload = Workload {
        prompt: length.tokens,
        generate: 0,
        sequences: published.batch,
        batch: tokens,
        ubatch: tokens,
        ..Workload::default()
    };
    let scenarios = cases
        .iter()
        .map(|case| {
            Scenario::new(
                &case.sums,
                device,
                Some(published.backend),
                case.precision,
                None,
                workload,
            )
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::new)?;
    let points: Vec<Point<'_>> = scenarios
        .iter()
        .zip(cases)
        .filter(|(_, case)| case.row.calibrate)
        .map(|(&scenario, case)| Point {
            scenario,
            phase: Phase::Prefill,
            seconds: case.row.latency,
            weight: 1.0,
            group: 0,
        })
        .collect();
    let calibration = fit(&points, class).map_err(Failure::new)?.calibration;
    let compare = |(scenario, case): (&Scenario<'_>, &Case<'_>)| {
        let computed = predict(scenario, &calibration).prefill_s?;
        Some(Comparison {
            case: case.row.name.clone(),
            quantity: format!("latency, {} x {}", published.batch, length.tokens),
            unit: Some("s"),
            computed,
            published: case.row.latency,
            printed: format!("{} s", case.row.latency),
            difference: computed / case.row.latency - 1.0,
            holds: None,
            remark: case.row.remark.clone(),
        })
    };
    Ok(scenarios.iter().zip(cases).filter_map(compare).collect())
}

fn quoted(rows: &[Row]) -> Grid {
    let mut grid = Grid::new([
        ("row", Align::Left),
        ("runtime", Align::Left),
        ("latency", Align::Right),
        ("VRAM", Align::Right),
        ("accuracy", Align::Right),
        ("remark", Align::Left),
    ]);
    for row in rows {
        let remark = if row.model.is_none() { row.remark.as_str() } else { "" };
        grid.row([
            row.name.clone(),
            row.runtime.clone(),
            format!("{} s", row.latency),
            format!("{} GB", row.vram_gb),
            format!("{} %", row.accuracy_percent),
            remark.to_owned(),
        ]);
    }
    grid
}
