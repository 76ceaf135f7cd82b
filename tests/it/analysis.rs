//! Analyses in a file: what `run` makes of them, what its manifest says, and what it says of bad ones.

use super::cli::edgeprof;
use insta::assert_snapshot;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Exit code, stdout and stderr.
fn run(config: &Path, more: &[&str]) -> (i32, String, String) {
    let output = edgeprof()
        .args(["run", "--config"])
        .arg(config)
        .args(more)
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code().unwrap(), stdout, stderr)
}

/// The example without what needs a feature.
fn example(folder: &Path) -> std::path::PathBuf {
    let text = fs::read_to_string(format!("{ROOT}/examples/analysis.toml")).unwrap();
    let text = if cfg!(feature = "figures") {
        text
    } else {
        let start = text.find("[[figure]]").unwrap();
        let end = text.find("[[table]]").unwrap();
        format!("{}{}", &text[..start], &text[end..])
    };
    let path = folder.join("analysis.toml");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_example_makes_its_outputs_and_a_manifest_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = example(folder.path());
    let (code, stdout, stderr) = run(&config, &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let files: Vec<&str> = stdout.lines().collect();
    assert_eq!(files.last(), Some(&"analysis.manifest.json"));
    let manifest = fs::read_to_string(folder.path().join("analysis.manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let outputs = manifest["outputs"].as_array().unwrap();
    assert_eq!(outputs.len() + 1, files.len());
    for (output, file) in outputs.iter().zip(&files) {
        assert_eq!(output["file"], *file);
        let bytes = fs::read(folder.path().join(file)).unwrap();
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(output["sha256"], hash, "{file}");
        // The command that the manifest names makes the same bytes.
        let command = output["command"].as_str().unwrap().strip_prefix("edgeprof ").unwrap();
        let again = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let last = arguments.len() - 1;
        arguments[last] = again.path().join(&arguments[last]).to_str().unwrap().to_owned();
        assert!(
            edgeprof().args(&arguments).output().unwrap().status.success(),
            "{command}"
        );
        if !file.ends_with(".html") {
            assert_eq!(fs::read(again.path().join(file)).unwrap(), bytes, "{file}");
        }
    }
    let inputs: Vec<String> = manifest["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| format!("{} {}", input["kind"], input["name"]))
        .collect();
    assert_snapshot!(inputs.join("\n"));

    assert_eq!(run(&config, &["--check"]).0, 0);
    fs::write(folder.path().join("predictions.csv"), "model\n").unwrap();
    let (code, _, stderr) = run(&config, &["--check"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("predictions.csv") && stderr.contains("without --check"),
        "{stderr}"
    );
}

/// The reproductions under `reports/`. `EDGEPROF_BLESS=1 cargo test analysis` makes them anew after an intended change.
#[cfg(feature = "figures")]
#[test]
fn the_reports_are_what_their_analyses_make() {
    let mut found = 0;
    for folder in fs::read_dir(format!("{ROOT}/reports")).unwrap() {
        let config = folder.unwrap().path().join("analysis.toml");
        if !config.exists() {
            continue;
        }
        found += 1;
        let bless = std::env::var_os("EDGEPROF_BLESS").is_some();
        let (code, _, stderr) = run(&config, if bless { &[] } else { &["--check"] });
        assert_eq!(code, 0, "{}: {stderr}", config.display());
    }
    assert!(found > 0);
}

#[test]
fn every_study_has_its_report() {
    let index = fs::read_to_string(format!("{ROOT}/reports/README.md")).unwrap();
    for folder in fs::read_dir(format!("{ROOT}/reports")).unwrap() {
        let path = folder.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(
                index.contains(&format!("({name}/")),
                "reports/README.md does not name {name}"
            );
            assert!(path.join("README.md").exists(), "{name}");
            assert!(
                name == "accuracy" || path.join("analysis.toml").exists(),
                "{name} has no analysis"
            );
        }
    }
}

#[test]
fn bad_analyses_are_shown_where_they_are_bad() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("a.toml");
    let head = "models = [\"tinyllama\"]\nhardware = [\"pi5\"]\n";
    let table = "[[table]]\noutput = \"t.csv\"\nformat = \"csv\"\n";
    let bad = [
        String::new(),
        "models = [".to_owned(),
        head.to_owned(),
        format!("{head}modles = 1\n{table}"),
        format!("{head}precisions = []\n{table}"),
        format!("{head}precisions = [1979-05-27]\n{table}"),
        format!("{head}[workload]\npromt = 1\n{table}"),
        format!("{head}[workload]\nprompt = \"many\"\n{table}"),
        format!("{head}[workload]\nno_repack = 1\n{table}"),
        format!("{head}[workload]\nprompt = 0x10\n{table}"),
        format!("{head}{table}colour = \"red\"\n"),
        format!("{head}{table}{table}"),
        format!("{head}[[table]]\nformat = \"csv\"\n"),
        format!("{head}[table]\nformat = \"csv\"\n"),
        format!("{head}[[table]]\noutput = \"../t.csv\"\n"),
        format!("{head}[[table]]\noutput = \"/etc/t.csv\"\n"),
        format!("{head}[[table]]\noutput = \"t\"\ncommand = \"calibrate\"\n"),
        format!("{head}[[table]]\noutput = \"t\"\nformat = \"yaml\"\n"),
        format!("{head}[[table]]\noutput = \"t\"\nmodels = [\"a,b\"]\n"),
        format!("{head}[[figure]]\noutput = \"f.svg\"\nname = \"pie\"\n"),
        format!("{head}[[report]]\noutput = \"f.html\"\ncommand = \"rm\"\n"),
        table.to_owned(),
        "models = \"no-such-model\"\nhardware = \"pi5\"\n[[table]]\noutput = \"t\"\n".to_owned(),
    ];
    let said: Vec<String> = bad
        .iter()
        .filter(|text| cfg!(feature = "figures") || !text.contains("figure"))
        .map(|text| {
            fs::write(&config, text).unwrap();
            let (code, stdout, stderr) = run(&config, &[]);
            assert_eq!((code, stdout.as_str()), (1, ""), "{text}\n{stderr}");
            assert!(!folder.path().join("t.csv").exists(), "{text}");
            stderr
        })
        .collect();
    assert_snapshot!(said.join("\n").replace(folder.path().to_str().unwrap(), "FOLDER"));
}
