//! `export`: devices in the forms that other programs read.

use super::arguments::CatalogArgs;
use super::failure::Failure;
use super::sink;
use clap::{Args, ValueEnum};
use edgeprof::device::llmfit;
use std::path::PathBuf;

/// Write a device in the form that another program reads
#[derive(Debug, Args)]
#[command(after_help = "\
A hardware profile of llmfit (schema_version 1) is read as well: `predict --hw profile.json`.

Examples:
  edgeprof export llmfit --hw pi5 -o pi5.json
  edgeprof export llmfit --hw host")]
pub struct Export {
    /// The form
    #[arg(value_enum, ignore_case = true, value_name = "FORM")]
    form: Form,
    /// The device: a name of `list hardware`, a path of a .toml or .json, or `host` for this machine
    #[arg(long = "hw", visible_alias = "hardware", value_name = "NAME")]
    hardware: String,
    #[command(flatten)]
    catalog: CatalogArgs,
    /// Write to a file instead of the standard output, whole or not at all
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// A hardware profile of llmfit, JSON
    Llmfit,
}

impl Export {
    /// Writes the device; what the form has no place for is said on stderr.
    pub fn run(&self) -> Result<(), Failure> {
        let device = self.catalog.open()?.device(&self.hardware)?;
        let Form::Llmfit = self.form;
        let exported = llmfit::export(&device).map_err(Failure::new)?;
        let text = serde_json::to_string_pretty(&exported.profile).map_err(Failure::new)?;
        sink::write(&format!("{text}\n"), self.output.as_deref())?;
        for note in exported.notes {
            sink::note(&note);
        }
        Ok(())
    }
}
