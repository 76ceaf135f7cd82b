//! `calibration`: what a calibration says, which there are, and how two differ.

mod diff;
mod show;

use super::arguments::CatalogArgs;
use super::failure::Failure;
use super::format::{self, Format, PrintArgs};
use super::list::List;
use clap::{Args, Subcommand};
use edgeprof::output::Sheet;
use serde_json::Value;

pub use show::{json, sheet};

/// Show, list or compare calibrations
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edgeprof calibration show pi5-cpu
  edgeprof calibration list
  edgeprof calibration diff class-arm-cpu-dotprod pi5-cpu
  edgeprof calibration diff pi5-cpu ./mine.toml --format markdown")]
pub struct Calibration {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Show),
    List(All),
    Diff(diff::Diff),
}

/// List the calibrations, as `edgeprof list calibrations` does
#[derive(Debug, Args)]
struct All {
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

impl Calibration {
    /// Prints what is asked for.
    pub fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::Show(show) => show.run(),
            Command::List(all) => List::calibrations(all.print.clone(), all.catalog.clone()).run(),
            Command::Diff(diff) => diff.run(),
        }
    }
}

/// A text about calibrations: for readers, for programs, and its main table as rows.
struct Answer {
    sheet: Sheet,
    document: Value,
    rows: Vec<Value>,
}

impl Answer {
    fn print(&self, print: &PrintArgs) -> Result<(), Failure> {
        let format = print.format();
        let text = match format.setting() {
            Some(setting) => self.sheet.set(setting),
            None if format == Format::Csv => format::csv(&self.rows),
            None => format!("{:#}\n", self.document),
        };
        print.write(&text)
    }
}
