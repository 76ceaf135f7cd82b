//! `report`: predictions as one page of HTML.

use super::failure::Failure;
use super::predict::question::{self, QuestionArgs};
use super::sink;
use clap::Args;
use edgeprof::catalog::{Catalog, Entry};
use edgeprof::device::Device;
use edgeprof::model::{Model, ModelFile};
use edgeprof::report::{Drawing, ModelSource, Report as Page};
use std::path::PathBuf;
use std::sync::Arc;

/// Write predictions as one page of HTML: summary, sortable table, figures, and what each number rests on
#[derive(Debug, Args)]
#[command(after_help = "\
The page needs no network: everything stands in the one file. It follows the reader's light or dark theme and prints.

Examples:
  edgeprof report --model llama-3.2-1b,gemma-3-1b --hw pi5,orin-nano-super --prec q4_0,q8_0 -o report.html")]
pub struct Report {
    #[command(flatten)]
    question: QuestionArgs,
    /// The page's title [default: the models and devices]
    #[arg(long, value_name = "TEXT", help_heading = "Output")]
    title: Option<String>,
    /// Write to this file, whole or not at all, instead of the standard output
    #[arg(short, long, value_name = "FILE.html", help_heading = "Output")]
    output: Option<PathBuf>,
    /// What the page says it was made with; none for the command of this process.
    #[arg(skip)]
    pub command: Option<String>,
}

impl Report {
    /// Predicts and writes the page.
    pub fn run(&self) -> Result<(), Failure> {
        let catalog = self.question.catalog.open()?;
        let mut records = Vec::new();
        question::each(&self.question, |answer| records.push(answer.record()))?;
        let (figures, not_drawn) = drawings(&self.question);
        let models = self
            .question
            .model
            .iter()
            .map(|name| catalog.model(name.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        let devices = self
            .question
            .hardware
            .iter()
            .map(|name| catalog.device(name.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut used: Vec<&str> = records
            .iter()
            .filter_map(|record| record.basis.calibration.as_deref())
            .collect();
        used.sort_unstable();
        used.dedup();
        let calibrations: Vec<_> = used
            .into_iter()
            .filter_map(|id| self.calibration(&catalog, id))
            .collect();
        let page = Page {
            title: self.title.clone().unwrap_or_default(),
            command: self
                .command
                .clone()
                .unwrap_or_else(|| super::command_line(std::env::args().skip(1))),
            figures,
            not_drawn,
            models: models.iter().map(source).collect(),
            devices: devices.iter().map(|entry| -> &Device { entry }).collect(),
            calibrations: calibrations.iter().map(|entry| &entry.value).collect(),
            records,
        };
        sink::write(&page.html(), self.output.as_deref())
    }

    /// The calibration of this id, or the file that was named.
    fn calibration(&self, catalog: &Catalog, id: &str) -> Option<Arc<Entry<edgeprof::calibration::Calibration>>> {
        let named = match self.question.calibration.choice() {
            edgeprof::catalog::Choice::Named(name) => catalog.calibration(&name).ok().filter(|entry| entry.id == id),
            _ => None,
        };
        named.or_else(|| catalog.calibration(id).ok())
    }
}

fn source(entry: &Arc<Entry<Model>>) -> ModelSource<'_> {
    let text = entry.origin.text().ok();
    let file = text.and_then(|text| ModelFile::parse(&text).ok());
    ModelSource {
        id: &entry.id,
        name: &entry.name,
        parameters: entry.parameters(),
        origin: entry.origin.to_string(),
        source: file.map(|file| file.source),
    }
}

/// The figures of a page, and what they show.
#[cfg(feature = "figures")]
const SHOWN: [(&str, &str); 6] = [
    (
        "memory",
        "Memory, with its 90 % interval and what the device leaves to users",
    ),
    ("trade-off", "Decoding rate against memory, with the Pareto front"),
    ("end-to-end", "The whole request, cold: loading, prefill and decode"),
    ("latency", "Where the time of that request goes"),
    ("energy", "Energy over the tokens of the request"),
    ("roofline", "Prefill and decode under the device's roofline"),
];

/// The figures that these predictions can have, and why they cannot have the others.
#[cfg(feature = "figures")]
fn drawings(question: &QuestionArgs) -> (Vec<Drawing>, Vec<String>) {
    use edgeprof::figure::{Figure, Page};
    let drawn = |figure: &Figure| figure.svg(&Page::default()).map_err(Failure::new);
    let (mut drawings, mut not_drawn) = (Vec::new(), Vec::new());
    for (name, caption) in SHOWN {
        let figure = super::plot::of(name, question).and_then(|figure| Ok((drawn(&figure)?, figure)));
        match figure {
            Ok((svg, figure)) => {
                drawings.push(Drawing {
                    name: name.to_owned(),
                    caption: caption.to_owned(),
                    svg,
                    csv: figure.table.csv(),
                });
                not_drawn.extend(
                    figure
                        .left_out
                        .iter()
                        .map(|reason| format!("Not in the figure `{name}`: {reason}.")),
                );
            }
            Err(failure) => not_drawn.push(format!("No figure `{name}`: {}.", failure.message())),
        }
    }
    (drawings, not_drawn)
}

#[cfg(not(feature = "figures"))]
fn drawings(_: &QuestionArgs) -> (Vec<Drawing>, Vec<String>) {
    let reason = "This edgeprof was built without figures; build it with `--features figures` to have them here.";
    (Vec::new(), vec![reason.to_owned()])
}
