//! `validate`: predictions held against measurements.

use super::arguments::{CalibrationArgs, CatalogArgs};
use super::calibrate::rows;
use super::failure::Failure;
use super::format::{self, Format, PrintArgs};
use clap::{Args, ValueEnum};
use edgeprof::calibrate::leave_out::LeaveOut;
use edgeprof::calibrate::validate::{Validation, validate};
use edgeprof::output::{Align, Grid, Sheet, number};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Hold predictions against measurements
#[derive(Debug, Args)]
#[command(after_help = "\
Files are llama-bench's output (-o json, jsonl, csv, sql or md) or a table like calibration/measurements/published.csv.

Examples:
  edgeprof validate my-runs.json --hw pi5
  edgeprof validate calibration/measurements/published.csv --leave-out device
  edgeprof validate my-runs.json --hw pi5 --calibration none --format json")]
pub struct Validate {
    /// Measurement files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The device of the rows that name none of the catalogue's, as llama-bench's do: a name of `list hardware`, a .toml, or `host` for
    /// this machine
    #[arg(long = "hw", visible_alias = "hardware", value_name = "NAME")]
    hardware: Option<String>,
    /// Refit without each model, device or class of backends, and judge what the fit had not seen (minutes)
    #[arg(long, value_enum, ignore_case = true, value_name = "WHAT")]
    leave_out: Option<What>,
    /// How many of the worst rows to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    worst: usize,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Model,
    Device,
    Class,
}

impl Validate {
    /// Validates and prints.
    pub fn run(&self) -> Result<(), Failure> {
        let catalog = self.catalog.open()?;
        let device = match &self.hardware {
            Some(name) => Some(catalog.device(name.trim())?),
            None => None,
        };
        let (bench, notes) = rows::bench(&catalog, &self.files, device.as_deref().map(|entry| &entry.value))?;
        for note in notes {
            Failure::new(note).warn();
        }
        let leave_out = self.leave_out.map(|what| match what {
            What::Model => LeaveOut::Model,
            What::Device => LeaveOut::Device,
            What::Class => LeaveOut::Class,
        });
        let validation = validate(&catalog, &bench, leave_out, &self.calibration.choice()).map_err(rows::not_judged)?;
        let format = self.print.format();
        let text = match format.setting() {
            Some(setting) => sheet(&validation, self.worst).set(setting),
            None if format == Format::Csv => rows_csv(&validation)?,
            None => json(&validation)?,
        };
        self.print.write(&text)
    }
}

fn json(validation: &Validation) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: u32,
        #[serde(flatten)]
        validation: &'a Validation,
    }
    let text = serde_json::to_string_pretty(&Document { schema: 1, validation }).map_err(Failure::new)?;
    Ok(text + "\n")
}

/// Every row that was judged.
fn rows_csv(validation: &Validation) -> Result<String, Failure> {
    let rows: Result<Vec<_>, _> = validation.rows.iter().map(serde_json::to_value).collect();
    Ok(format::csv(&rows.map_err(Failure::new)?))
}

/// The groups, the worst rows and what was left out.
fn sheet(validation: &Validation, worst: usize) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.table("Errors", groups(validation));
    if worst > 0 {
        let title = format!("The {} worst rows", worst.min(validation.rows.len()));
        sheet.table(title, worst_rows(validation, worst));
    }
    if !validation.left_out.is_empty() {
        let title = format!("{} rows were not judged", validation.left_out.len());
        sheet.table(title, left_out(validation));
    }
    sheet
}

fn groups(validation: &Validation) -> Grid {
    let right = |title: &'static str| (title, Align::Right);
    let mut grid = Grid::new([
        ("device", Align::Left),
        ("backend", Align::Left),
        ("phase", Align::Left),
        right("n"),
        right("median error"),
        right("mean"),
        right("90th percentile"),
        right("bias"),
        right("coverage of 90 %"),
    ]);
    for group in &validation.groups {
        let figures = &group.statistics;
        grid.row([
            group.device.clone(),
            group.backend.to_owned(),
            group.phase.name().to_owned(),
            figures.n.to_string(),
            number::percent(figures.median_error),
            number::percent(figures.mean_error),
            number::percent(figures.p90_error),
            format!("{:+.1} %", figures.bias * 100.0),
            format!("{:.0} %", figures.coverage * 100.0),
        ]);
    }
    grid
}

fn worst_rows(validation: &Validation, worst: usize) -> Grid {
    let mut grid = Grid::new([
        ("device", Align::Left),
        ("model", Align::Left),
        ("precision", Align::Left),
        ("test", Align::Left),
        ("measured", Align::Right),
        ("predicted", Align::Right),
        ("error", Align::Right),
        ("source", Align::Left),
    ]);
    for row in validation.rows.iter().take(worst) {
        let mode = row
            .power_mode
            .as_ref()
            .map_or_else(String::new, |mode| format!(" {mode}"));
        grid.row([
            format!("{} {}{mode}", row.device, row.backend),
            row.model.clone(),
            row.precision.clone(),
            row.test.clone(),
            number::significant(row.measured, 4),
            number::significant(row.predicted, 4),
            format!("{:+.0} %", row.error * 100.0),
            row.source.clone(),
        ]);
    }
    grid
}

fn left_out(validation: &Validation) -> Grid {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &validation.left_out {
        *reasons.entry(&row.reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|&(reason, count)| (std::cmp::Reverse(count), reason));
    let mut grid = Grid::new([("rows", Align::Right), ("reason", Align::Left)]);
    for (reason, count) in reasons {
        grid.row([count.to_string(), reason.to_owned()]);
    }
    grid
}
