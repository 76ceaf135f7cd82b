//! How a device is set up: another clock than its power mode sets, and the machine that a card sits in.

use crate::cli::{DATA, edgeprof, run};
use insta::assert_snapshot;
use serde_json::Value;

fn prediction(arguments: &str) -> Value {
    let output = edgeprof()
        .args(["predict", "--format", "json", "--data", DATA])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["predictions"][0].clone()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} is {}", row[key]))
}

/// The made-up board has a mode of 1 GHz: the clock asked for is that mode by another name.
#[test]
fn a_clock_is_a_power_mode_of_that_clock() {
    let question = "--model test-model --hw test-board --prec q4_0";
    let (mode, clock) = (
        prediction(&format!("{question} --power-mode slow")),
        prediction(&format!("{question} --clock 1GHz")),
    );
    for key in [
        "prefill_s",
        "decode_s_per_token",
        "compute_s",
        "memory_s",
        "overhead_s",
        "memory_bytes",
    ] {
        assert_eq!(mode[key], clock[key], "{key}");
    }
    assert_eq!(clock["power_mode"], "fast at 1000 MHz");
}

/// Half the clock: twice the time of arithmetic and of fixed costs, the same time of memory.
#[test]
fn arithmetic_follows_the_clock_and_memory_does_not() {
    let question = "--model llama-3.2-1b --hw pi5 --prec q4_0";
    let (full, half) = (prediction(question), prediction(&format!("{question} --clock 1.2GHz")));
    for (key, times) in [("compute_s", 2.0), ("overhead_s", 2.0), ("memory_s", 1.0)] {
        assert!((number(&half, key) / number(&full, key) - times).abs() < 1e-9, "{key}");
    }
    let same = prediction(&format!("{question} --clock 2.4GHz"));
    assert_eq!(full["decode_tokens_per_s"], same["decode_tokens_per_s"]);
}

#[test]
fn a_card_leaves_layers_to_the_machine_it_sits_in() {
    let question = "--model llama-3.1-8b --hw rtx-3060 --prec q8_0";
    let machine = "--host ryzen-9-7950x";
    let all = prediction(&format!("{question} {machine}"));
    let (alone, half) = (
        prediction(question),
        prediction(&format!("{question} {machine} --gpu-layers 16")),
    );
    assert_eq!(
        all["decode_tokens_per_s"], alone["decode_tokens_per_s"],
        "the card computes all of it"
    );
    let slower = number(&half, "decode_tokens_per_s");
    assert!(slower < number(&all, "decode_tokens_per_s"));
    // Nothing on the card is what the machine does by itself, but for the card's share of the fixed costs.
    let none = number(
        &prediction(&format!("{question} {machine} --gpu-layers 0")),
        "decode_tokens_per_s",
    );
    let cpu = prediction("--model llama-3.1-8b --hw ryzen-9-7950x --backend cpu --prec q8_0");
    assert!(
        (none / number(&cpu, "decode_tokens_per_s") - 1.0).abs() < 0.05,
        "{none}"
    );
    assert!(none < slower);
    assert!(
        half["basis"]["notes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|note| note.as_str().unwrap().starts_with("in "))
    );
}

#[test]
fn what_cannot_be_set_up_says_why() {
    for arguments in [
        "predict --model tinyllama --hw pi5 --clock fast",
        "predict --model tinyllama --hw pi5 --clock 9GHz",
        "predict --model tinyllama --hw pi5 --clock 0Hz",
        "predict --model tinyllama --hw pi5 --host ryzen-9-7950x",
        "predict --model tinyllama --hw rtx-3060 --host rtx-4090",
        "predict --model tinyllama --hw rtx-3060 --host ryzen-9",
        "predict --model tinyllama --hw rtx-3060 --gpu-layers 4",
        "predict --model edgeprofiler-tinyllama --hw edgeprofiler-pi4 --prec int8 --formulas edgeprofiler --clock 1GHz",
    ] {
        assert_snapshot!(run(arguments));
    }
}

#[test]
fn a_clock_stands_where_a_mode_does() {
    assert_snapshot!(run(&format!(
        "compare --data {DATA} --model test-model --prec q4_0 test-board@1.5GHz test-board"
    )));
}
