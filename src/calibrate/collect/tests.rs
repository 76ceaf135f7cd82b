#![allow(clippy::unwrap_used)]
use super::*;
use crate::calibrate::Phase;
use crate::calibrate::plan::Shape;
use crate::catalog::Catalog;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A stand-in for `llama-bench` that answers every product of lengths and threads at 100 tokens per second and thread, and notes its
/// arguments. It takes no model called `own.gguf`.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
while [ $# -gt 0 ]; do
  case "$1" in -m) m=$2;; -p) p=$2;; -n) n=$2;; -d) d=$2;; -t) t=$2;; esac
  shift 2
done
test -s "$m" || { echo "error: failed to load model '$m'" >&2; exit 1; }
case "$m" in */own.gguf) echo "error: out of luck" >&2; exit 1;; esac
for threads in $(echo "$t" | tr , ' '); do
  if [ "$n" = 0 ]; then lengths=$p; else lengths=$n; fi
  for length in $(echo "$lengths" | tr , ' '); do
    ns=$((length * 10000000 / threads))
    if [ "$n" = 0 ]; then pair="\"n_prompt\": $length, \"n_gen\": 0"; else pair="\"n_prompt\": 0, \"n_gen\": $length"; fi
    echo "{\"build_commit\": \"abc\", \"build_number\": 7, \"backends\": \"CPU\", \"n_threads\": $threads, $pair, \"n_depth\": $d, \"samples_ns\": [$ns, $ns, $((ns + 1000))]}"
  done
done
"#;

/// Options so small that only the probe of fixed costs fits: a few megabytes.
fn options(folder: &Path) -> CollectOptions {
    let program = folder.join("llama-bench");
    std::fs::write(&program, SCRIPT).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let device = Catalog::builtin().device("pi4").unwrap();
    CollectOptions {
        llama_bench: Some(program),
        folder: folder.join("cache"),
        power: power::Choice::None,
        plan: PlanOptions {
            memory: 4 << 20,
            disk: 16 << 20,
            budget_s: 600.0,
            ..PlanOptions::default()
        },
        ..CollectOptions::new((**device).clone(), BackendKind::Cpu)
    }
}

fn calls(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("calls"))
        .unwrap_or_default()
        .lines()
        .count()
}

#[test]
fn every_test_of_the_plan_becomes_a_measurement_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let mut tests = 0;
    let mut told = 0;
    let collected = collect(&options, &Stop::new(), &mut |event| match event {
        Event::Planned(plan, 0) => tests = plan.tests().count(),
        Event::Finished(..) => told += 1,
        _ => {}
    })
    .unwrap();
    let rows = collected.measurements();
    assert!(
        tests > 0 && rows.len() == tests && told == tests,
        "{tests} {told} {}",
        rows.len()
    );
    assert!(!options.folder.exists());
    let models = collected.models();
    for row in &rows {
        assert!(models.contains_key(&row.model));
        let threads = row.threads.unwrap() as f64;
        assert!((row.tokens_per_s / (100.0 * threads) - 1.0).abs() < 0.01, "{row:?}");
        assert_eq!(row.build.as_deref(), Some("llama-bench 7 (abc, CPU)"));
    }
    assert_eq!(collected.best_threads(Phase::Decode), Some(4));
    assert!(
        collected
            .probes
            .as_ref()
            .is_some_and(|probes| probes.read_bandwidth > 0.0)
    );
    assert!(serde_json::to_string(&collected).unwrap().contains("seconds_per_token"));
}

/// A model of the user's in a file of this name, measured before the probes.
fn with_own(folder: &Path, name: &str) -> CollectOptions {
    let mut options = options(folder);
    let own = folder.join(name);
    std::fs::write(&own, "anything").unwrap();
    options.plan.own = Some((own, Shape::operations(1).model().unwrap()));
    options
}

#[test]
fn an_interrupted_calibration_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let options = with_own(folder.path(), "mine.gguf");
    let stop = Stop::new();
    let error = collect(&options, &stop, &mut |event| match event {
        Event::Preparing(probe) if probe.model.id.starts_with("probe-l32") => stop.raise(),
        _ => {}
    })
    .unwrap_err();
    assert!(
        matches!(error, CalibrateError::Measure(MeasureError::Interrupted)),
        "{error}"
    );
    let before = calls(folder.path());
    let mut resumed = 0;
    let collected = collect(&options, &Stop::new(), &mut |event| {
        if let Event::Planned(_, done) = event {
            resumed = *done;
        }
    })
    .unwrap();
    assert!(resumed > 0 && collected.measurements().len() > resumed);
    let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
    assert!(
        calls.lines().skip(before).all(|call| !call.contains("mine.gguf")),
        "{calls}"
    );
}

#[test]
fn a_model_that_llama_cpp_refuses_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let collected = collect(&with_own(folder.path(), "own.gguf"), &Stop::new(), &mut |_| {}).unwrap();
    assert!(!collected.measurements().is_empty());
    let failed =
        |warning: &Warning| matches!(warning, Warning::Failed { reason, .. } if reason.contains("out of luck"));
    assert!(collected.warnings.iter().any(failed), "{:?}", collected.warnings);
}

