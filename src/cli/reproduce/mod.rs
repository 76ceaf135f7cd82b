//! `reproduce`: what a study publishes beside what edgeprof computes. One file a study, each from its published figures
//! (`reports/<study>/published.toml`) to a [`Report`].

mod comparison;
mod edgeprofiler;

use super::arguments::{CalibrationArgs, CatalogArgs};
use super::failure::Failure;
use super::sink;
use anstyle::Style;
use clap::{Args, ValueEnum};
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::output::Grid;
use serde_json::Value;
use std::path::PathBuf;

const TITLE: Style = Style::new().bold();

/// Reproduce the published figures of a paper: computed, published, difference
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  edgeprof reproduce edgeprofiler")]
pub struct Reproduce {
    /// The paper
    #[arg(value_enum)]
    paper: Paper,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table, help_heading = "Output")]
    format: Format,
    /// Write to a file instead of the standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Paper {
    /// EdgeProfiler, arXiv 2506.09061
    Edgeprofiler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Markdown,
    Json,
}

/// What a study is reproduced with.
struct Question<'a> {
    catalog: &'a Catalog,
    choice: &'a Choice,
    format: Format,
}

/// A study reproduced, in both of its forms.
struct Report {
    text: String,
    document: Value,
}

impl Reproduce {
    /// Prints the comparison.
    pub fn run(&self) -> Result<(), Failure> {
        let question = Question {
            catalog: &self.catalog.open()?,
            choice: &self.calibration.choice(),
            format: self.format,
        };
        let report = match self.paper {
            Paper::Edgeprofiler => edgeprofiler::report(&question)?,
        };
        let text = match self.format {
            Format::Json => format!("{:#}\n", report.document),
            Format::Table | Format::Markdown => report.text,
        };
        sink::write(&text, self.output.as_deref())
    }
}

impl Format {
    /// A table under its title.
    fn section(self, title: &str, grid: &Grid) -> String {
        match self {
            Self::Markdown => format!("## {title}\n\n{}\n", grid.markdown()),
            Self::Table | Self::Json => format!("{TITLE}{title}{TITLE:#}\n{}\n", grid.text("  ")),
        }
    }
}
