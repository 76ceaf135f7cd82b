#![allow(clippy::unwrap_used)]
use super::*;
use crate::calibrate::measurement::{Engine, Measurement, Measurements};
use crate::calibration::FactorId;
use crate::catalog::{Catalog, Choice};
use crate::device::BackendKind;
use crate::quant::BlockType;

const MEMORY: f64 = 0.61;
const Q4_PREFILL: f64 = 0.21;

fn measurement(model: &str, precision: &str, phase: Phase, depth: u64) -> Measurement {
    Measurement {
        device: "pi5".to_owned(),
        backend: BackendKind::Cpu,
        threads: Some(4),
        model: model.to_owned(),
        precision: precision.to_owned(),
        phase,
        tokens: if phase == Phase::Prefill { 512 } else { 64 },
        depth,
        batch: None,
        ubatch: None,
        key_type: None,
        value_type: None,
        flash_attention: None,
        power_mode: None,
        gpu_layers: None,
        tokens_per_s: 1.0,
        stddev: None,
        samples: None,
        watts: None,
        rail: None,
        joules_per_token: None,
        load: None,
        model_size: None,
        parameters: None,
        build: None,
        date: None,
        engine: Engine::LlamaCpp,
        weight: 1.0,
        source: "made up".to_owned(),
        note: String::new(),
        line: 1,
    }
}

fn class() -> Calibration {
    let catalog = Catalog::builtin();
    let device = catalog.device("pi5").unwrap();
    let entry = catalog
        .calibration_for(&device, BackendKind::Cpu, &Choice::Class)
        .unwrap();
    entry.value.clone()
}

/// The class with other factors: a device that is known.
fn truth() -> Calibration {
    let mut truth = class();
    truth.set_factor(FactorId::Memory, MEMORY);
    truth.set_factor(FactorId::Compute(Phase::Prefill, BlockType::Q4_0), Q4_PREFILL);
    truth
}

/// The rates that the law gives for `truth`.
fn bench(rows: Vec<Measurement>, truth: &Calibration) -> Bench {
    let mut bench = Bench::new(
        &Catalog::builtin(),
        Measurements {
            kept: rows,
            left_out: Vec::new(),
        },
    );
    assert!(bench.left_out.is_empty(), "{:?}", bench.left_out);
    for row in &mut bench.rows {
        row.measurement.tokens_per_s *= (-row.point().unwrap().log_error(truth)).exp();
    }
    for row in &bench.rows {
        assert!(row.point().unwrap().log_error(truth).abs() < 1e-9);
    }
    bench
}

fn many() -> Vec<Measurement> {
    let mut rows = Vec::new();
    for model in ["tinyllama", "llama-3.2-1b", "smollm2-135m"] {
        for precision in ["q4_0", "q8_0"] {
            for threads in [1, 2, 4] {
                for (phase, depth) in [(Phase::Prefill, 0), (Phase::Decode, 0), (Phase::Decode, 1024)] {
                    let mut row = measurement(model, precision, phase, depth);
                    row.threads = Some(threads);
                    rows.push(row);
                }
            }
        }
    }
    rows
}

fn calibrated(bench: &Bench) -> Calibrated {
    calibrate(bench, &class(), &About::default()).unwrap()
}

#[test]
fn what_was_measured_is_found() {
    let found = calibrated(&bench(many(), &truth()));
    let calibration = Calibration::new("test", found.file.clone()).unwrap();
    for (factor, expected) in [
        (FactorId::Memory, MEMORY),
        (FactorId::Compute(Phase::Prefill, BlockType::Q4_0), Q4_PREFILL),
    ] {
        let ratio = calibration.factor(factor) / expected;
        assert!((ratio - 1.0).abs() < 0.05, "{factor}: {ratio}");
        assert!(found.fit.determined.contains(&factor), "{factor}");
    }
    for point in &found.file.points {
        assert!(point.residual.abs() < 0.05, "{point:?}");
    }
    let quality = found.file.quality[&Phase::Decode];
    assert!(quality.held_out_error.is_some_and(|error| error < 0.06), "{quality:?}");
}

#[test]
fn what_was_not_measured_stays_with_its_class() {
    let decode = vec![measurement("tinyllama", "q4_0", Phase::Decode, 0)];
    let found = calibrated(&bench(decode, &truth()));
    let calibration = Calibration::new("test", found.file.clone()).unwrap();
    for factor in [
        FactorId::Compute(Phase::Prefill, BlockType::F16),
        FactorId::Attention(Phase::Prefill),
        FactorId::Operation(Phase::Prefill),
    ] {
        let stated = found.file.factors[&factor.to_string()];
        assert!(stated.from_class, "{factor}");
        let ratio = calibration.factor(factor) / class().factor(factor);
        assert!((ratio - 1.0).abs() < 0.05, "{factor}: {ratio}");
        assert!(stated.error > 0.9 * class().file.factors[&factor.to_string()].error);
    }
}

#[test]
fn one_point_makes_its_own_prediction_right_and_claims_little() {
    let slow = {
        let mut slow = class();
        for factor in FactorId::all().filter(|factor| factor.is_utilization()) {
            slow.set_factor(factor, 0.8 * slow.factor(factor));
        }
        slow
    };
    let bench = bench(vec![measurement("llama-3.2-1b", "q4_0", Phase::Decode, 0)], &slow);
    let before = bench.rows[0].point().unwrap().log_error(&class());
    let found = calibrated(&bench);
    let after = bench.rows[0].point().unwrap().log_error(&found.fit.calibration);
    assert!(after.abs() < 0.4 * before.abs(), "{before} {after}");
    assert_eq!(found.file.quality[&Phase::Decode].held_out_error, None);
    assert_eq!(
        found.file.quality[&Phase::Decode].scatter,
        class().quality(Phase::Decode).scatter
    );
    assert_eq!(found.file.quality[&Phase::Prefill].points, 0);
}

#[test]
fn three_points_are_better_than_one() {
    let rows = |count: usize| {
        let all = vec![
            measurement("tinyllama", "q4_0", Phase::Decode, 0),
            measurement("tinyllama", "q4_0", Phase::Prefill, 0),
            measurement("llama-3.2-1b", "q4_0", Phase::Decode, 1024),
        ];
        all.into_iter().take(count).collect::<Vec<_>>()
    };
    let truth = truth();
    let error = |count| {
        let found = calibrated(&bench(rows(count), &truth));
        let unseen = bench(vec![measurement("llama-3.2-1b", "q4_0", Phase::Prefill, 0)], &truth);
        unseen.rows[0].point().unwrap().log_error(&found.fit.calibration).abs()
    };
    assert!(error(3) < 0.12 && error(3) < error(1), "{} {}", error(3), error(1));
}

#[test]
fn without_a_row_there_is_nothing_to_fit() {
    let error = calibrate(&Bench::default(), &class(), &About::default()).unwrap_err();
    assert_eq!(error, FitError::NoPoints);
}

#[test]
fn the_file_reads_as_it_was_written() {
    let found = calibrated(&bench(many(), &truth()));
    let text = found.file.to_toml().unwrap();
    let again = Calibration::parse("test", &text).unwrap();
    assert_eq!(again.file, found.file);
    assert_eq!(again.file.device.as_deref(), Some("pi5"));
}
