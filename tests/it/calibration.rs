//! `edgeprof calibration show|list|diff`.

use crate::cli::{DATA, edgeprof, run};
use serde_json::Value;

const BOARD: &str = include_str!("data/calibration/test-board-cpu.toml");

fn show(arguments: &[&str]) -> Value {
    let output = edgeprof()
        .arg("calibration")
        .args(arguments)
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_calibration_is_shown_beside_its_class_with_its_points() {
    let shown = show(&["show", "pi5-cpu"]);
    assert_eq!((&shown["device"], &shown["backend"]), (&"pi5".into(), &"cpu".into()));
    let factors = shown["factors"].as_array().unwrap();
    let memory = factors.iter().find(|factor| factor["factor"] == "memory").unwrap();
    for key in ["value", "error", "class_value", "class_error"] {
        assert!(memory[key].as_f64().is_some_and(|value| value > 0.0), "{key}: {memory}");
    }
    for point in shown["points"].as_array().unwrap() {
        let [measured, fitted, residual] =
            ["tokens_per_s", "fitted_tokens_per_s", "residual"].map(|key| point[key].as_f64().unwrap());
        assert!((fitted / measured - residual.exp()).abs() < 1e-9, "{point}");
    }
    assert!(!shown["correlations"].as_array().unwrap().is_empty() && !shown["sources"].as_array().unwrap().is_empty());
    let text = run("calibration show pi5-cpu");
    for part in [
        "Factors",
        "Correlations of their errors",
        "Points",
        "source: ",
        "median error on what the fit had not seen",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The entry of the catalogue is the same text.
    let entry = run("show pi5-cpu");
    assert_eq!(text.split_once('\n').unwrap().1, entry.split_once('\n').unwrap().1);
}

#[test]
fn a_file_is_shown_as_an_id_is_and_a_class_has_no_class_beside_it() {
    let text = run(&format!("calibration show {DATA}/calibration/test-board-cpu.toml"));
    assert!(
        text.contains("A made-up calibration for tests") && text.contains("class's"),
        "{text}"
    );
    assert!(!run("calibration show class-metal").contains("class's  "));
}

#[test]
fn the_list_is_that_of_list() {
    let rest = |text: String| text.split_once('\n').unwrap().1.to_owned();
    for format in ["table", "json", "csv"] {
        let own = run(&format!("calibration list --format {format}"));
        assert_eq!(rest(own), rest(run(&format!("list calibrations --format {format}"))));
    }
}

#[test]
fn the_difference_is_told_factor_by_factor_and_in_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("faster.toml");
    std::fs::write(
        &other,
        BOARD.replace("value = 0.72, error = 0.05", "value = 0.95, error = 0.05"),
    )
    .unwrap();
    let board = format!("{DATA}/calibration/test-board-cpu.toml");
    let data = ["--data", DATA];
    let told = show(&[&["diff", &board, other.to_str().unwrap()], &data[..]].concat());
    let factors = told["factors"].as_array().unwrap();
    for factor in factors {
        let same = factor["factor"] != "memory";
        assert_eq!(factor["overlap"], same, "{factor}");
        assert_eq!(factor["ratio"].as_f64() == Some(1.0), same, "{factor}");
    }
    assert_eq!(told["device"], "test-board");
    let rates = told["predictions"].as_array().unwrap();
    assert!(!rates.is_empty());
    for rate in rates {
        assert!(rate["ratio"].as_f64().unwrap() >= 1.0, "{rate}");
    }
    let same = run(&format!("calibration diff {board} {board} --data {DATA}"));
    assert!(same.contains("0 of 9 factors differ by more than"), "{same}");
    assert!(same.contains("+0.0 %") && !same.contains("+0.1 %"));
}

#[test]
fn what_is_no_calibration_says_so() {
    let text = run("calibration show pi5-gpu");
    assert!(text.contains("did you mean") && text.ends_with("exit 1"), "{text}");
    let text = run("calibration diff pi5-cpu");
    assert!(text.ends_with("exit 2"), "{text}");
}
