//! What users see: output, errors and exit codes of the commands, on a made-up model and board (`tests/it/data`), so that only a change
//! of the program changes them. `INSTA_UPDATE=always cargo test` accepts a change; look at the diff before you commit it.

use assert_cmd::Command;
use edgeprof::calibrate::synthetic;
use insta::assert_snapshot;
use std::path::Path;

pub const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data");

/// The program, with no user data but the test's.
pub fn edgeprof() -> Command {
    let mut command = Command::cargo_bin("edgeprof").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("XDG_DATA_HOME", "/nonexistent").env("COLUMNS", "100");
    command.env_remove("CLICOLOR_FORCE").env_remove("NO_COLOR");
    command
}

/// Exit code, stdout and stderr of a command line, as one text.
pub fn run(arguments: &str) -> String {
    let output = edgeprof().args(arguments.split_whitespace()).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    format!(
        "$ edgeprof {}\n{stdout}--- stderr\n{stderr}--- exit {}",
        arguments.replace(DATA, "DATA"),
        output.status.code().unwrap()
    )
    .replace(DATA, "DATA")
}

/// The same on the made-up model and board.
fn predict(arguments: &str) -> String {
    run(&format!(
        "predict --data {DATA} --model test-model --hw test-board {arguments}"
    ))
}

#[test]
fn one_prediction_is_a_screen() {
    assert_snapshot!(predict("--prec int4"));
}

#[test]
fn several_predictions_are_rows() {
    assert_snapshot!(predict("--prec q4_0,q8_0,f16 --prompt 0"));
}

#[test]
fn every_term_is_explained() {
    assert_snapshot!(predict("--prec q8_0 --depth 1024 --explain"));
    assert_snapshot!(predict("--prec q8_0 --depth 1024 --explain --format markdown"));
    assert_snapshot!(predict("--prec q8_0,q4_0 --explain --format latex"));
}

#[test]
fn what_does_not_fit_is_a_result_with_a_way_out() {
    assert_snapshot!(predict("--prec f32 --power-mode slow"));
}

#[test]
fn the_papers_formulas_have_their_own_screen() {
    assert_snapshot!(predict("--prec int8 --formulas edgeprofiler --explain"));
}

#[test]
fn tables_are_markdown_and_csv() {
    assert_snapshot!(predict("--prec q4_0,q8_0 --format markdown"));
    assert_snapshot!(predict("--prec q4_0 --format csv"));
}

#[test]
fn a_device_is_shown_with_its_sources() {
    assert_snapshot!(run(&format!("show --data {DATA} test-board")));
}

#[test]
fn entries_are_shown_to_programs() {
    let entries = |name: &str| {
        let arguments = format!("show --data {DATA} {name} --format json");
        let output = edgeprof().args(arguments.split_whitespace()).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], 1);
        document["entries"].clone()
    };
    let model = entries("tinyllama");
    assert_eq!(
        (&model[0]["kind"], &model[0]["parameters"]),
        (&"model".into(), &1_100_048_384_u64.into())
    );
    let sizes = model[0]["sizes"].as_array().unwrap();
    let q4_k_m = sizes.iter().find(|size| size["precision"] == "q4_k_m").unwrap();
    assert_eq!(q4_k_m["weight_bytes"], 667_078_656);
    let device = entries("pi5");
    assert_eq!(
        (&device[0]["kind"], &device[0]["id"]),
        (&"device".into(), &"pi5".into())
    );
    let bandwidth = &device[0]["memory"]["bandwidth"];
    assert!(bandwidth["value"].as_f64().unwrap() > 1e9);
    assert!(device[0]["sources"][bandwidth["source"].as_str().unwrap()].is_object());
    assert_eq!(entries("pi5-cpu")[0]["kind"], "calibration");
    assert_eq!(entries("int4")[0]["id"], "int4");
    assert!(
        run("show tinyllama --format csv").contains("\ntinyllama,")
            || run("show tinyllama --format csv").contains("tinyllama")
    );
}

#[test]
fn names_that_are_not_there_suggest_the_nearest() {
    assert_snapshot!(run("predict --model tinylama --hw pi5 --prec int4"));
    assert_snapshot!(run("predict --model tinyllama --hw pi6 --prec int4"));
    assert_snapshot!(predict("--prec q4_k_n"));
    assert_snapshot!(predict("--kv-type q9_0"));
    assert_snapshot!(run("show tinylama"));
    assert!(run("predict --model meta-llama/Llama-3.2-1B --hw pi5").contains("did you mean `llama-3.2-1b`"));
    assert!(run("show q4km").contains("did you mean `q4_k_m`"));
    assert!(run("show zzzzzz").contains("`edgeprof list` shows the models"));
}

