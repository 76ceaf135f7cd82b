//! EdgeProfiler (arXiv 2506.09061): its equations as printed, and its Table II by the exact formulas.

use super::comparison::{Comparison, grid, held, rows};
use super::{Question, Report};
use crate::cli::failure::Failure;
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::output::{Sheet, number};
use edgeprof::perf::paper::{self, PaperDevice, PaperPrediction};
use edgeprof::perf::predict;
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::Precision;
use edgeprof::scenario::{Scenario, Workload};
use serde::Deserialize;

/// What the paper publishes.
const PUBLISHED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/reports/edgeprofiler/published.toml"
));

/// The file of what is published.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    source: String,
    figure: Vec<Figure>,
    table_2: Table2,
}

/// A figure of the paper's text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figure {
    model: String,
    hardware: String,
    precision: String,
    /// Key of [`PaperPrediction`].
    quantity: String,
    /// The device whose value it is divided by.
    relative_to: Option<String>,
    published: f64,
    within: f64,
    printed: String,
    #[serde(default)]
    remark: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table2 {
    hardware: String,
    context: u64,
    size_within: f64,
    row: Vec<Row>,
}

/// A row of Table II.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    model: String,
    precision: String,
    mix: String,
    size: f64,
    size_digit: f64,
    memory: f64,
    speed: f64,
}

/// The comparison with EdgeProfiler.
pub fn report(question: &Question) -> Result<Report, Failure> {
    let catalog = question.catalog;
    let published: Published = toml::from_str(PUBLISHED).map_err(Failure::new)?;
    let equations = published
        .figure
        .iter()
        .map(|figure| equation(catalog, figure))
        .collect::<Result<Vec<_>, _>>()?;
    let table_2 = measured(catalog, &published.table_2, question.choice)?;
    Ok(Report {
        sheet: sheet(&published, &equations, &table_2),
        rows: rows(&equations).into_iter().chain(rows(&table_2)).collect(),
        document: serde_json::json!({
            "schema": 1,
            "source": published.source,
            "equations": equations,
            "table_2": table_2,
        }),
    })
}

/// The paper's equations with the inputs of a figure, as printed by the paper.
fn equation(catalog: &Catalog, figure: &Figure) -> Result<Comparison, Failure> {
    let value = |hardware: &str| -> Result<f64, Failure> {
        let answer = ask(catalog, &figure.model, hardware, &figure.precision)?;
        let answer = serde_json::to_value(answer).map_err(Failure::new)?;
        answer[&figure.quantity]
            .as_f64()
            .ok_or_else(|| Failure::new(format!("the paper's equations give no `{}`", figure.quantity)))
    };
    let mut computed = value(&figure.hardware)?;
    let mut case = format!("{} on {}, {}", figure.model, figure.hardware, figure.precision);
    if let Some(other) = &figure.relative_to {
        computed /= value(other)?;
        case = format!("{case}, over {other}");
    }
    Ok(Comparison {
        case,
        quantity: figure.quantity.clone(),
        unit: figure.relative_to.is_none().then_some("s"),
        computed,
        published: figure.published,
        printed: figure.printed.clone(),
        difference: computed / figure.published - 1.0,
        holds: Some((computed - figure.published).abs() <= figure.within),
        remark: figure.remark.clone(),
    })
}

fn ask(catalog: &Catalog, model: &str, hardware: &str, precision: &str) -> Result<PaperPrediction, Failure> {
    let (model, device) = (catalog.model(model)?, catalog.device(hardware)?);
    let precision: Precision = precision.parse().map_err(Failure::new)?;
    let constants = catalog.paper_constants(&device)?;
    let rates = device
        .backends
        .get(&device.default_backend)
        .and_then(|backend| PaperDevice::of(&device, backend, &constants));
    match (rates, precision.paper_bytes_per_element()) {
        (Some(rates), Some(bytes)) => {
            let context = model.paper_context.unwrap_or(Workload::default().context());
            Ok(paper::predict(&model.paper, &rates, context, bytes))
        }
        _ => Err(Failure::new(format!(
            "the paper's equations cannot be asked of {} in {precision}",
            device.id
        ))),
    }
}

