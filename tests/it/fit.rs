//! The pooled fit, on measurements that the law itself made with known factors.

use edgeprof::calibrate::bench::Bench;
use edgeprof::calibrate::fit::pool::Pool;
use edgeprof::calibrate::leave_out::{Judged, median_error, scatter};
use edgeprof::calibrate::measurement::{Engine, Measurement, Measurements, Phase};
use edgeprof::calibration::{Calibration, FactorId};
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::device::BackendKind;
use numeric::numeric_gradient;

fn measurement(device: &str, model: &str, precision: &str, phase: Phase, tokens: u64, depth: u64) -> Measurement {
    Measurement {
        device: device.to_owned(),
        backend: BackendKind::Cpu,
        threads: None,
        model: model.to_owned(),
        precision: precision.to_owned(),
        phase,
        tokens,
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

/// Rows of a device whose rates the shipped calibration predicts, slowed by `slower`.
fn made_up(catalog: &Catalog, device: &str, slower: f64) -> Vec<Measurement> {
    let mut rows = Vec::new();
    for model in ["tinyllama", "llama-3.2-1b", "qwen2.5-0.5b", "llama-3.2-3b"] {
        for precision in ["q4_0", "q8_0"] {
            rows.push(measurement(device, model, precision, Phase::Prefill, 512, 0));
            rows.push(measurement(device, model, precision, Phase::Decode, 128, 0));
            rows.push(measurement(device, model, precision, Phase::Decode, 128, 2048));
        }
    }
    let bench = Bench::new(
        catalog,
        Measurements {
            kept: rows,
            left_out: Vec::new(),
        },
    );
    assert!(bench.left_out.is_empty(), "{:?}", bench.left_out);
    bench
        .rows
        .iter()
        .map(|row| {
            let scenario = row.scenario().unwrap();
            let calibration = catalog
                .calibration_for(scenario.device, BackendKind::Cpu, &Choice::Best)
                .unwrap();
            let log_error = row.point().unwrap().log_error(&calibration.value);
            // The rate at which the law makes no error, then slowed.
            let rate = row.measurement.tokens_per_s * (-log_error).exp() / slower;
            Measurement {
                tokens_per_s: rate,
                ..row.measurement.clone()
            }
        })
        .collect()
}

#[test]
fn the_pool_fits_what_the_law_made_and_a_device_unseen_takes_its_class() {
    let catalog = Catalog::builtin();
    let mut kept = made_up(&catalog, "pi5", 1.0);
    kept.extend(made_up(&catalog, "orange-pi-5", 1.2));
    let bench = Bench::new(
        &catalog,
        Measurements {
            kept,
            left_out: Vec::new(),
        },
    );
    let pool = Pool::fit(bench.points(|_| true), &bench.members).unwrap();
    for row in &bench.rows {
        let error = row
            .point()
            .unwrap()
            .log_error(&pool.calibration(&bench.members[row.member]));
        assert!(
            error.abs() < 0.05,
            "{} {}: {error}",
            row.measurement.device,
            row.measurement.test()
        );
    }
    let class = pool.estimate(&bench.members[0], true).unwrap();
    let own = pool.estimate(&bench.members[0], false).unwrap();
    let at = |factor| class.factors.iter().position(|&known| known == factor).unwrap();
    let memory = at(FactorId::Memory);
    assert!(
        class.covariance[(memory, memory)] > own.covariance[(memory, memory)],
        "a class is less certain than a device"
    );
    assert!(
        class
            .values
            .iter()
            .zip(&class.factors)
            .all(|(&value, factor)| { value > 0.0 && (!factor.is_utilization() || value < 1.0) })
    );
}

#[test]
fn shares_are_the_derivatives_of_the_law() {
    let catalog = Catalog::builtin();
    for (id, needs) in [
        ("pi5", FactorId::CoreShare),
        ("2x-xeon-e5-2690-v4", FactorId::Interconnect),
    ] {
        let kept = made_up(&catalog, id, 1.0);
        let bench = Bench::new(
            &catalog,
            Measurements {
                kept,
                left_out: Vec::new(),
            },
        );
        let device = catalog.device(id).unwrap();
        let calibration = catalog
            .calibration_for(&device.value, BackendKind::Cpu, &Choice::Best)
            .unwrap();
        for row in &bench.rows {
            let point = row.point().unwrap();
            let (_, gradient) = point.log_error_and_gradient(&calibration.value);
            assert!(gradient.iter().any(|(factor, _)| *factor == needs), "{id}");
            for (factor, derivative) in gradient {
                let numeric = numeric_gradient(&calibration.value, factor, |calibration| point.log_error(calibration));
                assert!(
                    (derivative - numeric).abs() < 1e-5,
                    "{factor}: {derivative} but {numeric}"
                );
            }
        }
    }
}

mod numeric {
    use super::{Calibration, FactorId};

    /// Central difference by the logarithm of a factor.
    pub fn numeric_gradient(at: &Calibration, factor: FactorId, function: impl Fn(&Calibration) -> f64) -> f64 {
        const STEP: f64 = 1e-5;
        let moved = |by: f64| {
            let mut calibration = at.clone();
            calibration.set_factor(factor, at.factor(factor) * f64::exp(by));
            function(&calibration)
        };
        (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    }
}

#[test]
fn the_scatter_covers_nine_of_ten_and_the_median_is_of_rates() {
    let judged: Vec<Judged> = (1..=19)
        .map(|at| Judged {
            row: at,
            log_error: 0.01 * at as f64,
            sigma: 0.0,
        })
        .collect();
    let each = |judged: &Judged| judged.row;
    // The conservative rank of 19 units at 90 % is the 18th: 0.18 / 1.645.
    assert!((scatter(&judged, each, 0.0) - 0.18 / 1.645).abs() < 1e-12);
    assert!((scatter(&judged, each, 0.5) - 0.5).abs() < 1e-12);
    // Ten rows of one unit count as one: rank 0.9 · 11 = 9.9 of 10 units lies within the last, whose rows 10 to 19 are a tenth each.
    assert!((scatter(&judged, |judged| judged.row.min(10), 0.0) - 0.18 / 1.645).abs() < 1e-12);
    assert!((scatter(&judged, |judged| judged.row.max(10), 0.0) - 0.19 / 1.645).abs() < 1e-12);
    // A log error of 0.10 in seconds is a rate of e^-0.1 of the measured one.
    assert!((median_error(&judged).unwrap() - (1.0 - (-0.10_f64).exp())).abs() < 1e-12);
}
