//! `run`: an analysis in one file, figures, tables and pages, with a manifest of what they were made from.
//!
//! An analysis is a list of this program's own commands, written once and shared: every output is made by the command that its section stands
//! for, so that a file says nothing that the command line could not, and both check it alike.

mod config;
mod manifest;

use super::failure::Failure;
use super::{Cli, Command, command_line, sink};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser};
use config::{Analysis, Job};
use edgeprof::excerpt::Excerpt;
use std::path::{Path, PathBuf};

/// Make the figures, tables and pages of an analysis that is written in a file
#[derive(Debug, Args)]
#[command(after_help = "\
The file is TOML. `models`, `hardware`, `precisions` and `[workload]` are what all outputs share; every [[figure]] is a `plot`, every
[[table]] another command, every [[report]] a page, and their keys are the flags of that command:

  models = [\"llama-3.2-1b\", \"gemma-3-1b\"]
  hardware = [\"pi5\", \"orin-nano-super\"]
  precisions = [\"q4_0\", \"q8_0\"]

  [workload]
  prompt = 512

  [[figure]]
  name = \"end-to-end\"
  output = \"end-to-end.svg\"

  [[table]]
  format = \"latex\"
  output = \"predictions.tex\"

Paths in the file are relative to it. Beside the outputs lies a manifest: version, inputs with their hashes, and the command of each output.

Examples:
  edgeprof run --config examples/analysis.toml --output /tmp/analysis
  edgeprof run --config reports/edgeprofiler/analysis.toml --check")]
pub struct Run {
    /// The analysis
    #[arg(long, value_name = "FILE.toml")]
    config: PathBuf,
    /// The folder to write to [default: the analysis' own]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Write nothing; fail if the outputs that are there are not what the analysis makes
    #[arg(long)]
    check: bool,
}

/// An analysis that is not one.
#[derive(Debug, thiserror::Error)]
#[error("{} is not a usable analysis", path.display())]
struct NotAnAnalysis {
    path: PathBuf,
    source: config::ConfigError,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
struct CannotRead {
    path: PathBuf,
    source: std::io::Error,
}

/// Outputs that are not what the analysis makes.
#[derive(Debug, thiserror::Error)]
#[error("{} of {of} outputs are not what the analysis makes now: {}", files.len(), files.join(", "))]
struct Differs {
    files: Vec<String>,
    of: usize,
}

impl Run {
    /// Makes every output, then the manifest.
    pub fn run(&self) -> Result<(), Failure> {
        let cannot_read = |source| {
            let path = self.config.clone();
            Failure::new(CannotRead { path, source })
        };
        let text = std::fs::read_to_string(&self.config).map_err(cannot_read)?;
        let config = std::path::absolute(&self.config).map_err(cannot_read)?;
        let unusable = |source| {
            let path = self.config.clone();
            Failure::new(NotAnAnalysis { path, source })
        };
        let analysis = config::parse(&text, &Cli::command()).map_err(unusable)?;
        let home = config.parent().unwrap_or(Path::new("/")).to_owned();
        let target = match &self.output {
            Some(folder) => std::path::absolute(folder).map_err(cannot_read)?,
            None => home.clone(),
        };
        // Nothing is made before all of it is understood.
        for job in &analysis.jobs {
            parsed(job, &target).map_err(|error| unusable(misread(&text, job, &error)))?;
        }
        // Names of files in the analysis are relative to it.
        std::env::set_current_dir(&home).map_err(cannot_read)?;
        if self.check {
            return self.compare(&analysis, &text, &target);
        }
        let files = make(&analysis, &config, &text, &target)?;
        sink::write(&files.iter().map(|file| format!("{file}\n")).collect::<String>(), None)
    }

    /// Makes the outputs elsewhere and holds them against those in `target`.
    fn compare(&self, analysis: &Analysis, text: &str, target: &Path) -> Result<(), Failure> {
        let elsewhere = Elsewhere(std::env::temp_dir().join(format!("edgeprof-run-{}", std::process::id())));
        let files = make(analysis, &self.config, text, &elsewhere.0)?;
        let same = |file: &String| {
            let [made, there] = [&elsewhere.0, target].map(|folder| std::fs::read(folder.join(file)).ok());
            made.is_some() && made == there
        };
        let of = files.len();
        let differing: Vec<String> = files.into_iter().filter(|file| !same(file)).collect();
        if differing.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Differs { files: differing, of })
            .hint("run it without --check to write them anew, and look at what changed"))
    }
}

/// A folder that is gone when its work is done.
struct Elsewhere(PathBuf);

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The job's command, writing below `target`.
fn parsed(job: &Job, target: &Path) -> Result<Cli, clap::Error> {
    let output = target.join(&job.output);
    let arguments = job.arguments.iter().map(Into::into);
    let written = [std::ffi::OsString::from("--output"), output.into_os_string()];
    Cli::try_parse_from(std::iter::once("edgeprof".into()).chain(arguments).chain(written))
}

/// What the command line would say of a job, shown where the analysis says it.
fn misread(text: &str, job: &Job, error: &clap::Error) -> config::ConfigError {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.split([' ', '=']).next().map(|flag| flag.trim_start_matches('-')),
        _ => None,
    };
    let place = job.places.iter().find(|(name, _)| Some(name.as_str()) == flag);
    let span = place.map_or(job.place.clone(), |(_, span)| span.clone());
    // The first paragraph; usage and the word `error` belong to a command line.
    let said = error.to_string();
    let said = said.split("\n\nUsage").next().unwrap_or(&said);
    let said = said.split("\n\nFor more information").next().unwrap_or(said);
    config::ConfigError {
        message: said.trim_start_matches("error: ").trim().replace("\n\n", "\n"),
        at: Some(Excerpt::of(text, span)),
    }
}

/// Makes every output below `target` and the manifest of them; their names.
fn make(analysis: &Analysis, config: &Path, text: &str, target: &Path) -> Result<Vec<String>, Failure> {
    let mut files: Vec<String> = Vec::new();
    let mut made = Vec::new();
    for job in &analysis.jobs {
        let shown = [String::from("-o"), job.output.clone()];
        let command = command_line(job.arguments.iter().cloned().chain(shown));
        let mut cli = parsed(job, target).map_err(|error| Failure::new(error.to_string()))?;
        if let Command::Report(report) = &mut cli.command {
            report.command = Some(command.clone());
        }
        cli.command.run().map_err(|failure| failure.of(&command))?;
        let mut outputs = vec![job.output.clone()];
        if matches!(cli.command, Command::Plot(_)) {
            let data = Path::new(&job.output).with_extension("csv");
            let data = data.to_string_lossy().into_owned();
            if data != job.output && target.join(&data).exists() {
                outputs.push(data);
            }
        }
        files.extend(outputs.iter().cloned());
        made.push(manifest::Made { command, outputs });
    }
    let name = format!(
        "{}.manifest.json",
        config.file_stem().unwrap_or_default().to_string_lossy()
    );
    let manifest = manifest::of(analysis, config, text, &made, target)?;
    sink::write(&manifest, Some(&target.join(&name)))?;
    files.push(name);
    Ok(files)
}
