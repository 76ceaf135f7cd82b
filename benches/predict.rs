//! How long a prediction takes: with all at hand that does not hang on lengths, with the model's sums at hand, and from names.

use criterion::{Criterion, criterion_group, criterion_main};
use edgeprof::calibration::Calibration;
use edgeprof::catalog::Catalog;
use edgeprof::perf::sums::ModelSums;
use edgeprof::perf::{Parts, predict};
use edgeprof::quant::Precision;
use edgeprof::scenario::{Scenario, Workload};
use std::error::Error;
use std::hint::black_box;

const CALIBRATION: &str = include_str!("../tests/it/data/calibration/test-board-cpu.toml");

fn prediction(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let catalog = Catalog::builtin();
    let calibration = Calibration::parse("bench", CALIBRATION)?;
    let (model, device) = (catalog.model("tinyllama")?, catalog.device("pi5")?);
    let precision: Precision = "q4_k_m".parse()?;
    let sums = ModelSums::of(&model, precision)?;
    let scenario = Scenario::new(&sums, &device, None, precision, None, Workload::default())?;
    let parts = Parts::new(&scenario, &calibration, None);
    criterion.bench_function("prediction, parts at hand", |bencher| {
        bencher.iter(|| parts.predict(black_box(&scenario)).decode_tokens_per_s);
    });
    criterion.bench_function("prediction, sums at hand", |bencher| {
        bencher.iter(|| predict(black_box(&scenario), &calibration).decode_tokens_per_s);
    });
    criterion.bench_function("prediction from names", |bencher| {
        bencher.iter(|| -> Result<_, Box<dyn Error>> {
            let (model, device) = (
                catalog.model(black_box("tinyllama"))?,
                catalog.device(black_box("pi5"))?,
            );
            let precision: Precision = black_box("q4_k_m").parse()?;
            let sums = ModelSums::of(&model, precision)?;
            let scenario = Scenario::new(&sums, &device, None, precision, None, Workload::default())?;
            Ok(predict(&scenario, &calibration).decode_tokens_per_s)
        });
    });
    criterion.bench_function("parse and prediction, a fresh catalogue", |bencher| {
        bencher.iter(|| -> Result<_, Box<dyn Error>> {
            let catalog = Catalog::builtin();
            let (model, device) = (
                catalog.model(black_box("tinyllama"))?,
                catalog.device(black_box("pi5"))?,
            );
            let sums = ModelSums::of(&model, precision)?;
            let scenario = Scenario::new(&sums, &device, None, precision, None, Workload::default())?;
            Ok(predict(&scenario, &calibration).decode_tokens_per_s)
        });
    });
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    if let Err(error) = prediction(criterion) {
        panic!("{error}");
    }
}

criterion_group!(group, benches);
criterion_main!(group);
