//! Tables as LaTeX: what is printed, and that LaTeX sets it.

use super::cli::edgeprof;
use insta::assert_snapshot;
use std::process::Command;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data");

/// What the command prints.
fn printed(arguments: &str) -> String {
    let output = edgeprof().args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn commands() -> Vec<String> {
    let mut commands = vec![
        format!("predict --data {DATA} --model test-model --hw test-board --prec q4_0,q8_0 --format latex"),
        format!("show --data {DATA} test-board --format latex"),
        format!("show --data {DATA} test-model --format latex"),
    ];
    commands.extend(
        [
            "show pi5-cpu --format latex",
            "show int4 --format latex",
            "list hardware --format latex",
            "list models --format latex",
            "list precisions --format latex",
            "list calibrations --format latex",
            "validate calibration/measurements/published.csv --format latex",
        ]
        .map(str::to_owned),
    );
    commands
}

#[test]
fn predictions_and_entries_are_booktabs() {
    for command in &commands()[..3] {
        assert_snapshot!(printed(command).replace(DATA, "DATA"));
    }
}

#[test]
fn entries_are_markdown() {
    assert_snapshot!(printed(&format!("show --data {DATA} test-board --format markdown")).replace(DATA, "DATA"));
}

#[test]
fn lists_are_csv() {
    let csv = printed("list precisions --format csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().unwrap().clone();
    assert_eq!(headers.get(0), Some("id"));
    assert!(
        headers
            .iter()
            .any(|key| key == "perplexity_over_unquantised_llama-3-8b")
    );
    assert!(reader.records().all(|record| record.unwrap().len() == headers.len()));
    let models = printed("list models --format csv");
    assert!(models.starts_with("id,") && !models.contains("[{"), "{models}");
}

/// Every table in one document. It needs pdflatex with booktabs, so it runs where asked for: `cargo test -- --ignored latex`.
#[test]
#[ignore = "needs pdflatex"]
fn latex_sets_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let tables: Vec<String> = commands().iter().map(|command| printed(command)).collect();
    let document = format!(
        "\\documentclass{{article}}\n\\usepackage{{booktabs,longtable}}\n\\begin{{document}}\n{}\n\\end{{document}}\n",
        tables.join("\n\\clearpage\n")
    );
    std::fs::write(folder.path().join("tables.tex"), document).unwrap();
    let output = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "tables.tex"])
        .current_dir(folder.path())
        .output()
        .expect("pdflatex runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