/// Table II beside the exact formulas: file size, memory at run time, speed over the first row of the same model.
fn measured(catalog: &Catalog, table: &Table2, choice: &Choice) -> Result<Vec<Comparison>, Failure> {
    let device = catalog.device(&table.hardware)?;
    let calibration = catalog.calibration_for(&device, device.default_backend, choice)?;
    let workload = Workload {
        context: Some(table.context),
        threads: calibration.file.threads,
        ..Workload::default()
    };
    let mut comparisons = Vec::new();
    let mut baseline: Option<(&str, f64)> = None;
    for row in &table.row {
        let model = catalog.model(&row.model)?;
        let precision: Precision = row.mix.parse().map_err(Failure::new)?;
        let sums = ModelSums::of(&model, precision).map_err(Failure::new)?;
        let scenario = Scenario::new(&sums, &device, None, precision, None, workload).map_err(Failure::new)?;
        let prediction = predict(&scenario, &calibration);
        let case = format!("{}, {} = {}", row.model, row.precision, row.mix);
        let mut compare = |quantity: &str, computed: f64, published: f64, printed: String, holds| {
            comparisons.push(Comparison {
                case: case.clone(),
                quantity: quantity.to_owned(),
                unit: quantity.ends_with("_bytes").then_some("B"),
                computed,
                published,
                printed,
                difference: computed / published - 1.0,
                holds,
                remark: String::new(),
            });
        };
        let size = prediction.weight_bytes;
        let near =
            (size / row.size - 1.0).abs() <= table.size_within || (size - row.size).abs() <= row.size_digit / 2.0;
        compare("weight_bytes", size, row.size, decimal(row.size), Some(near));
        compare(
            "memory_bytes",
            prediction.memory_bytes,
            row.memory,
            decimal(row.memory),
            None,
        );
        let peak = scenario.memory().peak();
        compare("peak_memory_bytes", peak, row.memory, decimal(row.memory), None);
        let Some(rate) = prediction.decode_tokens_per_s else {
            continue;
        };
        match baseline {
            Some((of, first)) if of == row.model => {
                compare(
                    "decode speed-up",
                    rate / first,
                    row.speed,
                    format!("{}x", row.speed),
                    None,
                );
            }
            _ => baseline = Some((&row.model, rate)),
        }
    }
    Ok(comparisons)
}

/// A size as the paper prints it.
fn decimal(bytes: f64) -> String {
    if bytes < 1e9 {
        format!("{} MB", bytes / 1e6)
    } else {
        format!("{} GB", bytes / 1e9)
    }
}

fn sheet(published: &Published, equations: &[Comparison], table_2: &[Comparison]) -> Sheet {
    let (true_equations, all_equations) = held(equations);
    let (true_sizes, all_sizes) = held(table_2);
    let table = &published.table_2;
    let mut sheet = Sheet::default();
    sheet.table("Figures of the text, by equations 7 to 15", grid(equations));
    sheet.table(
        format!(
            "Table II (measured by the authors, device not stated), by the exact formulas on {} with a context of {}",
            table.hardware, table.context
        ),
        grid(table_2),
    );
    sheet.paragraph(format!(
        "{true_equations} of {all_equations} figures of the text hold as printed; {true_sizes} of {all_sizes} file sizes of Table II hold within {} or as printed.\n\
         Sizes are those of the tensors; a file holds the tokenizer besides. Peak memory counts the pages of weights\n\
         in the file's layout too, which stay mapped after repacking. The paper does not say which 4-bit mix it ran: `int4` is the one whose\n\
         size is the one printed, q4_k_s for TinyLlama and Llama 3.2, q4_k_m for Gemma 3 and DeepSeek R1 (elsewhere int4 is q4_k_m).\n\
         Memory and speed-ups are shown with their errors and claim nothing: the paper does not say on which device, with which\n\
         context and with how many threads they were measured.\n\
         Source: {}",
        number::percent(table.size_within),
        published.source
    ));
    sheet
}
