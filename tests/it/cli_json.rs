//! The JSON of `predict`: scripts that the project does not own read it, so its keys and their meaning hold.

use crate::cli::edgeprof;
use serde_json::Value;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data");

/// Keys that every prediction has, whatever the formulas.
const KEYS: &[&str] = &[
    "model",
    "hardware",
    "backend",
    "precision",
    "formulas",
    "workload",
    "parameters",
    "active_parameters",
    "flops_per_token",
    "weight_bytes",
    "kv_cache_bytes",
    "activation_bytes",
    "memory_bytes",
    "capacity_bytes",
    "fits",
    "arithmetic_intensity",
    "compute_s",
    "memory_s",
    "io_s",
    "h2d_s",
    "network_s",
    "end_to_end_s",
    "prefill_s",
    "prefill_tokens_per_s",
    "ttft_s",
    "decode_s_per_token",
    "decode_tokens_per_s",
    "energy_j_per_token",
    "prefill_energy_j_per_token",
    "decode_energy_j_per_token",
    "request_energy_j",
    "prefill_action_j_s_per_token",
    "decode_action_j_s_per_token",
    "currency",
    "input_cost_per_million_tokens",
    "output_cost_per_million_tokens",
    "request_cost",
    "input_api_price_over_cost",
    "output_api_price_over_cost",
    "request_api_price_over_cost",
    "input_co2_kg_per_million_tokens",
    "output_co2_kg_per_million_tokens",
    "request_co2_kg",
    "battery_j",
    "battery_requests",
    "battery_s",
    "reading_speed_tokens_per_s",
    "reading_speed_met",
    "bound",
    "intervals",
    "basis",
];

/// Keys that are null under the paper's formulas.
const NOT_THE_PAPERS: &[&str] = &[
    "active_parameters",
    "prefill_s",
    "prefill_tokens_per_s",
    "ttft_s",
    "decode_s_per_token",
    "decode_tokens_per_s",
    "prefill_energy_j_per_token",
    "decode_energy_j_per_token",
];

fn predictions(arguments: &str) -> Vec<Value> {
    let output = edgeprof()
        .args(["predict", "--format", "json", "--data", DATA])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(document.as_object().unwrap().len(), 2);
    let predictions = document["predictions"].as_array().unwrap().clone();
    for prediction in &predictions {
        for key in KEYS {
            assert!(prediction.get(key).is_some(), "{key} is missing");
        }
        for part in [
            "decode_tokens_per_s",
            "prefill_tokens_per_s",
            "memory_bytes",
            "decode_energy_j_per_token",
        ] {
            assert!(
                prediction["intervals"].get(part).is_some(),
                "intervals.{part} is missing"
            );
        }
        for part in [
            "calibration",
            "origin",
            "held_out_error",
            "inside_measured_range",
            "notes",
        ] {
            assert!(prediction["basis"].get(part).is_some(), "basis.{part} is missing");
        }
        for part in ["prefill", "decode"] {
            assert!(prediction["bound"].get(part).is_some(), "bound.{part} is missing");
        }
    }
    predictions
}

#[test]
fn every_combination_is_one_object() {
    let predictions = predictions("--model test-model,THE-TEST-MODEL --hw test-board --prec q4_0,F16,bf16");
    let ids: Vec<_> = predictions
        .iter()
        .map(|p| (p["model"].as_str().unwrap(), p["precision"].as_str().unwrap()))
        .collect();
    assert_eq!(
        ids,
        [("test-model", "q4_0"), ("test-model", "f16"), ("test-model", "bf16")].repeat(2)
    );
}

