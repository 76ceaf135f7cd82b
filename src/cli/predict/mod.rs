//! `predict`: the figures of models on devices.

mod economy;
mod explain;
pub mod question;
mod screen;

use super::Cli;
use super::failure::Failure;
use super::format::{Format, PrintArgs};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory};
use edgeprof::output::{self, Record, SCHEMA, Setting, Sheet};
use question::QuestionArgs;

/// Predict memory, speed and energy of a model on a device
#[derive(Debug, Args)]
#[command(after_help = "\
Several names, separated by commas, give one row for every combination.

Examples:
  edgeprof predict --model tinyllama --hw pi5 --prec int4
  edgeprof predict --model llama-3.2-1b --hw pi5,orin-nano-super --prec q4_0,q8_0 --format markdown
  edgeprof predict --model ./my-model.gguf --hw host --prompt 0 --generate 128 --depth 512
  edgeprof predict --model tinyllama --hw pi5 --prec int4 --explain
  edgeprof predict --model tinyllama --hw pi5 --price '0.20 EUR/kWh' --battery 18.84Wh --grid 400gCO2/kWh
  edgeprof predict --model edgeprofiler-tinyllama --hw edgeprofiler-pi4 --prec int8 --formulas edgeprofiler")]
pub struct Predict {
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    print: PrintArgs,
    /// Show the terms of every figure: formula, inputs, factor and source
    #[arg(long, help_heading = "Output")]
    explain: bool,
}

impl Predict {
    /// Predicts and prints.
    pub fn run(&self) -> Result<(), Failure> {
        let format = self.print.format();
        let setting = format.setting();
        if self.explain && setting.is_none() {
            let message = "--explain goes with the formats table, markdown and latex; the others hold figures alone";
            Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        let mut records = Vec::new();
        let mut screens = Vec::new();
        let mut explanations = Sheet::default();
        let as_table = format == Format::Table;
        question::each(&self.question, |answer| {
            let record = answer.record();
            if as_table {
                screens.push(screen::render(answer));
            }
            if self.explain && as_table {
                let mut sheet = Sheet::default();
                explain::add(&mut sheet, answer);
                screens.push(sheet.set(Setting::Text));
            } else if self.explain {
                explanations.heading(
                    &record.model,
                    format!(" in {} on {}", record.precision, record.hardware),
                );
                explain::add(&mut explanations, answer);
            }
            records.push(record);
        })?;
        let text = match (format, setting) {
            (Format::Table, _) if records.len() == 1 || self.explain => screens.join("\n"),
            (_, Some(setting)) if !self.explain => output::comparison(&records).set(setting),
            (_, Some(setting)) => {
                let mut sheet = Sheet::default();
                sheet.table("", output::comparison(&records));
                sheet.append(explanations);
                sheet.set(setting)
            }
            (Format::Csv, _) => output::csv(&records),
            _ => json(&records)?,
        };
        self.print.write(&text)
    }
}

/// The document of the predictions, keys in the order of the record.
fn json(records: &[Record]) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: u32,
        predictions: &'a [Record],
    }
    let document = Document {
        schema: SCHEMA,
        predictions: records,
    };
    let text = serde_json::to_string_pretty(&document).map_err(Failure::new)?;
    Ok(text + "\n")
}
