//! `edgeprof calibrate`: from files, and through a stand-in for llama-bench.

use crate::cli::edgeprof;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn sample(name: &str) -> String {
    format!("{}/tests/data/llama-bench/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs `calibrate` with the user's data in `home`: exit code, stdout, stderr.
fn calibrate(home: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = edgeprof()
        .arg("calibrate")
        .args(arguments)
        .env("XDG_DATA_HOME", home)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), stdout, stderr)
}

fn predict(home: &Path, arguments: &[&str]) -> Value {
    let output = edgeprof()
        .args(["predict", "--format", "json"])
        .args(arguments)
        .env("XDG_DATA_HOME", home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["predictions"][0].clone()
}

#[test]
fn a_file_of_llama_bench_calibrates_a_device_and_predict_finds_it() {
    let home = tempfile::tempdir().unwrap();
    let before = predict(
        home.path(),
        &["--model", "smollm2-360m", "--hw", "i3-14100", "--prec", "f16"],
    );
    let arguments = [
        "--hw",
        "i3-14100",
        "--from",
        &sample("two-models.json"),
        "--format",
        "json",
    ];
    let (code, stdout, stderr) = calibrate(home.path(), &arguments);
    assert_eq!(code, 0, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["device"], "i3-14100");
    let measured = report["measured"].as_array().unwrap();
    assert!(!measured.is_empty());
    for row in measured {
        assert!(row["residual"].as_f64().is_some() && row["tokens_per_s"].as_f64().is_some());
    }
    let memory = &report["factors"]["memory"];
    assert!(memory["value"].as_f64().unwrap() > 0.0 && memory["class_value"].as_f64().is_some());
    let written = home.path().join("edgeprof/calibration/i3-14100-cpu.toml");
    assert_eq!(report["written"][0].as_str().map(PathBuf::from), Some(written.clone()));
    assert!(written.is_file());
    let after = predict(
        home.path(),
        &["--model", "smollm2-360m", "--hw", "i3-14100", "--prec", "f16"],
    );
    assert_ne!(before["decode_tokens_per_s"], after["decode_tokens_per_s"]);
    // The same file by name.
    let named = [
        "--model",
        "smollm2-360m",
        "--hw",
        "i3-14100",
        "--prec",
        "f16",
        "--calibration",
        written.to_str().unwrap(),
    ];
    assert_eq!(
        predict(Path::new("/nonexistent"), &named)["decode_tokens_per_s"],
        after["decode_tokens_per_s"]
    );
}

#[test]
fn a_rate_that_the_device_cannot_have_is_left_out_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let mut rows: Value = serde_json::from_str(&std::fs::read_to_string(sample("two-models.json")).unwrap()).unwrap();
    let calibrated = |rows: &Value| -> Value {
        let file = home.path().join("rows.json");
        std::fs::write(&file, rows.to_string()).unwrap();
        let arguments = ["--hw", "i3-14100", "--format", "json", "--from", file.to_str().unwrap()];
        let (code, stdout, stderr) = calibrate(home.path(), &arguments);
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    };
    let without: Vec<Value> = rows.as_array().unwrap()[1..].to_vec();
    let without = calibrated(&Value::Array(without));
    assert_eq!(without["left_out"].as_array().map(Vec::len), Some(0));
    rows[0]["avg_ts"] = 1e14.into();
    let with = calibrated(&rows);
    let reason = with["left_out"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("times as fast as its class"), "{reason}");
    assert_eq!(with["factors"], without["factors"]);
}

#[test]
fn rows_of_other_devices_are_counted_and_not_used() {
    let home = tempfile::tempdir().unwrap();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/calibration/measurements/published.csv");
    let output = home.path().join("out/pi5.toml");
    let (code, stdout, stderr) = calibrate(
        home.path(),
        &["--hw", "pi5", "--from", table, "--output", output.to_str().unwrap()],
    );
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("Calibration of pi5") && stdout.contains("are not used"),
        "{stdout}"
    );
    let text = std::fs::read_to_string(&output).unwrap();
    assert!(text.contains("device = \"pi5\"") && text.contains("[[points]]"));
    assert!(!home.path().join("edgeprof").exists(), "only the named file is written");
}

#[test]
fn files_without_a_row_of_the_device_say_whose_they_are() {
    let home = tempfile::tempdir().unwrap();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/calibration/measurements/published.csv");
    let (code, stdout, stderr) = calibrate(home.path(), &["--hw", "edgeprofiler-pi4", "--from", table]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("no measurement of edgeprofiler-pi4"), "{stderr}");
    assert!(stderr.contains("hint: the files measure"), "{stderr}");
    let file = sample("two-models.json");
    let (code, stdout, stderr) = calibrate(home.path(), &["--hw", "i3-14100", "--threads", "63", "--from", &file]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("hint: ") && stderr.contains("--backend or --threads"),
        "{stderr}"
    );
}

