//! `compare`: two targets side by side, and when the dearer one pays.

use crate::cli::{DATA, edgeprof, run};
use insta::assert_snapshot;
use serde_json::Value;

fn compare(arguments: &str) -> String {
    run(&format!("compare --data {DATA} --model test-model {arguments}"))
}

fn comparison(arguments: &str) -> Value {
    let output = edgeprof()
        .args(["compare", "--format", "json", "--data", DATA, "--model", "test-model"])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    document["comparisons"][0].clone()
}

const PRICED: &str = "test-board@fast test-board@slow --prec q4_0 --price 0.20/kWh --device-price $97,$598.80";

#[test]
fn two_settings_of_a_board_stand_side_by_side() {
    assert_snapshot!(compare(&format!(
        "{PRICED} --tokens-ratio 1:10,10:1 --utilization 50%,1 --battery 18.84Wh --api-price 0.15,0.60"
    )));
    assert_snapshot!(compare("test-board@slow test-board --prec q4_0,q8_0 --format markdown"));
    assert_snapshot!(compare("test-board@slow test-board --prec q4_0 --format csv"));
}

#[test]
fn what_does_not_fit_wins_nothing_but_memory() {
    let comparison = comparison("test-board pi5 --prec f32 --price 0.20/kWh --device-price 50,97");
    assert_eq!(comparison["a"]["prediction"]["fits"], false);
    for row in comparison["metrics"].as_array().unwrap() {
        let key = row["metric"].as_str().unwrap();
        assert!(key == "memory_bytes" || row["better"] == "b", "{row}");
    }
    let notes = comparison["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| {
        note.as_str()
            .unwrap()
            .starts_with("test-board@fast: it does not fit, so it has no speed")
    }));
    assert!(
        notes
            .iter()
            .any(|note| note == "no break-even time: the model does not fit on both")
    );
    assert_eq!(comparison["break_even"], Value::Array(Vec::new()));
}

#[test]
fn ratios_winners_and_break_even_follow_from_the_two_predictions() {
    let comparison = comparison(&format!("{PRICED} --tokens-ratio 4:1 --utilization 0.5"));
    let of = |side: &str, key: &str| comparison[side]["prediction"][key].as_f64().unwrap();
    for row in comparison["metrics"].as_array().unwrap() {
        let [a, b, ratio] = ["a", "b", "b_over_a"].map(|key| row[key].as_f64().unwrap());
        assert!((ratio - b / a).abs() < 1e-9, "{row}");
        let key = row["metric"].as_str().unwrap();
        let more = key.contains("per_s") && !key.contains("j_s");
        let expected = if a == b {
            "neither"
        } else if (a > b) == (more || key.starts_with("battery") || key.starts_with("capacity")) {
            "a"
        } else {
            "b"
        };
        assert_eq!(row["better"], expected, "{row}");
    }
    let row = &comparison["break_even"][0];
    assert_eq!(
        (&row["dearer"], &row["currency"]),
        (&"test-board@slow".into(), &"USD".into())
    );
    // Four input tokens and one output token on each, from the figures of the predictions.
    let energy = |side| 4.0 * of(side, "prefill_energy_j_per_token") + of(side, "decode_energy_j_per_token");
    let time = |side| 4.0 * of(side, "prefill_s") / 512.0 + of(side, "decode_s_per_token");
    let saved_w = (energy("a") - energy("b")) / time("b") * 0.5;
    let after_s = row["after_s"].as_f64().unwrap();
    assert!((after_s / (501.80 / (saved_w * 0.20 / 3.6e6)) - 1.0).abs() < 1e-9);
    let busy = row["cheaper_utilization"].as_f64().unwrap();
    assert!((busy / (0.5 * time("a") / time("b")) - 1.0).abs() < 1e-9);
}

/// The devices, prices and price of energy of arXiv 2503.09114, section 6.3: whatever the mix of tokens, and even if the Orin never
/// rests, it takes years to pay for itself; and an input-heavy use pays sooner.
#[test]
fn an_orin_takes_years_to_pay_for_itself_against_a_pi() {
    let output = edgeprof()
        .args([
            "compare",
            "pi5",
            "orin-nano",
            "--model",
            "llama-3.2-1b",
            "--prec",
            "q4_0",
            "--format",
            "json",
        ])
        .args([
            "--price",
            "20 cents/kWh",
            "--tokens-ratio",
            "1:10,1:1,10:1",
            "--utilization",
            "0.1,1",
        ])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = document["comparisons"][0]["break_even"].as_array().unwrap();
    let years: Vec<f64> = rows
        .iter()
        .map(|row| row["after_s"].as_f64().unwrap() / 31_557_600.0)
        .collect();
    assert_eq!(
        rows[0]["price_difference"]
            .as_f64()
            .map(|money| (money * 100.0).round()),
        Some(50_180.0)
    );
    assert!(years.iter().all(|&years| years > 2.0), "{years:?}");
    for pair in years.chunks(2) {
        assert!(
            (pair[0] / pair[1] - 10.0).abs() < 1e-9,
            "a tenth of the use takes ten times as long"
        );
    }
    assert!(years[5] < years[3] && years[3] < years[1], "{years:?}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    assert_snapshot!(compare("test-board@warp test-board"));
    assert_snapshot!(compare("test-board:cuda test-board"));
    assert_snapshot!(compare("test-bord test-board"));
    assert_snapshot!(compare("test-board:npu test-board"));
    assert_snapshot!(compare("test-board@ test-board"));
    assert_snapshot!(compare("test-board test-board --device-price 5"));
    assert_snapshot!(compare("test-board test-board --calibration test-board-cpu"));
    assert_snapshot!(compare("test-board test-board --utilization 0"));
    assert_snapshot!(compare("test-board test-board --tokens-ratio 4"));
    assert_snapshot!(compare(
        "test-board@slow test-board --price 0.20EUR/kWh --device-price $50,$60"
    ));
}
