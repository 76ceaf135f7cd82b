//! What the outputs of an analysis were made from.

use super::config::Analysis;
use crate::cli::Cli;
use crate::cli::failure::{CannotWrite, Failure};
use clap::CommandFactory;
use edgeprof::catalog::{Catalog, Choice, Origin};
use edgeprof::device::BackendKind;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

/// A command that was run, and the files it wrote.
pub struct Made {
    /// As a shell reads it, in the folder of the analysis.
    pub command: String,
    /// Relative to the folder written to.
    pub outputs: Vec<String>,
}

#[derive(Serialize)]
struct Manifest<'a> {
    schema: u32,
    edgeprof: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    analysis: Hashed,
    outputs: Vec<Output<'a>>,
    inputs: Vec<Input>,
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    file: Hashed,
    command: &'a str,
}

/// A file and its hash, as `sha256sum` prints it.
#[derive(Serialize)]
struct Hashed {
    file: String,
    sha256: String,
}

/// What an output was made from.
#[derive(Serialize)]
struct Input {
    kind: &'static str,
    name: String,
    /// Where it comes from.
    origin: String,
    /// None of what was detected.
    sha256: Option<String>,
}

/// The manifest's text.
pub fn of(analysis: &Analysis, config: &Path, text: &str, made: &[Made], target: &Path) -> Result<String, Failure> {
    let mut outputs = Vec::new();
    for Made {
        command,
        outputs: files,
    } in made
    {
        for file in files {
            let path = target.join(file);
            let sha256 = hash_of_file(&path).map_err(|error| CannotWrite::failure(&path, error))?;
            let file = Hashed {
                file: file.clone(),
                sha256,
            };
            outputs.push(Output { file, command });
        }
    }
    let manifest = Manifest {
        schema: 1,
        edgeprof: edgeprof::VERSION,
        title: analysis.title.as_deref(),
        analysis: Hashed {
            file: config.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: hash(text.as_bytes()),
        },
        outputs,
        inputs: inputs(analysis)?,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(Failure::new)?;
    Ok(text + "\n")
}

/// Every model, device, calibration and file that the jobs name, once and in order.
fn inputs(analysis: &Analysis) -> Result<Vec<Input>, Failure> {
    let mut inputs: BTreeMap<(&'static str, String), (String, Option<String>)> = BTreeMap::new();
    let cli = Cli::command();
    for job in &analysis.jobs {
        let arguments = std::iter::once("edgeprof").chain(job.arguments.iter().map(String::as_str));
        let Ok(matches) = cli
            .clone()
            .try_get_matches_from(arguments.chain(["--output", &job.output]))
        else {
            continue;
        };
        let Some((_, matches)) = matches.subcommand() else {
            continue;
        };
        let named = |id: &str| -> Vec<String> {
            let raw = matches.try_get_raw(id).ok().flatten();
            let values = raw
                .into_iter()
                .flatten()
                .map(|value| value.to_string_lossy().into_owned());
            values.collect()
        };
        let folders: Vec<std::path::PathBuf> = named("data").iter().map(Into::into).collect();
        let catalog = Catalog::open(&folders)?;
        let mut add = |kind, name: &str, origin: &Origin| {
            let sha256 = match origin {
                Origin::File(path) => hash_of_file(path).ok(),
                Origin::BuiltIn { text, .. } => Some(hash(text.as_bytes())),
                Origin::Detected => None,
            };
            inputs.insert((kind, name.to_owned()), (origin.to_string(), sha256));
        };
        let all = |names: Vec<String>, ids: Vec<&str>| -> Vec<String> {
            if names.iter().any(|name| name == "all") {
                ids.into_iter().map(str::to_owned).collect()
            } else {
                names
            }
        };
        for name in all(named("model"), catalog.model_ids().collect()) {
            if let Ok(entry) = catalog.model(name.trim()) {
                add("model", &entry.id, &entry.origin);
            }
        }
        let mut backends: Vec<String> = named("backend");
        if !named("gpu_layers").is_empty() {
            backends.push(BackendKind::Cpu.name().to_owned());
        }
        let choice = match named("calibration").first() {
            None => Choice::Best,
            Some(name) if name.eq_ignore_ascii_case("none") => Choice::Class,
            Some(name) => Choice::Named(name.clone()),
        };
        let papers = named("formulas").iter().any(|formulas| formulas == "edgeprofiler");
        for name in all(named("hardware"), catalog.device_ids().collect()) {
            let Ok(entry) = catalog.device(name.trim()) else {
                continue;
            };
            add("device", &entry.id, &entry.origin);
            for &kind in entry.backends.keys().filter(|_| !papers) {
                let asked = backends.iter().any(|name| name == kind.name());
                let default = kind == entry.default_backend && named("backend").is_empty();
                if let Ok(calibration) = catalog.calibration_for(&entry, kind, &choice)
                    && (asked || default)
                {
                    add("calibration", &calibration.id, &calibration.origin);
                }
            }
        }
        // What a study publishes lies beside its analysis.
        let published = Path::new("published.toml");
        if job.arguments.first().is_some_and(|command| command == "reproduce") && published.exists() {
            add(
                "published figures",
                "published.toml",
                &Origin::File(published.to_owned()),
            );
        }
        for file in named("files") {
            add("measurements", &file, &Origin::File(file.clone().into()));
        }
    }
    let inputs = inputs.into_iter().map(|((kind, name), (origin, sha256))| Input {
        kind,
        name,
        origin,
        sha256,
    });
    Ok(inputs.collect())
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hash_of_file(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            length => hasher.update(&buffer[..length]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
