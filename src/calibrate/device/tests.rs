#![allow(clippy::unwrap_used)]
use super::*;
use crate::calibrate::bench::Own;
use crate::calibrate::measurement::{Engine, Measurement, Measurements};
use crate::calibrate::plan::Shape;
use crate::calibration::{FactorId, MeasuredPower, PowerFactors};
use crate::catalog::{Catalog, Choice};
use crate::device::{BackendKind, Rail};
use crate::quant::BlockType;
use crate::units::Watts;

const MEMORY: f64 = 0.61;
const Q4_PREFILL: f64 = 0.21;
/// Of which next to all time is fixed costs.
const PROBE: Shape = Shape::operations(32);

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
        idle_watts: None,
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
    let own = Own {
        models: [PROBE.model().unwrap()].map(|probe| (probe.id.clone(), probe)).into(),
        device: None,
    };
    let mut bench = Bench::with(
        &Catalog::builtin(),
        &own,
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

/// A machine of 4 W idle and 24 W at most, whose package draws 1.1 times idle and shares of 0.8 and 0.5 of the range.
#[test]
fn its_own_watts_are_its_energy() {
    let mut bench = bench(many(), &truth());
    let whole = PowerFactors {
        standing: 1.1,
        compute: 0.8,
        memory: 0.5,
        measured: Some(MeasuredPower {
            rail: Rail::Package,
            idle_w: 4.0,
            full_load_w: 24.0,
        }),
        ..PowerFactors::WHOLE
    };
    let mut law = truth();
    law.power = Some(whole);
    for row in &mut bench.rows {
        let scenario = row.scenario().unwrap();
        let prediction = crate::perf::predict(&scenario, &law);
        let watts = match row.measurement.phase {
            Phase::Prefill => prediction.prefill_energy_j_per_token.unwrap() * prediction.prefill_tokens_per_s.unwrap(),
            Phase::Decode => prediction.decode_energy_j_per_token.unwrap() * prediction.decode_tokens_per_s.unwrap(),
        };
        row.measurement.watts = Some(Watts(watts));
        row.measurement.idle_watts = Some(Watts(4.0));
        row.measurement.rail = Some("package".to_owned());
    }
    let found = calibrated(&bench);
    let power = found.file.power.unwrap();
    assert_eq!(power.measured.unwrap().rail, Rail::Package);
    assert_eq!(power.points as usize, bench.rows.len());
    assert!(power.held_out_error.is_some_and(|error| error < 0.05), "{power:?}");
    // Through its file, on its own rail, whatever the device's states.
    let text = found.file.to_toml().unwrap();
    let calibration = Calibration::new("test", toml::from_str(&text).unwrap()).unwrap();
    for row in &bench.rows {
        let scenario = row.scenario().unwrap();
        let prediction = crate::perf::predict(&scenario, &calibration);
        let (energy, rate) = match row.measurement.phase {
            Phase::Prefill => (prediction.prefill_energy_j_per_token, prediction.prefill_tokens_per_s),
            Phase::Decode => (prediction.decode_energy_j_per_token, prediction.decode_tokens_per_s),
        };
        let ratio = energy.unwrap() * rate.unwrap() / row.measurement.watts.unwrap().get();
        assert!((ratio - 1.0).abs() < 0.05, "{ratio} {row:?}");
        assert_eq!(prediction.basis.rail, Some(Rail::Package));
    }
    // Without idle power nothing is known of what work adds.
    for row in &mut bench.rows {
        row.measurement.idle_watts = None;
    }
    assert_eq!(calibrated(&bench).file.power, None);
}

/// Two threads, at the end of a block of cells and just past one.
#[test]
fn how_threads_share_the_cache_is_found() {
    let rows = |threads: u64| {
        let decode = |depth| Measurement {
            tokens: 32,
            threads: Some(threads),
            ..measurement("smollm2-135m", "q8_0", Phase::Decode, depth)
        };
        vec![decode(0), decode(480), decode(256)]
    };
    for (threads, splits_cache, found_to) in [(2, true, true), (2, false, false), (1, true, false)] {
        let mut engine = truth();
        engine.file.splits_cache = splits_cache;
        let found = calibrated(&bench(rows(threads), &engine));
        assert_eq!(found.file.splits_cache, found_to, "{threads} threads");
        assert_eq!(found.fit.calibration.file.splits_cache, found_to);
        assert_eq!(found.file.note.contains("split the cache"), found_to);
    }
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

/// A run of one token that was disturbed, a hundred times slower than the law has it, beside others that were not.
fn with_a_disturbed_run() -> Calibrated {
    let mut short = measurement("smollm2-135m", "q4_0", Phase::Prefill, 0);
    short.tokens = 1;
    let mut rows = vec![short];
    for model in ["tinyllama", "llama-3.2-1b"] {
        rows.push(measurement(model, "q4_0", Phase::Prefill, 0));
        rows.push(measurement(model, "q4_0", Phase::Decode, 0));
    }
    let mut bench = bench(rows, &truth());
    bench.rows[0].measurement.tokens_per_s /= 100.0;
    calibrated(&bench)
}

#[test]
fn no_cost_rests_on_one_point() {
    let pass = FactorId::Pass(Phase::Prefill);
    let operation = FactorId::Operation(Phase::Prefill);
    let found = with_a_disturbed_run();
    assert!(found.fit.on_one_point.contains(&pass), "{:?}", found.fit.on_one_point);
    for cost in [pass, operation] {
        let stated = found.file.factors[&cost.to_string()];
        assert!(stated.from_class, "{cost}");
        let ratio = stated.value / class().factor(cost);
        assert!((ratio - 1.0).abs() < 0.01, "{cost}: {ratio}");
    }
    assert!(
        found.file.note.contains("one measurement alone raises prefill."),
        "{}",
        found.file.note
    );
    // What the others say is found all the same.
    let q4 = found
        .fit
        .calibration
        .factor(FactorId::Compute(Phase::Prefill, BlockType::Q4_0));
    assert!((q4 / Q4_PREFILL).ln().abs() < 0.25, "{q4}");
}

#[test]
fn a_lower_cost_may_rest_on_one_point() {
    let operation = FactorId::Operation(Phase::Decode);
    let of_class = class().factor(operation);
    let mut quick = truth();
    quick.set_factor(operation, of_class / 5.0);
    let probe = PROBE.id();
    let rows = [probe.as_str(), "tinyllama"].map(|model| measurement(model, "q8_0", Phase::Decode, 0));
    let found = calibrated(&bench(rows.to_vec(), &quick));
    assert!(found.fit.on_one_point.is_empty(), "{:?}", found.fit.on_one_point);
    let value = found.fit.calibration.factor(operation);
    assert!(value < of_class / 2.5, "{value} of {of_class}");
}

#[test]
fn agreeing_points_outweigh_a_class_that_is_far_off() {
    // Three of the class's standard deviations and more away.
    let factor = FactorId::Compute(Phase::Prefill, BlockType::F16);
    let class = class().factor(factor);
    let mut other = truth();
    other.set_factor(factor, (2.8 * class).min(0.9));
    let rows = [256, 512].map(|tokens| Measurement {
        tokens,
        ..measurement("tinyllama", "f16", Phase::Prefill, 0)
    });
    let bench = bench(rows.to_vec(), &other);
    let found = calibrated(&bench);
    for row in &bench.rows {
        let error = row.point().unwrap().log_error(&found.fit.calibration);
        assert!(error.abs() < 0.1, "{error}");
    }
}

#[test]
fn a_format_of_another_kernel_is_no_disturbance() {
    // A class that knows its formats well, of one device with many.
    let catalog = Catalog::builtin();
    let device = catalog.device("ryzen-9-7950x").unwrap();
    let class = catalog
        .calibration_for(&device, BackendKind::Cpu, &Choice::Class)
        .unwrap()
        .value
        .clone();
    // Every format half as fast again as the class has it, but for one of half the speed.
    let mut other = class.clone();
    for &block_type in BlockType::ALL {
        let factor = FactorId::Compute(Phase::Prefill, block_type);
        other.set_factor(factor, (1.5 * class.factor(factor)).min(0.9));
    }
    let odd = FactorId::Compute(Phase::Prefill, BlockType::Q8_0);
    other.set_factor(odd, 0.5 * class.factor(odd));
    let prompt = |model, precision, threads| Measurement {
        device: device.id.clone(),
        threads: Some(threads),
        ..measurement(model, precision, Phase::Prefill, 0)
    };
    let mut rows = vec![prompt("tinyllama", "q8_0", 16)];
    for precision in ["q4_0", "q4_k_m", "q6_k"] {
        rows.extend([1, 16].map(|threads| prompt("tinyllama", precision, threads)));
    }
    let found = calibrate(&bench(rows, &other), &class, &About::default()).unwrap();
    let unseen = bench(vec![prompt("llama-3.2-1b", "q8_0", 16)], &other);
    let error = unseen.rows[0].point().unwrap().log_error(&found.fit.calibration);
    assert!(error.abs() < 0.1, "{error}");
}

#[test]
fn what_attends_most_of_its_time_is_no_measure_of_errors() {
    let class = class();
    let share = |model: &str, phase: Phase, depth: u64| {
        let bench = bench(vec![measurement(model, "q8_0", phase, depth)], &class);
        bench.rows[0].point().unwrap().share_of_weights(&class)
    };
    assert!(share("tinyllama", Phase::Decode, 0) > LEAST_SHARE_OF_WEIGHTS);
    assert!(share("tinyllama", Phase::Prefill, 0) > LEAST_SHARE_OF_WEIGHTS);
    assert!(share("smollm2-135m", Phase::Decode, 8192) < LEAST_SHARE_OF_WEIGHTS);
}

#[test]
fn a_cost_that_two_points_show_is_found() {
    let pass = FactorId::Pass(Phase::Prefill);
    let mut slow = truth();
    slow.set_factor(pass, 0.2);
    let mut rows = many();
    for tokens in [16, 32, 64] {
        let mut short = measurement("smollm2-135m", "q4_0", Phase::Prefill, 0);
        short.tokens = tokens;
        rows.push(short);
    }
    let found = calibrated(&bench(rows, &slow));
    assert!(!found.fit.on_one_point.contains(&pass), "{:?}", found.fit.on_one_point);
    let value = found.fit.calibration.factor(pass);
    assert!(
        found.fit.determined.contains(&pass) && (value / 0.2).ln().abs() < 0.3,
        "{value}"
    );
}

#[test]
fn a_point_counts_the_less_the_more_it_scatters() {
    // One test twice, the second time disturbed and twice as slow.
    let fitted = |runs: usize, spread: Option<f64>| {
        let rows = vec![measurement("tinyllama", "q4_0", Phase::Prefill, 0); runs];
        let mut bench = bench(rows, &truth());
        for row in bench.rows.iter_mut().skip(1) {
            row.measurement.tokens_per_s /= 2.0;
            row.measurement.stddev = spread.map(|spread| spread * row.measurement.tokens_per_s);
        }
        let point = bench.rows[0].point().unwrap();
        point.log_error(&calibrated(&bench).fit.calibration)
    };
    let quiet = fitted(1, None);
    let (steady, scattered) = (fitted(2, None) - quiet, fitted(2, Some(0.5)) - quiet);
    assert!(scattered < 0.3 * steady && scattered < 0.1, "{steady} {scattered}");
    // Variances add: a spread as large as the noise of the phase halves the weight.
    assert!((weight_of_spread(Phase::Decode, 0.06) - 0.5).abs() < 1e-12);
    assert!((weight_of_spread(Phase::Prefill, 0.0) - 1.0).abs() < 1e-12);
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