#[cfg(not(feature = "llama"))]
#[test]
fn without_anything_to_measure_with_the_error_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let (code, _, stderr) = calibrate(home.path(), &[]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("scripts/install.sh") && stderr.contains("--llama-bench"),
        "{stderr}"
    );
}

/// Answers every product of lengths and threads at 100 tokens a second and thread.
#[cfg(unix)]
const LLAMA_BENCH: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in -m) m=$2;; -p) p=$2;; -n) n=$2;; -d) d=$2;; -t) t=$2;; esac
  shift 2
done
test -s "$m" || exit 1
for threads in $(echo "$t" | tr , ' '); do
  if [ "$n" = 0 ]; then lengths=$p; else lengths=$n; fi
  for length in $(echo "$lengths" | tr , ' '); do
    ns=$((length * 10000000 / threads))
    if [ "$n" = 0 ]; then pair="\"n_prompt\": $length, \"n_gen\": 0"; else pair="\"n_prompt\": 0, \"n_gen\": $length"; fi
    echo "{\"build_commit\": \"abc\", \"build_number\": 7, \"backends\": \"CPU\", \"n_threads\": $threads, $pair, \"n_depth\": $d, \"samples_ns\": [$ns, $ns, $((ns + 1000))]}"
  done
done
"#;

#[cfg(unix)]
#[test]
fn this_machine_is_measured_fitted_and_predicted() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("llama-bench");
    std::fs::write(&program, LLAMA_BENCH).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let arguments = ["--llama-bench", program.to_str().unwrap(), "--budget", "60s"];
    let (code, stdout, stderr) = calibrate(home.path(), &arguments);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("Calibration of host"), "{stdout}");
    assert!(
        stdout.contains("llama-bench 7 (abc, CPU)") && stdout.contains("memory, read"),
        "{stdout}"
    );
    let data = home.path().join("edgeprof");
    assert!(data.join("calibration/host-cpu.toml").is_file() && data.join("hardware/host.toml").is_file());
    let prediction = predict(home.path(), &["--model", "tinyllama", "--hw", "host", "--prec", "q4_0"]);
    assert!(prediction["decode_tokens_per_s"].as_f64().unwrap() > 0.0);
    assert_eq!(prediction["basis"]["calibration"], "host-cpu", "{prediction}");
    // And once more: a file that edgeprof wrote is no description of the user's.
    let (code, stdout, stderr) = calibrate(home.path(), &["--probe", "--llama-bench", program.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains(&format!("engine: {}", program.display())),
        "a user sees what would measure: {stdout}"
    );
}

/// A table of Markdown names no device, and the JSON a CPU that the catalogue may not know.
#[test]
fn validate_judges_what_llama_bench_wrote_on_the_device_that_is_named() {
    let validate = |arguments: &[&str]| {
        let output = edgeprof().arg("validate").args(arguments).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap(), stdout, stderr)
    };
    let table = sample("smollm2.md");
    let (code, stdout, stderr) = validate(&[&table]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.contains("4 of 4 are left out because the file does not name the device"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: ") && stderr.contains("--hw"), "{stderr}");
    for file in [table, sample("smollm2.sql")] {
        let (code, stdout, stderr) = validate(&[&file, "--hw", "n100", "--format", "json"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains("taken to be of n100"), "{stderr}");
        let validation: Value = serde_json::from_str(&stdout).unwrap();
        let rows = validation["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row["device"] == "n100"));
    }
}

#[test]
fn tables_of_calibrate_are_set_for_papers_and_programs_too() {
    let home = tempfile::tempdir().unwrap();
    let file = sample("two-models.json");
    let from = |format| calibrate(home.path(), &["--hw", "i3-14100", "--from", &file, "--format", format]);
    let (code, stdout, stderr) = from("latex");
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("\\usepackage{booktabs}") && stdout.contains("\\caption{Factors}"),
        "{stdout}"
    );
    let (_, stdout, _) = from("markdown");
    assert!(
        stdout.starts_with("# Calibration of i3-14100") && stdout.contains("| model "),
        "{stdout}"
    );
    let (code, stdout, stderr) = calibrate(home.path(), &["--plan", "--budget", "30s", "--format", "json"]);
    assert_eq!(code, 0, "{stderr}");
    let plan: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(plan["budget_s"], 30.0);
    assert!(plan["expected_s"].as_f64().unwrap() > 0.0);
    for probe in plan["probes"].as_array().unwrap() {
        assert!(probe["weight_bytes"].as_u64().unwrap() <= plan["disk_bytes"].as_u64().unwrap());
        assert!(!probe["tests"].as_array().unwrap().is_empty());
    }
    let (_, stdout, _) = calibrate(home.path(), &["--plan", "--format", "markdown"]);
    assert!(stdout.starts_with("| model "), "{stdout}");
}
