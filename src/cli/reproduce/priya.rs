//! Priya et al.: TinyLlama in Q4_K_M on a MacBook Air M2 and on a phone, from their logs of llama.cpp.

use super::comparison::{Comparison, Quoted, grid, held, quoted_grid, rows};
use super::{Question, Report};
use crate::cli::failure::Failure;
use edgeprof::device::BackendKind;
use edgeprof::output::{SCHEMA, Sheet};
use edgeprof::perf::Interval;
use edgeprof::perf::predict;
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::Precision;
use edgeprof::scenario::{Scenario, Workload};
use serde::Deserialize;
use serde_json::json;

const PUBLISHED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/reports/priya/published.toml"));

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    source: String,
    model: String,
    precision: String,
    file: File,
    run: Vec<Run>,
    quoted: Vec<Quoted>,
}

/// The model's file as its header prints it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    place: String,
    bytes: f64,
    within: f64,
    printed: String,
}

/// One run, on each device that it can have been.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    name: String,
    place: String,
    hardware: Vec<String>,
    backend: BackendKind,
    /// Thread counts that it can have had, beside the calibration's.
    threads: Vec<u64>,
    prompt: u64,
    generate: u64,
    prefill: f64,
    decode: f64,
}

/// The comparison.
pub fn report(question: &Question) -> Result<Report, Failure> {
    let published: Published = toml::from_str(PUBLISHED).map_err(Failure::new)?;
    let model = question.catalog.model(&published.model)?;
    let precision: Precision = published.precision.parse().map_err(Failure::new)?;
    let sums = ModelSums::of(&model, precision).map_err(Failure::new)?;
    let mut comparisons = vec![size(&published.file, &sums)];
    for run in &published.run {
        for hardware in &run.hardware {
            let threads = std::iter::once(None).chain(run.threads.iter().copied().map(Some));
            for threads in threads {
                comparisons.extend(rates(question, run, hardware, threads, &sums, precision)?);
            }
        }
    }
    let mut sheet = Sheet::default();
    sheet.table(format!("{} in {precision}", model.name), grid(&comparisons));
    sheet.table("Quoted, not computed", quoted_grid(&published.quoted));
    let (within, all) = held(&comparisons);
    sheet.paragraph(format!(
        "{within} of {all} figures are as printed or within the 90 % interval of the prediction.\n\
         Where the study leaves a setting open, each that it can have been is computed: the MacBook Air M2 came with 8 or 10 GPU cores, and\n\
         the threads of the phone are not stated. What the model cannot know: the build of llama.cpp, whether the phone's clocks held, what\n\
         else ran there, and how much of the first prompt's time went to reading the file's pages. The phone read its\n\
         prompt as one thread would and decoded as four would: no one setting explains both.\n\
         None of these rows is among the measurements that the calibrations are fitted to.\n\
         Source: {}",
        published.source
    ));
    Ok(Report {
        document: json!({
            "schema": SCHEMA,
            "source": published.source,
            "comparisons": comparisons,
            "quoted": published.quoted,
        }),
        rows: rows(&comparisons),
        sheet,
    })
}

fn size(file: &File, sums: &ModelSums) -> Comparison {
    let computed = sums.weight_bytes as f64;
    Comparison {
        case: "all tensors of the file".to_owned(),
        quantity: "weight_bytes".to_owned(),
        unit: Some("B"),
        computed,
        published: file.bytes,
        printed: file.printed.clone(),
        difference: computed / file.bytes - 1.0,
        holds: Some((computed - file.bytes).abs() <= file.within),
        remark: file.place.clone(),
    }
}

/// Prefill and decode of a run on one device it can have been.
fn rates(
    question: &Question,
    run: &Run,
    hardware: &str,
    threads: Option<u64>,
    sums: &ModelSums,
    precision: Precision,
) -> Result<Vec<Comparison>, Failure> {
    let device = question.catalog.device(hardware)?;
    let calibration = question
        .catalog
        .calibration_for(&device, run.backend, question.choice)?;
    let on_cpu = run.backend == BackendKind::Cpu;
    let threads = threads.or(calibration.file.threads).filter(|_| on_cpu);
    let workload = Workload {
        prompt: run.prompt,
        generate: run.generate,
        threads,
        ..Workload::default()
    };
    let scenario = Scenario::new(sums, &device, Some(run.backend), precision, None, workload).map_err(Failure::new)?;
    let prediction = predict(&scenario, &calibration);
    let settings = threads.map_or_else(String::new, |threads| {
        format!(", {threads} thread{}", if threads == 1 { "" } else { "s" })
    });
    let compare = |quantity: &str, computed: Option<f64>, interval: Option<Interval>, published: f64| {
        let computed = computed?;
        Some(Comparison {
            case: format!("{}, as {hardware}{settings}", run.name),
            quantity: quantity.to_owned(),
            unit: Some("tok/s"),
            computed,
            published,
            printed: format!("{published} tok/s"),
            difference: computed / published - 1.0,
            holds: interval.map(|[low, high]| (low..=high).contains(&published)),
            remark: run.place.clone(),
        })
    };
    let prefill = compare(
        "prefill_tokens_per_s",
        prediction.prefill_tokens_per_s,
        prediction.intervals(&scenario).prefill_tokens_per_s,
        run.prefill,
    );
    let decode = compare(
        "decode_tokens_per_s",
        prediction.decode_tokens_per_s,
        prediction.intervals(&scenario).decode_tokens_per_s,
        run.decode,
    );
    Ok(prefill.into_iter().chain(decode).collect())
}
