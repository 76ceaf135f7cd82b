//! `list`: what has a name.

use super::arguments::CatalogArgs;
use super::failure::Failure;
use super::format::{self, Format};
use super::sink;
use clap::{Args, ValueEnum};
use edgeprof::calibration::{Origin, Phase, PhaseQuality};
use edgeprof::catalog::{Catalog, CatalogError};
use edgeprof::output::{Align, Grid, number};
use edgeprof::quant::Precision;
use serde_json::{Value, json};
use std::path::PathBuf;

/// List the models, devices, precisions or calibrations that have a name
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edgeprof list hardware
  edgeprof list models --format json
  edgeprof list precisions --format latex")]
pub struct List {
    /// What to list
    #[arg(value_enum)]
    what: What,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to a file instead of the standard output, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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
    pub const fn calibrations(format: Format, catalog: CatalogArgs) -> Self {
        Self {
            what: What::Calibrations,
            format,
            output: None,
            catalog,
        }
    }

    /// Prints the list.
    pub fn run(&self) -> Result<(), Failure> {
        let (key, listing) = match self.what {
            What::Models => ("models", models(&self.catalog.open()?)),
            What::Hardware => ("hardware", hardware(&self.catalog.open()?)),
            What::Precisions => ("precisions", precisions()),
            What::Calibrations => ("calibrations", calibrations(&self.catalog.open()?)),
        };
        let text = match self.format.setting() {
            Some(setting) => listing.grid.set(setting),
            None if self.format == Format::Csv => format::csv(&listing.items),
            None => format!("{:#}\n", json!({"schema": 1, key: listing.items})),
        };
        sink::write(&text, self.output.as_deref())
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
            model.origin.name().to_owned(),
        ]);
        items.push(json!({
            "id": model.id,
            "name": model.name,
            "aliases": model.aliases,
            "architecture": model.architecture,
            "parameters": model.parameters(),
            "context_length": model.context_length,
            "origin": model.origin.to_string(),
        }));
    }
    Listing { grid, items }
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

fn precisions() -> Listing {
    let mut grid = Grid::new([
        ("precision", Align::Left),
        ("bits per weight", Align::Right),
        ("what it is", Align::Left),
    ]);
    let mut items = Vec::new();
    for precision in Precision::all() {
        let bits = precision.nominal_bits_per_weight();
        grid.row([
            precision.name().to_owned(),
            bits.map(|bits| format!("{bits:.2}")).unwrap_or_default(),
            precision.description().to_owned(),
        ]);
        items.push(json!({
            "id": precision.name(),
            "description": precision.description(),
            "nominal_bits_per_weight": bits,
            "paper_bytes_per_element": precision.paper_bytes_per_element(),
        }));
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
