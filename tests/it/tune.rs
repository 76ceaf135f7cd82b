//! `tune`: the best setting of a device for a model, and what cannot be told apart.

use crate::cli::{DATA, edgeprof, run};
use insta::assert_snapshot;
use serde_json::Value;

fn tune(arguments: &str) -> String {
    run(&format!(
        "tune --data {DATA} --model test-model --hw test-board {arguments}"
    ))
}

fn document(command: &str, arguments: &str) -> Value {
    let output = edgeprof()
        .args([command, "--format", "json", "--data", DATA])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn tuning(arguments: &str) -> Value {
    let document = document("tune", arguments);
    assert_eq!(document["schema"], 1);
    document["tunings"][0].clone()
}

#[test]
fn the_best_of_each_phase_stands_above_its_alternatives() {
    assert_snapshot!(tune("--prec q4_0 --power-mode slow"));
    assert_snapshot!(tune(
        "--prec q4_0 --for action --knob power-mode,threads --generate 0 --format csv"
    ));
}

#[test]
fn no_alternative_beats_the_best_by_more_than_the_intervals_leave_open() {
    for goal in ["speed", "energy", "action"] {
        for target in ["pi5", "orin-nano-super", "rtx-3060", "m2 --backend metal"] {
            let tuning = tuning(&format!("--model llama-3.2-1b --prec q4_0 --for {goal} --hw {target}"));
            for best in tuning["phases"].as_array().unwrap() {
                assert!(best["gain"].as_f64().unwrap() >= 1.0 - 1e-9, "{goal} {target}");
                for row in best["alternatives"].as_array().unwrap() {
                    let of_best = row["of_best"].as_f64().unwrap();
                    let told = row["verdict"] == "worse" || row["verdict"] == "does-not-fit";
                    assert!(
                        of_best <= 1.0 + 1e-9 || row["verdict"] == "open",
                        "{goal} {target} {row}"
                    );
                    assert!(!told || of_best < 1.0, "{row}");
                }
            }
            assert!(tuning["request"]["gain"].as_f64().unwrap() >= 1.0 - 1e-9);
        }
    }
}

#[test]
fn the_best_is_what_predict_says_of_its_flags() {
    let question = "--model test-model --hw test-board --prec q8_0";
    let tuning = tuning(&format!("{question} --power-mode slow"));
    for (at, rate) in ["prefill_tokens_per_s", "decode_tokens_per_s"].into_iter().enumerate() {
        let best = &tuning["phases"][at];
        let setting = &best["setting"];
        let flags = format!(
            "{question} --threads {} --power-mode {} --kv-type {} --ubatch {}",
            setting["threads"],
            setting["power_mode"].as_str().unwrap(),
            setting["kv_type"][0].as_str().unwrap(),
            setting["ubatch"],
        );
        let predicted = document("predict", &flags)["predictions"][0][rate].as_f64().unwrap();
        let told = best["tokens"].as_f64().unwrap() / best["seconds"].as_f64().unwrap();
        assert!((told / predicted - 1.0).abs() < 1e-9);
        assert_eq!(setting["power_mode"], "fast");
    }
    assert_eq!(tuning["phases"][0]["worth_setting"], serde_json::json!(["power-mode"]));
}

/// What Abstreiter, Tarkoma and Morabito (arXiv 2503.09114, section 5.2) found on a Raspberry Pi 5 with Q4_0: prefill gains from every
/// core, generation hardly anything from the fourth.
#[test]
fn a_pi_5_prefills_with_every_core_and_decodes_with_three() {
    let tuning = tuning("--model llama-3.2-1b --prec q4_0 --hw pi5 --knob threads");
    let of_best = |phase: usize, threads: &str| {
        let rows = tuning["phases"][phase]["alternatives"].as_array().unwrap();
        let row = rows.iter().find(|row| row["value"] == threads).unwrap();
        (
            row["of_best"].as_f64().unwrap(),
            row["verdict"].as_str().unwrap().to_owned(),
        )
    };
    let (prefill, verdict) = of_best(0, "3");
    assert!(
        (0.70..0.85).contains(&prefill) && verdict == "worse",
        "{prefill} {verdict}"
    );
    let (decode, verdict) = of_best(1, "3");
    assert!(decode > 0.88 && verdict != "worse", "{decode} {verdict}");
}

#[test]
fn what_cannot_be_tuned_says_why() {
    assert_snapshot!(run("tune --model llama-3-70b --hw pi5"));
    assert_snapshot!(tune("--prompt 0 --generate 0"));
    assert_snapshot!(tune("--for spped"));
    assert_snapshot!(tune("--knob thread"));
    assert_snapshot!(tune("--backend cuda"));
    assert_snapshot!(run("tune --model tinylama --hw pi5"));
}