#[test]
fn what_cannot_be_asked_is_an_error_with_its_cure() {
    assert_snapshot!(predict("--backend cuda"));
    assert_snapshot!(predict("--context 100"));
    assert_snapshot!(predict("--power-mode warp"));
    assert_snapshot!(predict("--ubatch 0"));
    assert_snapshot!(predict("--sequences 18446744073709551615"));
    assert_snapshot!(predict("--threads 65537"));
    assert_snapshot!(predict("--kv-type nonsense"));
    assert_snapshot!(predict("--prec stored"));
    assert_snapshot!(predict("--prec q4_k_m --formulas edgeprofiler"));
    assert_snapshot!(run(&format!(
        "predict --data {DATA} --model test-model --hw edgeprofiler-pi4"
    )));
}

#[test]
fn files_that_are_not_usable_say_why() {
    let missing = run("predict --model ./missing.gguf --hw pi5");
    assert_eq!(missing.matches("No such file").count(), 1, "{missing}");
    assert_snapshot!(run("predict --model ./missing.toml --hw pi5"));
    assert_snapshot!(run("predict --model ./src --hw pi5"));
    assert_snapshot!(run("predict --model rustfmt.toml --hw pi5"));
    assert_snapshot!(run(
        "predict --model tinyllama --hw tests/it/data/models/test-model.toml"
    ));
    assert_snapshot!(run("predict --model tinyllama --hw pi5 --data ./missing"));
    assert_snapshot!(run(
        "predict --model tinyllama --hw pi5 --prec int4 --calibration rustfmt.toml"
    ));
}

#[test]
fn a_device_file_with_a_wrong_number_points_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let device = std::fs::read_to_string(format!("{DATA}/hardware/test-board.toml")).unwrap();
    let line = device.lines().find(|line| line.starts_with("bandwidth = ")).unwrap();
    for wrong in [
        "bandwidth = nan",
        "bandwidth = \"17.1 GB/s\"",
        "bandwidth = { value = 17.1, source = \"made-up\" }",
        "bandwidth = { value = \"-17.1 GB/s\", source = \"made-up\" }",
        "bandwidth = { value = \"17.1 GB\", source = \"made-up\" }",
        "bandwith = { value = \"17.1 GB/s\", source = \"made-up\" }",
    ] {
        let path = folder.path().join("board.toml");
        std::fs::write(&path, device.replacen(line, wrong, 1)).unwrap();
        let output = run(&format!("predict --model tinyllama --hw {}", path.display()));
        assert_snapshot!(output.replace(&folder.path().display().to_string(), "FOLDER"));
    }
}

#[test]
fn a_gguf_is_predicted_as_it_is_stored_or_in_a_mix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.gguf");
    let model = edgeprof::catalog::Catalog::builtin()
        .model("tinyllama")
        .unwrap()
        .value
        .clone();
    let mix = edgeprof::quant::Mix::Q4_K_M;
    let options = synthetic::Options {
        data: synthetic::SyntheticData::Sparse,
        mix: Some(mix),
    };
    let mut go_on = |_, _| std::ops::ControlFlow::Continue(());
    synthetic::write(&model, &mix.block_types(&model), &path, options, &mut go_on).unwrap();
    let figures = |model: &str, precision: &str| {
        let output = edgeprof()
            .args(["predict", "--hw", "pi5", "--format", "json", "--model", model])
            .args(precision.split_whitespace())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = &document["predictions"][0];
        [
            "parameters",
            "weight_bytes",
            "memory_bytes",
            "prefill_s",
            "decode_s_per_token",
        ]
        .map(|key| row[key].clone())
    };
    let mine = path.to_str().unwrap();
    assert_eq!(figures(mine, ""), figures("tinyllama", "--prec q4_k_m"), "as stored");
    assert_eq!(
        figures(mine, "--prec q8_0"),
        figures("tinyllama", "--prec q8_0"),
        "as if quantised anew"
    );
    // The header is all that is read, so that it is enough: fetched of a file that is elsewhere, say.
    let header = edgeprof::gguf::read_header(&path).unwrap().header_bytes;
    let stored = figures(mine, "");
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(header)
        .unwrap();
    assert_eq!(figures(mine, ""), stored, "by its header");
}

#[test]
fn wrong_usage_exits_with_two() {
    assert_snapshot!(run("predict --model tinyllama"));
    assert_snapshot!(run("predict --model tinyllama --hw pi5 --backend gpu"));
    assert_snapshot!(run("list nothing"));
    assert_snapshot!(predict("--explain --format json"));
}

#[test]
fn help_shows_every_flag() {
    assert_snapshot!(run("predict --help"));
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/rows.csv");
    let arguments = format!("predict --data {DATA} --model test-model --hw test-board --prec q4_0 --format csv -o");
    let to = |path: &Path| {
        edgeprof()
            .args(arguments.split_whitespace())
            .arg(path)
            .output()
            .unwrap()
    };
    let output = to(&path);
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("model,hardware,"));
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    let output = to(folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("error: cannot write ")
    );
}

