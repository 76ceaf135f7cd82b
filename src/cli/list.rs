//! `list`: what has a name.

use super::arguments::CatalogArgs;
use super::failure::Failure;
use super::format::{self, Format, PrintArgs};
use super::show;
use clap::{Args, ValueEnum};
use edgeprof::calibration::{Origin, Phase, PhaseQuality};
use edgeprof::catalog::{Catalog, CatalogError};
use edgeprof::model::{Model, Quality, QualityMetric};
use edgeprof::output::{Align, Grid, number};
use edgeprof::quant::Precision;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// List the models, devices, precisions or calibrations that have a name
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edgeprof list hardware
  edgeprof list models --format json
  edgeprof list precisions --format latex")]
pub struct List {
    /// What to list
    #[arg(value_enum, ignore_case = true)]
    what: What,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Models,
    #[value(alias = "devices")]
    Hardware,
    Precisions,
    Calibrations,
}

/// A list in both of its forms.
struct Listing {
    grid: Grid,
    items: Vec<Value>,
}

impl List {
    /// `list calibrations`.
    pub const fn calibrations(print: PrintArgs, catalog: CatalogArgs) -> Self {
        Self {
            what: What::Calibrations,
            print,
            catalog,
        }
    }

    /// Prints the list.
    pub fn run(&self) -> Result<(), Failure> {
        let (key, listing) = match self.what {
            What::Models => ("models", models(&self.catalog.open()?)),
            What::Hardware => ("hardware", hardware(&self.catalog.open()?)),
            What::Precisions => ("precisions", precisions(&self.catalog.open()?)),
            What::Calibrations => ("calibrations", calibrations(&self.catalog.open()?)),
        };
        let format = self.print.format();
        let text = match format.setting() {
            Some(setting) => listing.grid.set(setting),
            None if format == Format::Csv => format::csv(&listing.items),
            None => format!("{:#}\n", json!({"schema": 1, key: listing.items})),
        };
        self.print.write(&text)
    }
}

/// The entry, or a word on stderr of why a file of the user's is left out.
fn usable<T>(entry: Result<T, CatalogError>) -> Option<T> {
    entry.map_err(|error| Failure::from(error).warn()).ok()
}

fn models(catalog: &Catalog) -> Listing {
    let mut grid = Grid::new([
        ("id", Align::Left),
        ("model", Align::Left),
        ("architecture", Align::Left),
        ("parameters", Align::Right),
        ("context", Align::Right),
        ("published quality", Align::Left),
        ("from", Align::Left),
    ]);
    let mut items = Vec::new();
    for id in catalog.model_ids() {
        let Some(model) = usable(catalog.model(id)) else {
            continue;
        };
        grid.row([
            model.id.clone(),
            model.name.clone(),
            model.architecture.clone(),
            number::count(model.parameters() as f64),
            model
                .context_length
                .map(|length| number::count(length as f64))
                .unwrap_or_default(),
            published(&model),
            model.origin.name().to_owned(),
        ]);
        items.push(json!({
            "id": model.id,
            "name": model.name,
            "aliases": model.aliases,
            "architecture": model.architecture,
            "parameters": model.parameters(),
            "context_length": model.context_length,
            "quality": model.quality,
            "origin": model.origin.to_string(),
        }));
    }
    Listing { grid, items }
}

