//! The release workflow, which only runs where it releases: it can be read, and builds what the script knows and the README promises.

use saphyr::{LoadableYamlNode, Yaml};
use std::path::Path;

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What the jobs of the workflow hand to scripts/release.sh.
fn arguments(workflow: &Yaml<'_>) -> Vec<String> {
    let jobs = workflow["jobs"].as_mapping().unwrap();
    let matrices = jobs.values().filter_map(|job| {
        job.as_mapping_get("strategy")?
            .as_mapping_get("matrix")?
            .as_mapping_get("arguments")?
            .as_sequence()
    });
    let mut arguments: Vec<_> = matrices
        .flatten()
        .map(|argument| argument.as_str().unwrap().to_owned())
        .collect();
    arguments.sort();
    arguments
}

#[test]
fn the_workflow_builds_every_archive_of_the_script_and_the_readme() {
    let text = file(".github/workflows/release.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1);
    let arguments = arguments(&documents[0]);
    let script = file("scripts/release.sh");
    let readme = file("README.md");
    let mut known: Vec<_> = script
        .lines()
        .filter_map(|line| line.strip_prefix("#   scripts/release.sh ")?.split_once("  "))
        .map(|(usage, _)| usage.to_owned())
        .filter(|usage| !usage.starts_with("--bare"))
        .collect();
    known.sort();
    assert!(!known.is_empty());
    assert_eq!(arguments, known);
    for argument in &arguments {
        let archive = match argument.strip_prefix("--llama ") {
            Some(target) => format!("`{target}-llama`"),
            None => format!("`{argument}`"),
        };
        assert!(readme.contains(&archive), "the README does not name {archive}");
    }
}

#[test]
fn every_job_runs_a_script_that_exists_and_only_the_last_may_write() {
    let text = file(".github/workflows/release.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let workflow = &documents[0];
    assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"));
    for (name, job) in workflow["jobs"].as_mapping().unwrap() {
        let writes = job.as_mapping_get("permissions").is_some();
        assert_eq!(writes, name.as_str() == Some("release"), "{name:?}");
        for step in job["steps"].as_sequence().unwrap() {
            let run = step.as_mapping_get("run").and_then(|run| run.as_str());
            if let Some(script) = run
                .and_then(|run| run.split_whitespace().next())
                .filter(|word| word.starts_with("scripts/"))
            {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(script).is_file(), "{script}");
            }
        }
    }
}

/// Without it the script would only say that it ran nothing.
#[test]
fn the_workflow_has_what_runs_the_cross_compiled_programs() {
    let text = file(".github/workflows/release.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let steps = documents[0]["jobs"]["linux"]["steps"].as_sequence().unwrap();
    let packages = steps[0]["run"].as_str().unwrap();
    assert!(
        packages.split_whitespace().any(|word| word == "qemu-user"),
        "{packages}"
    );
}