#[test]
fn the_ending_of_a_file_says_how_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, options: &[&str]| {
        let path = folder.path().join(name);
        let arguments = format!("predict --data {DATA} --model test-model --hw test-board --prec q4_0");
        let output = edgeprof()
            .args(arguments.split_whitespace())
            .args(options)
            .arg("-o")
            .arg(&path)
            .output();
        assert!(output.unwrap().status.success(), "{name}");
        std::fs::read_to_string(path).unwrap()
    };
    assert!(written("a.json", &[]).starts_with('{'));
    assert!(written("a.CSV", &[]).starts_with("model,hardware,"));
    assert!(written("a.md", &[]).starts_with("| model"));
    assert!(written("a.tex", &[]).contains("\\toprule"));
    let table = written("a.txt", &[]);
    assert!(table.starts_with("Test Model 1B (test-model)"), "{table}");
    assert_eq!(written("b.json", &["--format", "table"]), table);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let script = "\"$0\" list models --format json | head -c 10 >/dev/null; \"$0\" completions bash | true";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_edgeprof")])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

/// The commands below these words, as the program itself lists them.
fn commands(of: &[String]) -> Vec<Vec<String>> {
    let output = edgeprof().args(of).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        // A longer description goes on further in.
        let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        name.split_whitespace().next()
    });
    let below = names
        .filter(|name| *name != "help")
        .map(|name| [of, &[name.to_owned()]].concat());
    below
        .flat_map(|name| [vec![name.clone()], commands(&name)].concat())
        .collect()
}

#[test]
fn completions_and_manual_pages_cover_every_command() {
    let all = commands(&[]);
    assert!(all.len() > 10, "{all:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = edgeprof().args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        for name in &all {
            assert!(script.contains(name.last().unwrap()), "{shell}: {name:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    edgeprof()
        .args(["man", "--output"])
        .arg(folder.path())
        .assert()
        .success();
    assert!(folder.path().join("edgeprof.1").is_file());
    for name in &all {
        let page = format!("edgeprof-{}.1", name.join("-"));
        let written = std::fs::read_to_string(folder.path().join(&page)).expect(&page);
        let output = edgeprof().arg("man").args(name).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(
            printed.contains(".SH SYNOPSIS") && written.contains(".SH SYNOPSIS"),
            "{page}"
        );
        assert!(printed.contains(&format!(".TH edgeprof-{}", name.join("-"))), "{page}");
    }
    assert!(run("man predit").contains("error: there is no command `predit`"));
}

/// `EDGEPROF_BLESS=1 cargo test reproduction` rewrites it after an intended change.
#[test]
fn the_committed_reproductions_are_what_the_program_prints() {
    for study in ["edgeprofiler", "priya", "ahmad", "abstreiter"] {
        let output = edgeprof()
            .args(["reproduce", study, "--format", "markdown"])
            .output()
            .unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("reports/{study}/README.md"));
        if std::env::var_os("EDGEPROF_BLESS").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == committed,
            "reports/{study}/README.md is out of date; look at what changed, then bless it"
        );
    }
}

#[test]
fn what_a_study_determines_holds() {
    let study = |name: &str| -> serde_json::Value {
        let output = edgeprof()
            .args(["reproduce", name, "--format", "json"])
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let rows = |document: &serde_json::Value| document["comparisons"].as_array().unwrap().clone();
    // The size of TinyLlama's file to the printed digit, and the M2's decoding within the interval.
    let priya = rows(&study("priya"));
    assert_eq!(priya[0]["holds"], true, "{}", priya[0]);
    for row in priya.iter().filter(|row| row["quantity"] == "decode_tokens_per_s") {
        let of_m2 = row["case"].as_str().unwrap().starts_with("MacBook");
        assert!(!of_m2 || row["holds"] == true, "{row}");
    }
    // Calibrated on DistilBERT, TinyBERT follows within a factor of two at the stated length.
    let ahmad = rows(&study("ahmad"));
    let difference = |name: &str| {
        let row = ahmad.iter().find(|row| row["case"] == name).unwrap();
        row["difference"].as_f64().unwrap().abs()
    };
    assert!(
        difference("DistilBERT FP32") < 0.1 && difference("TinyBERT") < 1.0,
        "{ahmad:?}"
    );
}

#[test]
fn the_papers_figures_are_reproduced() {
    let output = edgeprof()
        .args(["reproduce", "edgeprofiler", "--format", "json", "--calibration"])
        .arg(format!("{DATA}/calibration/test-board-cpu.toml"))
        .output()
        .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for row in document["equations"].as_array().unwrap() {
        assert_eq!(row["holds"], true, "{row}");
    }
    let sizes: Vec<_> = document["table_2"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row["holds"].is_null())
        .collect();
    assert_eq!(sizes.len(), 12);
    for row in sizes {
        assert_eq!(row["holds"], true, "{row}");
    }
}