#[test]
fn the_figures_of_a_prediction_agree_with_each_other() {
    let prediction = &predictions("--model test-model --hw test-board --prec int4 --prompt 256 --generate 64")[0];
    let number = |key: &str| prediction[key].as_f64().unwrap();
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
    near(256.0 / number("prefill_s"), number("prefill_tokens_per_s"));
    near(1.0 / number("decode_s_per_token"), number("decode_tokens_per_s"));
    near(number("prefill_s") + number("decode_s_per_token"), number("ttft_s"));
    near(
        number("io_s") + number("repack_s") + number("prefill_s") + 64.0 * number("decode_s_per_token"),
        number("end_to_end_s"),
    );
    for key in [
        "decode_tokens_per_s",
        "prefill_tokens_per_s",
        "memory_bytes",
        "decode_energy_j_per_token",
    ] {
        let interval = &prediction["intervals"][key];
        let [low, high] = [0, 1].map(|at| interval[at].as_f64().unwrap());
        assert!(0.0 < low && low < number(key) && number(key) < high, "{key}");
    }
    assert_eq!(prediction["mix"], "q4_k_m");
    assert_eq!(prediction["h2d_s"], Value::Null, "a CPU copies nothing");
    assert_eq!(prediction["workload"]["context"], 320);
    assert_eq!(prediction["basis"]["calibration"], "test-board-cpu");
    assert_eq!(prediction["basis"]["origin"], "device");
}

#[test]
fn what_does_not_apply_is_null() {
    let prediction = &predictions("--model test-model --hw test-board --prec q4_0 --prompt 0")[0];
    for key in ["prefill_s", "prefill_tokens_per_s", "prefill_energy_j_per_token"] {
        assert!(prediction[key].is_null(), "{key}");
    }
    assert!(prediction["bound"]["prefill"].is_null() && prediction["intervals"]["prefill_tokens_per_s"].is_null());
    assert!(prediction["decode_s_per_token"].is_f64() && prediction["ttft_s"] == prediction["decode_s_per_token"]);

    let prediction = &predictions("--model test-model --hw test-board --prec q4_0 --generate 0")[0];
    for key in [
        "decode_s_per_token",
        "decode_tokens_per_s",
        "decode_energy_j_per_token",
        "compute_s",
        "memory_s",
    ] {
        assert!(prediction[key].is_null(), "{key}");
    }
    assert!(prediction["bound"]["decode"].is_null() && prediction["prefill_s"].is_f64());

    let prediction = &predictions("--model test-model --hw test-board --prec q4_0 --generate 0 --prompt 0")[0];
    assert!(
        prediction["prefill_s"].is_null()
            && prediction["decode_s_per_token"].is_null()
            && prediction["ttft_s"].is_null()
    );
    assert!(prediction["arithmetic_intensity"].is_null() && prediction["energy_j_per_token"].is_null());
}

#[test]
fn the_papers_formulas_fill_the_same_keys() {
    let prediction =
        &predictions("--model edgeprofiler-tinyllama --hw edgeprofiler-pi4 --prec int8 --formulas edgeprofiler")[0];
    for key in NOT_THE_PAPERS {
        assert!(prediction[key].is_null(), "{key}");
    }
    for (key, value) in prediction["intervals"].as_object().unwrap() {
        assert!(value.is_null(), "{key}");
    }
    assert!(prediction["basis"]["calibration"].is_null());
    assert_eq!(prediction["parameters"], 1_413_812_224_u64);
    assert_eq!(prediction["flops_per_token"], 4_026_974_208.0);
    // P + S·H + 2L·S·H at one byte an element and S = 1024
    assert_eq!(prediction["memory_bytes"], 1_413_812_224_u64 + 2_097_152 + 100_663_296);
    assert_eq!(prediction["workload"]["context"], 1024);
    let end_to_end = prediction["end_to_end_s"].as_f64().unwrap();
    assert!((end_to_end - 3.862).abs() < 5e-4, "{end_to_end}");
    let longer =
        &predictions("--model test-model --hw test-board --prec fp16 --formulas edgeprofiler --context 4096")[0];
    assert_eq!(longer["workload"]["context"], 4096);
    assert_eq!(longer["kv_cache_bytes"], 2 * 16 * 4096 * 2048 * 2);
}