/// What is published of the quality of a model: the metrics, and in how many precisions.
fn published(model: &Model) -> String {
    let mut metrics: BTreeMap<&str, BTreeSet<Precision>> = BTreeMap::new();
    for table in &model.quality {
        metrics
            .entry(table.metric.name())
            .or_default()
            .extend(table.values.keys());
    }
    let counts = metrics.iter().map(|(metric, precisions)| match precisions.len() {
        1 => format!("{metric} in 1 precision"),
        many => format!("{metric} in {many} precisions"),
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn hardware(catalog: &Catalog) -> Listing {
    let mut grid = Grid::new([
        ("id", Align::Left),
        ("device", Align::Left),
        ("backends", Align::Left),
        ("usable memory", Align::Right),
        ("bandwidth", Align::Right),
        ("from", Align::Left),
    ]);
    let mut items = Vec::new();
    for id in catalog.device_ids() {
        let Some(device) = usable(catalog.device(id)) else {
            continue;
        };
        let memory = device
            .backends
            .get(&device.default_backend)
            .and_then(|backend| backend.memory.as_ref());
        let memory = memory.unwrap_or(&device.memory);
        // The default backend first.
        let mut backends: Vec<&str> = device.backends.keys().map(|kind| kind.name()).collect();
        backends.sort_by_key(|&name| name != device.default_backend.name());
        grid.row([
            device.id.clone(),
            device.name.clone(),
            backends.join(" "),
            number::bytes(memory.usable.value.get()),
            number::quantity(memory.bandwidth.value.get(), "B/s"),
            device.origin.name().to_owned(),
        ]);
        items.push(json!({
            "id": device.id,
            "name": device.name,
            "aliases": device.aliases,
            "default_backend": device.default_backend,
            "backends": backends,
            "power_modes": device.power_modes.keys().collect::<Vec<_>>(),
            "usable_bytes": memory.usable.value,
            "bandwidth_bytes_per_s": memory.bandwidth.value,
            "origin": device.origin.to_string(),
        }));
    }
    Listing { grid, items }
}

/// Precisions, with the perplexity that each is published to add to a model's.
fn precisions(catalog: &Catalog) -> Listing {
    let all = catalog.model_ids().filter_map(|id| usable(catalog.model(id)));
    let perplexity = |quality: &Quality<'_>| quality.table.metric == QualityMetric::Perplexity;
    let judged: Vec<_> = all
        .filter(|model| {
            model
                .quality
                .iter()
                .any(|table| table.metric == QualityMetric::Perplexity)
        })
        .collect();
    let titles: Vec<String> = judged.iter().map(|model| format!("perplexity, {}", model.id)).collect();
    let mut columns = vec![("precision", Align::Left), ("bits per weight", Align::Right)];
    columns.extend(titles.iter().map(|title| (title.as_str(), Align::Right)));
    columns.push(("what it is", Align::Left));
    let mut grid = Grid::new(columns);
    let mut items = Vec::new();
    for precision in Precision::all() {
        let bits = precision.nominal_bits_per_weight();
        let published = |model: &Model| model.quality(precision).filter(perplexity)?.over_unquantised;
        let mut row = vec![
            precision.name().to_owned(),
            bits.map(|bits| format!("{bits:.2}")).unwrap_or_default(),
        ];
        row.extend(judged.iter().map(|model| {
            published(model).map_or_else(String::new, |ratio| format!("{:+.1} %", 100.0 * (ratio - 1.0)))
        }));
        row.push(precision.description().to_owned());
        grid.row(row);
        let over: serde_json::Map<String, Value> = judged
            .iter()
            .filter_map(|model| Some((model.id.clone(), json!(published(model)?))))
            .collect();
        let mut item = show::precision(precision);
        item["perplexity_over_unquantised"] = Value::Object(over);
        items.push(item);
    }
    Listing { grid, items }
}

fn calibrations(catalog: &Catalog) -> Listing {
    let mut grid = Grid::new([
        ("id", Align::Left),
        ("of", Align::Left),
        ("prefill points", Align::Right),
        ("error", Align::Right),
        ("decode points", Align::Right),
        ("error", Align::Right),
        ("date", Align::Left),
        ("from", Align::Left),
    ]);
    let mut items = Vec::new();
    for id in catalog.calibration_ids() {
        let Some(calibration) = usable(catalog.calibration(id)) else {
            continue;
        };
        let file = &calibration.file;
        let [prefill, decode] = [Phase::Prefill, Phase::Decode].map(|phase| calibration.quality(phase));
        let error = |quality: PhaseQuality| quality.held_out_error.map(number::percent).unwrap_or_default();
        grid.row([
            id.to_owned(),
            match file.origin {
                Origin::Device => "device",
                Origin::Class => "class",
            }
            .to_owned(),
            prefill.points.to_string(),
            error(prefill),
            decode.points.to_string(),
            error(decode),
            file.date.clone(),
            calibration.origin.name().to_owned(),
        ]);
        items.push(json!({
            "id": id,
            "of": file.origin,
            "device": file.device,
            "backend": file.backend,
            "class": file.class,
            "date": file.date,
            "threads": file.threads,
            "prefill": prefill,
            "decode": decode,
            "origin": calibration.origin.to_string(),
        }));
    }
    Listing { grid, items }
}
