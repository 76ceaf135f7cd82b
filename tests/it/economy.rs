//! What a prediction comes to: money, carbon, batteries and readers, as the command shows it, and the laws that hold for any work.

use crate::cli::{DATA, edgeprof, run};
use edgeprof::economy::{Economy, Terms, Work};
use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value;

fn predict(arguments: &str) -> String {
    run(&format!(
        "predict --data {DATA} --model test-model --hw test-board --prec q4_0 {arguments}"
    ))
}

/// The first prediction in JSON.
fn prediction(arguments: &[&str]) -> Value {
    let output = edgeprof()
        .args(["predict", "--format", "json", "--data", DATA])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["predictions"][0].clone()
}

#[test]
fn a_screen_says_what_it_comes_to() {
    assert_snapshot!(predict(
        "--price $0.20/kWh --api-price 0.15,0.60 --battery 18.84Wh --grid 400gCO2/kWh"
    ));
}

#[test]
fn rows_have_a_column_for_each_term_that_was_stated() {
    assert_snapshot!(predict(
        "--prec q8_0 --price 0.20/kWh --api-price 0.15,0.60 --battery 5000mAh@3.85V --grid 0.4kg/kWh"
    ));
}

#[test]
fn terms_that_say_nothing_are_wrong_usage_with_an_example() {
    assert_snapshot!(predict("--price 0.20"));
    assert_snapshot!(predict("--price 0,20/kWh"));
    assert_snapshot!(predict("--price 0.20/kW"));
    assert_snapshot!(predict("--price dollars/kWh"));
    assert_snapshot!(predict("--api-price 0.15"));
    assert_snapshot!(predict("--battery 5000mAh"));
    assert_snapshot!(predict("--grid 400"));
    assert_snapshot!(predict("--reading-speed fast"));
    assert_snapshot!(predict("--price 0.20EUR/kWh --api-price $0.15,$0.60"));
    assert_snapshot!(predict("--api-price 0.15,0.60"));
}

#[test]
fn the_keys_agree_with_each_other() {
    let terms = [
        "--price",
        "0.20 EUR/kWh",
        "--api-price",
        "0.15,0.60",
        "--grid",
        "400 g/kWh",
        "--battery",
        "18.84Wh",
    ];
    let question = [
        "--model",
        "test-model",
        "--hw",
        "test-board",
        "--prec",
        "q4_0",
        "--sequences",
        "2",
    ];
    let row = prediction(&[&question[..], &terms[..]].concat());
    let number = |key: &str| row[key].as_f64().unwrap_or_else(|| panic!("{key} is {}", row[key]));
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
    let (input, output) = (
        number("prefill_energy_j_per_token"),
        number("decode_energy_j_per_token"),
    );
    near(number("request_energy_j"), 2.0 * (512.0 * input + 128.0 * output));
    near(number("request_energy_j"), number("energy_j_per_token") * 2.0 * 640.0);
    near(number("input_cost_per_million_tokens"), input / 3.6 * 0.20);
    near(number("output_cost_per_million_tokens"), output / 3.6 * 0.20);
    near(
        number("output_api_price_over_cost"),
        0.60 / number("output_cost_per_million_tokens"),
    );
    near(number("output_co2_kg_per_million_tokens"), output / 3.6 * 0.4);
    near(number("battery_requests"), 67_824.0 / number("request_energy_j"));
    let request_s = number("prefill_s") + 128.0 * number("decode_s_per_token");
    near(number("battery_s"), number("battery_requests") * request_s);
    // E/t: energy of the phase over tokens per second, all sequences together
    near(
        number("prefill_action_j_s_per_token"),
        1024.0 * input / number("prefill_tokens_per_s"),
    );
    near(
        number("decode_action_j_s_per_token"),
        256.0 * output / number("decode_tokens_per_s"),
    );
    assert_eq!(row["currency"], "EUR");
    assert_eq!(row["reading_speed_met"], number("decode_tokens_per_s") / 2.0 >= 5.3);
}

