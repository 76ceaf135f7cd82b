//! Every command of the README, and what it prints. Where the README shows an output, it is what the program prints, to the letter;
//! `UPDATE_README=1 cargo test readme` writes it anew, and the table of errors from the reports.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Runs a command line of the README with this build of the program, and gives what it writes to stdout.
fn run(command: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_edgeprof"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("sh")
        .args(["-c", &command.replace("cargo run --release --", "edgeprof")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .env("XDG_DATA_HOME", folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{command}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The README with the outputs of its commands as they are today. Blocks marked `console` hold commands after `$ `; a command with
/// no output below it is only run. `cargo` with anything but `run` is what CI does itself.
fn with_outputs(readme: &str) -> String {
    let mut text = String::new();
    let mut lines = readme.lines().peekable();
    let mut in_console = false;
    while let Some(line) = lines.next() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
        if line.starts_with("```") {
            in_console = line == "```console";
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| in_console) else {
            continue;
        };
        let mut shown = false;
        while lines
            .next_if(|next| !next.starts_with("$ ") && !next.starts_with("```"))
            .is_some()
        {
            shown = true;
        }
        if command.starts_with("cargo") && !command.starts_with("cargo run") {
            continue;
        }
        let output = run(command);
        if shown {
            text.push_str(output.trim_end());
            text.push('\n');
        }
    }
    text
}

/// Rows of the accuracy reports, as the README shows them: report, first cell there, name here.
const ACCURACY: [(&str, &str, &str); 6] = [
    ("leave-out-model", "all", "its model, on any device"),
    ("leave-out-model", "pi4", "of these, on the Raspberry Pi 4"),
    ("leave-out-model", "pi5", "of these, on the Raspberry Pi 5"),
    (
        "leave-out-model",
        "orin-nano-super",
        "of these, on the Jetson Orin Nano Super",
    ),
    (
        "leave-out-model",
        "snapdragon-8-gen-2",
        "of these, on the Snapdragon 8 Gen 2",
    ),
    ("leave-out-device", "all", "its device"),
];

/// The README's table of errors, from the reports.
fn accuracy() -> String {
    let mut table =
        "| left out of the fit | phase | rows | median error | mean | 90th percentile | within the 90 % interval |\n\
                     |---|---|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for (report, id, name) in ACCURACY {
        let path = format!("{}/reports/accuracy/{report}.md", env!("CARGO_MANIFEST_DIR"));
        let report = std::fs::read_to_string(path).unwrap();
        for line in report.lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            if let ["", first, _, phase, rows, median, mean, p90, _, coverage, ""] = cells[..]
                && first == id
            {
                let _ = writeln!(
                    table,
                    "| {name} | {phase} | {rows} | {median} | {mean} | {p90} | {coverage} |"
                );
            }
        }
    }
    table
}

/// The README with that table between its marks.
fn with_accuracy(readme: &str) -> String {
    const MARKS: [&str; 2] = ["<!-- accuracy -->\n", "<!-- /accuracy -->"];
    let (before, rest) = readme.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    [before, MARKS[0], &accuracy(), MARKS[1], after].concat()
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let today = with_accuracy(&with_outputs(&readme));
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, today).unwrap();
    } else {
        assert!(
            readme == today,
            "the README shows old output; `UPDATE_README=1 cargo test readme` writes it anew\n{}",
            first_difference(&readme, &today)
        );
    }
}

fn first_difference(old: &str, new: &str) -> String {
    let (number, (old, new)) = old
        .lines()
        .zip(new.lines())
        .enumerate()
        .find(|(_, (old, new))| old != new)
        .unwrap_or_default();
    format!("line {}:\n- {old}\n+ {new}", number + 1)
}
