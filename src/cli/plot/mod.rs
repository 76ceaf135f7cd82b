//! `plot`: figures for papers.

mod ask;
mod break_even;
mod pairs;

use super::failure::Failure;
use super::predict::question::QuestionArgs;
use super::{Cli, compare, sink};
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, ValueEnum};
use edgeprof::calibration::Phase;
use edgeprof::economy::Money;
use edgeprof::figure::Page;
use edgeprof::figure::metric::METRICS;
use edgeprof::output::{Align, Grid};
use std::path::{Path, PathBuf};

/// Draw a figure for a paper, with its data as CSV beside it
#[derive(Debug, Args)]
#[command(
    mut_arg("model", |arg| arg.required(false)),
    mut_arg("hardware", |arg| arg.required(false)),
    after_help = "\
Every combination of models, devices and precisions is drawn. The drawing is made for its width on paper: its text is text, of 7 and 8
points there, and colours, markers, dashes and hatching tell series apart, in grey too.

Examples:
  edgeprof plot end-to-end --model tinyllama,gemma-3-1b --hw pi4,pi5,orin-nano-super --prec fp16,int8,int4 -o end-to-end.svg
  edgeprof plot depth --model llama-3.2-1b --hw pi5 --prec q4_0,q8_0 --over 0,1024,2048,4096 -o depth.svg
  edgeprof plot trade-off --model gemma-3-1b --hw pi5 --prec q8_0,q6_k,q4_0,q2_k --x memory_bytes --y decode_tokens_per_s
  edgeprof plot parity calibration/measurements/published.csv --phase decode -o parity.svg
  edgeprof plot --list"
)]
pub struct Plot {
    /// The figure
    #[arg(
        value_enum,
        ignore_case = true,
        value_name = "FIGURE",
        required_unless_present = "list"
    )]
    figure: Option<Name>,
    /// Measurements, what `validate --format json` printed, or the data of such a figure (parity)
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// List the figures, a line each
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    question: QuestionArgs,
    /// Depths, lengths of the prompt, threads or contexts to go through [default: what the models and devices span]
    #[arg(long, value_name = "N", value_delimiter = ',', help_heading = "Figure")]
    over: Vec<u64>,
    /// What the level axis of the trade-off shows [default: memory_bytes]
    #[arg(long, value_name = "KEY", value_parser = metrics(), help_heading = "Figure")]
    x: Option<String>,
    /// What the upright axis shows, or what the sensitivity is of [default: as in the list]
    #[arg(long, value_name = "KEY", value_parser = metrics(), help_heading = "Figure")]
    y: Option<String>,
    /// The phase that parity is shown of [default: both]
    #[arg(long, value_enum, ignore_case = true, help_heading = "Figure")]
    phase: Option<PhaseName>,
    /// Prices of the two devices of the break-even [default: those of their entries, where they have one]
    #[arg(long, value_name = "A,B", value_delimiter = ',', help_heading = "Economy")]
    device_price: Vec<Money>,
    /// Share of the time that the dearer device of the break-even works, above 0 and at most 1 or 100 %
    #[arg(long, value_name = "SHARE", value_parser = compare::share, default_value = "1", help_heading = "Economy")]
    utilization: f64,
    /// Write the drawing to this file and the data beside it with the ending .csv; else the drawing goes to the standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// What to write [default: what the ending of --output says, else svg]
    #[arg(long, value_enum, ignore_case = true, help_heading = "Output")]
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

fn metrics() -> PossibleValuesParser {
    PossibleValuesParser::new(METRICS.iter().map(|metric| metric.key))
}

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Memory over devices, models and precisions, with its interval and the device's limit (EdgeProfiler, Fig. 3 a)
    #[value(alias = "fig3a")]
    Memory,
    /// Reading the weights from storage, likewise (Fig. 3 b)
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
    /// Where the time of a cold request goes: loading, prefill and decode, by compute, memory and overhead
    Latency,
    /// Where the time of one decoded token goes, term by term
    Token,
    /// Prefill and decode under the device's roofline
    Roofline,
    /// Any two figures against each other with the Pareto front (--x, --y; default memory and decode rate)
    #[value(alias = "tradeoff")]
    TradeOff,
    /// Decode rate (--y) against tokens already in the cache, as llama-bench's `tg @ d`
    Depth,
    /// Prefill rate (--y) against the length of the prompt
    Prompt,
    /// Decode rate (--y) against CPU threads
    Threads,
    /// Decode rate (--y) in every power mode of the devices
    PowerModes,
    /// Memory against the context, with what the devices leave to users
    Context,
    /// Predicted against measured rates, with intervals (of files)
    Parity,
    /// Which factor or input moves the answer (--y; default decode rate) most
    Sensitivity,
    /// Price and energy costs of two devices over the years, and when the dearer one pays (--price, --device-price, --utilization)
    BreakEven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PhaseName {
    Prefill,
    Decode,
}