#[test]
fn nothing_that_was_not_stated_is_made_up() {
    let row = prediction(&[
        "--model",
        "test-model",
        "--hw",
        "test-board",
        "--prec",
        "q4_0",
        "--generate",
        "0",
    ]);
    for key in [
        "currency",
        "request_cost",
        "input_cost_per_million_tokens",
        "input_api_price_over_cost",
        "request_co2_kg",
        "battery_j",
        "battery_s",
        "decode_action_j_s_per_token",
        "reading_speed_met",
    ] {
        assert!(row[key].is_null(), "{key} is {}", row[key]);
    }
    assert!(row["request_energy_j"].is_f64() && row["prefill_action_j_s_per_token"].is_f64());
    // A phone's own battery is on its data sheet.
    let row = prediction(&["--model", "tinyllama", "--hw", "snapdragon-8-gen-2"]);
    assert!(row["battery_requests"].as_f64().is_some_and(|requests| requests > 1.0));
}

fn any_work() -> impl Strategy<Value = Work> {
    let energy = prop::option::of(1e-6..1e3_f64);
    (
        0_u32..5000,
        0_u32..5000,
        1e-3..1e4_f64,
        1e-3..1e4_f64,
        energy.clone(),
        energy,
    )
        .prop_map(|(prompt, generate, prefill, decode, input, output)| Work {
            prompt_tokens: f64::from(prompt),
            generated_tokens: f64::from(generate),
            prefill_s: (prompt > 0).then_some(prefill),
            decode_s: (generate > 0).then_some(decode),
            prefill_energy_j_per_token: input.filter(|_| prompt > 0),
            decode_energy_j_per_token: output.filter(|_| generate > 0),
            sequence_tokens_per_s: (generate > 0).then(|| f64::from(generate) / decode),
        })
}

fn figures(economy: &Economy) -> Vec<f64> {
    serde_json::to_value(economy)
        .unwrap()
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_f64)
        .collect()
}

proptest! {
    #[test]
    fn figures_are_finite_and_costs_follow_the_price(work in any_work(), cents in 1_u32..100) {
        let terms = |cents: u32| Terms {
            price: format!("{cents} cents/kWh").parse().ok(),
            api_price: "0.15,0.60".parse().ok(),
            battery: "18.84 Wh".parse().ok(),
            grid: "400 g/kWh".parse().ok(),
            ..Terms::default()
        };
        let (once, twice) = (Economy::of(&work, &terms(cents)), Economy::of(&work, &terms(2 * cents)));
        prop_assert!(figures(&once).iter().all(|figure| figure.is_finite() && *figure >= 0.0));
        for (once, twice) in [
            (once.request_cost, twice.request_cost),
            (once.output_cost_per_million_tokens, twice.output_cost_per_million_tokens),
            (twice.request_api_price_over_cost, once.request_api_price_over_cost),
        ] {
            prop_assert_eq!(once.is_some(), twice.is_some());
            if let Some((once, twice)) = once.zip(twice) {
                prop_assert!((twice / once - 2.0).abs() < 1e-9);
            }
        }
        prop_assert_eq!(once.request_energy_j, twice.request_energy_j);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,24}", amount in "[0-9.,$€ ]{0,8}", unit in "[/a-zA-Z2₂ @]{0,10}") {
        for text in [text, format!("{amount}{unit}")] {
            let _ = text.parse::<edgeprof::economy::EnergyPrice>();
            let _ = text.parse::<edgeprof::economy::ApiPrice>();
            let _ = text.parse::<edgeprof::economy::Battery>();
            let _ = text.parse::<edgeprof::economy::CarbonIntensity>();
            let _ = text.parse::<edgeprof::economy::ReadingSpeed>();
            let _ = text.parse::<edgeprof::economy::Mix>();
        }
    }
}
