//! `reproduce`: what a study publishes beside what edgeprof computes. One file a study, each from its published figures
//! (`reports/<study>/published.toml`) to a [`Report`].

mod abstreiter;
mod ahmad;
mod comparison;
mod edgeprofiler;
mod priya;

use super::arguments::{CalibrationArgs, CatalogArgs};
use super::failure::Failure;
use super::format::{self, Format, PrintArgs};
use clap::{Args, ValueEnum};
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::output::Sheet;
use serde_json::Value;

/// Reproduce the published figures of a study: computed, published, difference
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edgeprof reproduce edgeprofiler
  edgeprof reproduce priya --format markdown")]
pub struct Reproduce {
    /// The study
    #[arg(value_enum, ignore_case = true)]
    paper: Paper,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Paper {
    /// EdgeProfiler, arXiv 2506.09061
    Edgeprofiler,
    /// Priya et al., Quantization and Parallel Inference for Large Language Models on Edge Devices
    Priya,
    /// Ahmad, LLM Inference Optimization (2025)
    Ahmad,
    /// Abstreiter, Tarkoma, Morabito, Sometimes Painful but Certainly Promising, arXiv 2503.09114
    Abstreiter,
}

/// What a study is reproduced with.
struct Question<'a> {
    catalog: &'a Catalog,
    choice: &'a Choice,
}

/// A study reproduced: for readers, for programs, and every comparison as a row.
struct Report {
    sheet: Sheet,
    document: Value,
    rows: Vec<Value>,
}

impl Reproduce {
    /// Prints the comparison.
    pub fn run(&self) -> Result<(), Failure> {
        let question = Question {
            catalog: &self.catalog.open()?,
            choice: &self.calibration.choice(),
        };
        let report = match self.paper {
            Paper::Edgeprofiler => edgeprofiler::report(&question)?,
            Paper::Priya => priya::report(&question)?,
            Paper::Ahmad => ahmad::report(&question)?,
            Paper::Abstreiter => abstreiter::report(&question)?,
        };
        let format = self.print.format();
        let text = match format.setting() {
            Some(setting) => report.sheet.set(setting),
            None if format == Format::Csv => format::csv(&report.rows),
            None => format!("{:#}\n", report.document),
        };
        self.print.write(&text)
    }
}