/// The same with an answer whose runs scatter wildly unless `quiet` holds.
fn disturbed(folder: &Path, quiet: &str) -> CollectOptions {
    let options = options(folder);
    let noisy = SCRIPT.replace("$((ns + 1000))]", "$last]").replace(
        "    if [ \"$n\" = 0 ]; then pair",
        &format!("    {quiet} && last=$ns || last=$((ns * 3))\n    if [ \"$n\" = 0 ]; then pair"),
    );
    assert!(noisy.contains("$last]") && noisy.contains(quiet));
    std::fs::write(folder.join("llama-bench"), noisy).unwrap();
    options
}

#[test]
fn a_busy_machine_is_not_fitted_and_a_half_busy_one_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = collect(&disturbed(folder.path(), "false"), &Stop::new(), &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, CalibrateError::NotQuiet { left_out, tests } if left_out == tests),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("predictions keep the factors of the device's class")
    );
    let one_thread = collect(&disturbed(folder.path(), "[ $threads = 1 ]"), &Stop::new(), &mut |_| {}).unwrap();
    let most = |warning: &Warning| matches!(warning, Warning::MostLeftOut { left_out, tests } if 2 * left_out > *tests);
    assert!(one_thread.warnings.iter().any(most), "{:?}", one_thread.warnings);
    assert!(!one_thread.measurements().is_empty());
}

#[test]
fn every_test_has_the_power_that_a_sensor_read_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let jetson = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/power/orin-nano");
    let options = CollectOptions {
        power: power::Choice::Named("ina3221"),
        sensors: power::Host::at(jetson.into(), Vec::new()),
        ..options(folder.path())
    };
    let collected = collect(&options, &Stop::new(), &mut |_| {}).unwrap();
    let power = collected.power.as_ref().unwrap();
    assert_eq!((power.sensor.as_str(), power.rail.name()), ("ina3221", "module"));
    assert!(power.reading_s.is_some_and(|seconds| seconds > 0.0 && seconds < 0.1));
    // 5.024 V · 0.936 A, idle or not: the tree says always the same.
    let steady = |watts: Option<crate::units::Watts>| watts.is_some_and(|watts| (watts.get() - 4.702_464).abs() < 1e-6);
    assert!(steady(power.idle_watts));
    for row in collected.measurements() {
        assert!(steady(row.watts) && steady(row.idle_watts), "{row:?}");
        assert_eq!(row.rail.as_deref(), Some("module"));
    }
    // Apart: one invocation a test.
    assert!(calls(folder.path()) >= collected.timings.len());
}

#[test]
fn a_log_that_was_written_meanwhile_is_power_too() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("meter.csv");
    let start = crate::power::now_s().floor();
    let lines: String = (-5..120)
        .map(|second| format!("{},{}\n", start + f64::from(second), 6.5))
        .collect();
    std::fs::write(&log, format!("epoch_s,power_w\n{lines}")).unwrap();
    let options = CollectOptions {
        power_log: Some(log),
        ..options(folder.path())
    };
    let collected = collect(&options, &Stop::new(), &mut |_| {}).unwrap();
    let power = collected.power.as_ref().unwrap();
    assert_eq!(
        (power.rail.name(), power.idle_watts),
        ("wall", Some(crate::units::Watts(6.5)))
    );
    assert!(collected.measurements().iter().all(|row| row.watts.is_some()));
    let missing = CollectOptions {
        power_log: Some(folder.path().join("none.csv")),
        ..options
    };
    let error = collect(&missing, &Stop::new(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("none.csv"), "{error}");
}

#[test]
fn an_interrupt_leaves_no_probe_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let stop = Stop::new();
    let error = collect(&options, &stop, &mut |event| {
        if matches!(event, Event::Preparing(_)) {
            stop.raise();
        }
    })
    .unwrap_err();
    assert!(
        matches!(error, CalibrateError::Measure(MeasureError::Interrupted)),
        "{error}"
    );
    let left = std::fs::read_dir(&options.folder)
        .unwrap()
        .filter_map(|entry| entry.ok()?.path().extension().map(Into::into));
    assert!(
        left.collect::<Vec<std::ffi::OsString>>()
            .iter()
            .all(|extension| extension == "jsonl")
    );
}

#[test]
fn what_cannot_be_done_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let small = options(folder.path());
    let nothing = CollectOptions {
        plan: PlanOptions {
            budget_s: 0.0,
            ..small.plan.clone()
        },
        ..small.clone()
    };
    let error = collect(&nothing, &Stop::new(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, CalibrateError::NothingFits { .. }), "{error}");
    let nowhere = CollectOptions {
        folder: "/dev/null/x".into(),
        ..small
    };
    let error = collect(&nowhere, &Stop::new(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, CalibrateError::Folder { .. }), "{error}");
}
