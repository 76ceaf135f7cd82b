//! What does not fit in memory has no speed, wherever it is asked for.

use crate::cli::{edgeprof, run};
use insta::assert_snapshot;
use serde_json::Value;

const MISFIT: &str = "--model llama-2-13b --hw pi5 --prec q8_0";

fn json(arguments: &str) -> Value {
    let output = edgeprof()
        .args(arguments.split_whitespace())
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_keys_stay_and_are_null() {
    let prediction = &json(&format!("predict {MISFIT}"))["predictions"][0];
    assert_eq!(prediction["fits"], false);
    for key in [
        "prefill_s",
        "prefill_tokens_per_s",
        "ttft_s",
        "decode_s_per_token",
        "decode_tokens_per_s",
        "end_to_end_s",
        "compute_s",
        "memory_s",
        "energy_j_per_token",
        "prefill_energy_j_per_token",
        "decode_energy_j_per_token",
        "request_energy_j",
        "reading_speed_met",
    ] {
        assert_eq!(prediction.get(key), Some(&Value::Null), "{key}");
    }
    for key in [
        "decode_tokens_per_s",
        "prefill_tokens_per_s",
        "decode_energy_j_per_token",
    ] {
        assert_eq!(prediction["intervals"].get(key), Some(&Value::Null), "{key}");
    }
    for key in [
        "memory_bytes",
        "capacity_bytes",
        "io_s",
        "paging_s_per_token",
        "arithmetic_intensity",
    ] {
        assert!(prediction[key].as_f64().is_some_and(|figure| figure > 0.0), "{key}");
    }
}

#[test]
fn tables_say_so() {
    assert_snapshot!(run(&format!("predict {MISFIT},q4_0")));
    assert_snapshot!(run(
        "predict --model llama-2-13b --hw rtx-3060,orin-nano-super --prec q8_0"
    ));
}

#[test]
fn a_card_too_small_says_how_many_layers_it_holds() {
    let screen = run("predict --model llama-2-13b --hw rtx-3060 --host ryzen-9-7950x --prec q8_0");
    let line = screen
        .lines()
        .find(|line| line.contains("layers that fit on the GPU"))
        .unwrap();
    let layers: u64 = line.split_whitespace().nth_back(2).unwrap().parse().unwrap();
    let fits = |layers: u64| {
        let question =
            format!("predict --model llama-2-13b --hw rtx-3060 --host ryzen-9-7950x --prec q8_0 --gpu-layers {layers}");
        json(&question)["predictions"][0]["fits"].clone()
    };
    assert_eq!(
        (fits(layers), fits(layers + 1)),
        (Value::Bool(true), Value::Bool(false)),
        "{line}"
    );
}

#[test]
fn comparisons_go_to_what_fits() {
    assert_snapshot!(run(
        "compare pi5 m2-max --model llama-2-13b --prec q8_0 --price 0.20/kWh"
    ));
}

#[test]
fn settings_that_fit_are_found_where_the_default_does_not() {
    let question = "tune --model llama-3.1-8b --hw rtx-2070-max-q --host ryzen-9-7950x --prec q8_0 --knob gpu-layers";
    assert_snapshot!(run(question));
    let phase = &json(question)["tunings"][0]["phases"][0];
    assert_eq!(
        (&phase["gain"], &phase["default_seconds"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(phase["worth_setting"][0], "gpu-layers");
    assert_snapshot!(run(&format!("tune {MISFIT}")));
}

#[test]
fn what_misses_by_its_size_is_recommended_against_for_it() {
    let found = json("recommend --hw pi5 --model llama-2-13b,bert-base --prec q8_0,f16");
    assert_eq!(found["considered"], 1, "an encoder generates nothing");
    let miss = &found["nearest_misses"][0];
    assert_eq!(miss["failures"][0]["kind"], "does-not-fit");
    assert_eq!(
        miss["failures"].as_array().unwrap().len(),
        1,
        "no speed to be too slow at: {miss}"
    );
}

#[cfg(feature = "figures")]
#[test]
fn figures_leave_it_out_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    for figure in [
        "latency",
        "token",
        "roofline",
        "trade-off",
        "energy",
        "end-to-end",
        "depth",
        "threads",
        "sensitivity",
    ] {
        let file = folder.path().join(format!("{figure}.svg"));
        let plot = |precisions: &str| {
            let question = format!(
                "plot {figure} --model llama-2-13b --hw pi5 --prec {precisions} -o {}",
                file.display()
            );
            edgeprof().args(question.split_whitespace()).output().unwrap()
        };
        let none = plot("q8_0");
        let error = String::from_utf8_lossy(&none.stderr).into_owned();
        assert_eq!(none.status.code(), Some(1), "{figure}: {error}");
        assert!(error.contains("does not fit in the memory of pi5"), "{figure}: {error}");
    }
}