impl From<PhaseName> for Phase {
    fn from(name: PhaseName) -> Self {
        match name {
            PhaseName::Prefill => Self::Prefill,
            PhaseName::Decode => Self::Decode,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Svg,
    /// 600 dots per inch (a build with the feature `raster`)
    Png,
    /// Its text as text (a build with the feature `raster`)
    Pdf,
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

/// A file whose ending names no format.
#[derive(Debug, thiserror::Error)]
#[error("the ending of {} names no format", path.display())]
struct UnknownEnding {
    path: PathBuf,
}

/// The figure of this name as `plot` draws it of the same question.
pub fn of(name: &str, question: &QuestionArgs) -> Result<edgeprof::figure::Figure, Failure> {
    let cli = Cli::try_parse_from(["edgeprof", "plot", name]).map_err(Failure::new)?;
    let super::Command::Plot(mut plot) = cli.command else {
        return Err(Failure::new(edgeprof::figure::FigureError::Empty));
    };
    plot.question = question.clone();
    plot.figure.map_or_else(
        || Err(Failure::new(edgeprof::figure::FigureError::Empty)),
        |name| plot.figure(name),
    )
}

impl Plot {
    /// Draws and writes.
    pub fn run(&self) -> Result<(), Failure> {
        let Some(name) = self.figure.filter(|_| !self.list) else {
            return sink::write(&list(), None);
        };
        if name != Name::Parity && !self.files.is_empty() {
            let message = "only parity is drawn from files; the other figures take --model and --hw";
            Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        let path = self.output.as_deref().filter(|path| *path != Path::new("-"));
        let format = self.format(path)?;
        let figure = self.figure(name)?;
        for reason in &figure.left_out {
            Failure::new(reason.clone()).warn();
        }
        let data = figure.table.csv();
        if format == Format::Csv {
            return sink::write(&data, path);
        }
        let page = Page {
            width: self.width.unwrap_or(Page::default().width),
            height: self.height,
            title: self.title.clone(),
        };
        let drawing = figure.svg(&page).map_err(Failure::new)?;
        match format {
            Format::Png | Format::Pdf => raster(&drawing, format, path)?,
            Format::Svg | Format::Csv => sink::write(&drawing, path)?,
        }
        match path {
            Some(path) => sink::write(&data, Some(&path.with_extension("csv"))),
            None => Ok(()),
        }
    }

    /// The format that was asked for, by name or by the ending of the file.
    fn format(&self, path: Option<&Path>) -> Result<Format, Failure> {
        let Some(path) = path.filter(|_| self.format.is_none()) else {
            return Ok(self.format.unwrap_or(Format::Svg));
        };
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        Format::from_str(ending, true).map_err(|_| {
            let known: Vec<String> = Format::value_variants()
                .iter()
                .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
                .collect();
            Failure::new(UnknownEnding { path: path.to_owned() }).hint(format!(
                "end it in .{}, or name the format with --format",
                known.join(", .")
            ))
        })
    }
}

/// Writes the drawing as a picture or a page.
#[cfg(feature = "raster")]
fn raster(drawing: &str, format: Format, path: Option<&Path>) -> Result<(), Failure> {
    use edgeprof::figure::raster::{pdf, png};
    let bytes = match format {
        Format::Pdf => pdf(drawing),
        _ => png(drawing),
    };
    sink::write_bytes(&bytes.map_err(Failure::new)?, path)
}

#[cfg(not(feature = "raster"))]
fn raster(_: &str, format: Format, _: Option<&Path>) -> Result<(), Failure> {
    let name = format
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned());
    Err(Failure::new(NoRaster { name })
        .hint("write SVG, which browsers, Inkscape and most word processors read; or build with `cargo install --path . --features raster`"))
}

/// A format whose feature was left out.
#[cfg(not(feature = "raster"))]
#[derive(Debug, thiserror::Error)]
#[error("this edgeprof was built without {name}")]
struct NoRaster {
    name: String,
}

/// The figures, a line each.
fn list() -> String {
    let mut grid = Grid::new([("", Align::Left); 2]);
    for name in Name::value_variants() {
        if let Some(value) = name.to_possible_value() {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            grid.row([value.get_name().to_owned(), help]);
        }
    }
    grid.text("")
}
