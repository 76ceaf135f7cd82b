//! `plot`: figures for papers.

use super::failure::Failure;
use super::predict::question::{self, QuestionArgs};
use super::{Cli, sink};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum};
use edgeprof::figure::metric::Metric;
use edgeprof::figure::{self, Figure, Page};
use edgeprof::output::Record;
use std::path::{Path, PathBuf};

/// Draw a figure for a paper, with its data as CSV beside it
#[derive(Debug, Args)]
#[command(
    mut_arg("model", |arg| arg.required(false)),
    mut_arg("hardware", |arg| arg.required(false)),
    after_help = "\
Every combination of models, devices and precisions is drawn. The drawing is made for its width on paper: the text is text of 7 and 8
points there, and colours, markers, dashes and hatching tell series apart, in grey too.

Examples:
  edgeprof plot end-to-end --model tinyllama,gemma-3-1b --hw pi4,pi5,orin-nano-super --prec fp16,int8,int4 -o end-to-end.svg
  edgeprof plot --list"
)]
pub struct Plot {
    /// The figure
    #[arg(value_enum, value_name = "FIGURE", required_unless_present = "list")]
    figure: Option<Name>,
    /// List the figures, a line each
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    question: QuestionArgs,
    /// Write the drawing to this file and the data beside it with the ending .csv; else the drawing goes to the standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// What to write [default: what the ending of --output says, else svg]
    #[arg(long, value_enum, help_heading = "Output")]
    format: Option<Format>,
    /// Width on paper: `3.5in`, `88mm`, `252pt` [default: 3.5in, a column of two]
    #[arg(long, value_name = "LENGTH", value_parser = length, help_heading = "Output")]
    width: Option<f64>,
    /// Height on paper [default: what the contents ask for]
    #[arg(long, value_name = "LENGTH", value_parser = length, help_heading = "Output")]
    height: Option<f64>,
    /// A title above the plot; papers have captions instead
    #[arg(long, value_name = "TEXT", help_heading = "Output")]
    title: Option<String>,
}

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Memory over devices, models and precisions, with its interval and the device's limit (EdgeProfiler, Fig. 3 a)
    #[value(alias = "fig3a")]
    Memory,
    /// Reading the weights from storage (Fig. 3 b)
    #[value(alias = "fig3b")]
    StorageIo,
    /// Copying the weights to the device (Fig. 3 c)
    #[value(alias = "fig3c")]
    HostToDevice,
    /// Sending activations over the network (Fig. 3 d)
    #[value(alias = "fig3d")]
    Network,
    /// The whole request, cold (Fig. 3 e)
    #[value(alias = "fig3e")]
    EndToEnd,
    /// Energy per token (Fig. 3 f)
    #[value(alias = "fig3f")]
    Energy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Svg,
    /// The data alone
    Csv,
}

/// A length that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no length on paper; write it as 3.5in, 8.8cm, 88mm or 252pt, from 1in to 40in")]
struct NotALength {
    text: String,
}

/// Points of a length with its unit.
fn length(text: &str) -> Result<f64, NotALength> {
    let trimmed = text.trim();
    let points = [("in", 72.0), ("cm", 72.0 / 2.54), ("mm", 72.0 / 25.4), ("pt", 1.0)]
        .iter()
        .find_map(|(unit, points)| {
            let number = trimmed.strip_suffix(unit)?.trim_end();
            Some(number.parse::<f64>().ok()? * points)
        });
    points
        .filter(|points| (72.0..=40.0 * 72.0).contains(points))
        .ok_or_else(|| NotALength { text: text.to_owned() })
}

impl Plot {
    /// Draws and writes.
    pub fn run(&self) -> Result<(), Failure> {
        let Some(name) = self.figure.filter(|_| !self.list) else {
            return sink::write(&list(), None);
        };
        let figure = self.figure(name)?;
        for reason in &figure.left_out {
            Failure::new(reason.clone()).warn();
        }
        let page = Page {
            width: self.width.unwrap_or(Page::default().width),
            height: self.height,
            title: self.title.clone(),
        };
        let format = self.format.unwrap_or_else(|| {
            let ending = self.output.as_deref().and_then(Path::extension);
            match ending.and_then(|ending| ending.to_str()) {
                Some("csv") => Format::Csv,
                _ => Format::Svg,
            }
        });
        let data = figure.table.csv();
        if format == Format::Csv {
            return sink::write(&data, self.output.as_deref());
        }
        let drawing = figure.svg(&page).map_err(Failure::new)?;
        sink::write(&drawing, self.output.as_deref())?;
        match self.output.as_deref().filter(|path| *path != Path::new("-")) {
            Some(path) => sink::write(&data, Some(&path.with_extension("csv"))),
            None => Ok(()),
        }
    }

    fn figure(&self, name: Name) -> Result<Figure, Failure> {
        let metric = match name {
            Name::Memory => "memory_bytes",
            Name::StorageIo => "io_s",
            Name::HostToDevice => "h2d_s",
            Name::Network => "network_s",
            Name::EndToEnd => "end_to_end_s",
            Name::Energy => "energy_j_per_token",
        };
        let Some(metric) = Metric::of_key(metric) else {
            return Err(Failure::new(format!("there is no metric `{metric}`")));
        };
        figure::paper::figure(metric, &self.records()?).map_err(Failure::new)
    }

    /// The predictions of every combination that was asked for.
    fn records(&self) -> Result<Vec<Record>, Failure> {
        for (missing, flag) in [
            (self.question.model.is_empty(), "--model <NAME>"),
            (self.question.hardware.is_empty(), "--hw <NAME>"),
        ] {
            if missing {
                let message = format!("this figure needs {flag}");
                Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
            }
        }
        let mut records = Vec::new();
        question::each(&self.question, |answer| records.push(answer.record()))?;
        Ok(records)
    }
}

/// The figures, a line each.
fn list() -> String {
    let mut grid = edgeprof::output::Grid::new([("", edgeprof::output::Align::Left); 2]);
    for name in Name::value_variants() {
        if let Some(value) = name.to_possible_value() {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            grid.row([value.get_name().to_owned(), help]);
        }
    }
    grid.text("")
}
