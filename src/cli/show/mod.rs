//! `show`: one entry of the catalogue, with its sources.

mod document;

pub use document::precision;

use super::arguments::CatalogArgs;
use super::failure::Failure;
use super::format::{Format, PrintArgs, csv};
use super::{calibration, facts};
use clap::Args;
use edgeprof::catalog::{CatalogError, Entry};
use edgeprof::device::Device;
use edgeprof::model::{Model, ModelFile, QualityMetric, QualityTable, Size};
use edgeprof::output::{Align, Grid, SCHEMA, Sheet, number};
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::{Mix, Precision};
use serde_json::{Value, json};
use std::sync::Arc;

/// Show a model, a device, a precision or a calibration with its sources
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edgeprof show tinyllama
  edgeprof show pi5
  edgeprof show pi5 --format json
  edgeprof show ./my-model.gguf")]
pub struct Show {
    /// Its name, or the path of its file
    name: String,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

impl Show {
    /// Prints the entry, or every entry where several kinds have one of that name.
    pub fn run(&self) -> Result<(), Failure> {
        let catalog = self.catalog.open()?;
        let mut shown: Vec<(Sheet, Value)> = Vec::new();
        let mut errors = Vec::new();
        match catalog.model(&self.name) {
            Ok(entry) => shown.push((model(&entry), document::model(&entry))),
            Err(error) => errors.push(error),
        }
        match catalog.device(&self.name) {
            Ok(entry) => shown.push((device(&entry), document::device(&entry)?)),
            Err(error) => errors.push(error),
        }
        match catalog.calibration(&self.name) {
            Ok(entry) => shown.push((
                calibration::sheet(&catalog, &entry),
                calibration::json(&catalog, &entry)?,
            )),
            Err(error) => errors.push(error),
        }
        let mut like = Vec::new();
        match self.name.parse::<Precision>() {
            Ok(precision) => {
                let mut document = document::precision(precision);
                document["kind"] = json!("precision");
                shown.push((describe(precision), document));
            }
            Err(error) => like.extend(error.nearest),
        }
        if shown.is_empty() {
            return Err(nothing(&self.name, errors, &like));
        }
        let (sheets, documents): (Vec<Sheet>, Vec<Value>) = shown.into_iter().unzip();
        let format = self.print.format();
        let text = match format.setting() {
            Some(setting) => {
                let texts: Vec<String> = sheets.iter().map(|sheet| sheet.set(setting)).collect();
                texts.join("\n")
            }
            None if format == Format::Csv => csv(&documents),
            None => format!("{:#}\n", json!({"schema": SCHEMA, "entries": documents})),
        };
        self.print.write(&text)
    }
}

/// What to say of a name that no kind knows.
#[derive(Debug, thiserror::Error)]
#[error("nothing is called `{name}`")]
struct Unknown {
    name: String,
}

fn nothing(name: &str, errors: Vec<CatalogError>, precisions: &[&str]) -> Failure {
    let mut nearest = Vec::new();
    for error in errors {
        match error {
            CatalogError::Unknown { nearest: near, .. } => nearest.extend(near),
            CatalogError::Invalid { .. } | CatalogError::UnknownEnding { .. } if name.ends_with(".toml") => {}
            // A path: the first kind that could have it says what is wrong.
            error => return error.into(),
        }
    }
    nearest.extend(precisions.iter().map(|&name| name.to_owned()));
    let failure = Failure::new(Unknown { name: name.to_owned() });
    if name.ends_with(".toml") {
        return failure.hint("a .toml is shown as what it is: name it where a model, a device or a calibration is expected to see what is wrong");
    }
    match nearest.is_empty() {
        true => failure.hint("`edgeprof list` shows the models, hardware, precisions and calibrations there are"),
        false => failure.hint(format!(
            "did you mean {}?",
            nearest
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(" or ")
        )),
    }
}

/// The file of a model, where it has one of the catalogue's form.
fn model_file(entry: &Entry<Model>) -> Option<ModelFile> {
    let text = entry.origin.text().ok()?;
    ModelFile::parse(&text).ok()
}

/// Every precision that a model can be stored in, with its sums.
fn stored_in(model: &Model) -> impl Iterator<Item = (Precision, ModelSums)> {
    let stored = model
        .tensors
        .iter()
        .all(|tensor| tensor.stored.is_some())
        .then_some(Precision::Stored);
    let all = stored.into_iter().chain(Mix::ALL.iter().copied().map(Precision::Mix));
    all.filter_map(|precision| Some((precision, ModelSums::of(model, precision).ok()?)))
}

fn model(entry: &Arc<Entry<Model>>) -> Sheet {
    let model: &Model = entry;
    let mut sheet = Sheet::default();
    sheet.heading(&model.name, format!(" ({}), model, {}", model.id, entry.origin));
    let file = model_file(entry);
    let mut grid = Grid::new([("", Align::Left), ("", Align::Left)]);
    let mut row = |name: &str, value: String| grid.row([name.to_owned(), value]);
    row("architecture", model.architecture.clone());
    row("parameters", number::count(model.parameters() as f64));
    if model.experts > 0 {
        row(
            "experts",
            format!("{} of {} a token", model.experts_used, model.experts),
        );
    }
    row("layers", model.mixers.len().to_string());
    row("hidden size", model.hidden_size.to_string());
    row("feed-forward size", model.feed_forward_size.to_string());
    row("vocabulary", number::count(model.vocabulary_size as f64));
    if let Some(length) = model.context_length {
        row("context", number::count(length as f64));
    }
    if !entry.aliases.is_empty() {
        row("also called", entry.aliases.join(", "));
    }
    if let Some(file) = &file {
        row("dimensions from", file.source.clone());
        if let Some(license) = &file.license {
            row("licence", license.clone());
        }
        if let Some(notes) = &file.notes {
            row("note", notes.clone());
        }
        if let Some(parameters) = file.published.parameters {
            row("published parameters", number::count(parameters as f64));
        }
        if let Some(source) = &file.published.parameters_source {
            row("  source", source.clone());
        }
        for (precision, published) in &file.published.sizes {
            let size = match &published.size {
                Size::Exact(bytes) => format!("{} bytes", number::count(*bytes as f64)),
                Size::Rounded(size) => size.clone(),
            };
            row(
                &format!("published size, {precision}"),
                format!("{size} ({})", published.source),
            );
        }
    }
    sheet.table("", grid);
    sheet.table("", sizes(model));
    if model.quality.is_empty() {
        sheet.items(vec!["quality: no published figure is known".to_owned()]);
    }
    for table in &model.quality {
        sheet.table("", judged(table));
        let note = table.note.as_ref().map_or(String::new(), |note| format!("; {note}"));
        sheet.items(vec![format!("{} ({}){note}", table.data, table.source)]);
    }
    sheet
}

/// Published figures of quality, the best first.
fn judged(table: &QualityTable) -> Grid {
    let mut grid = Grid::new([
        ("precision", Align::Left),
        (table.metric.name(), Align::Right),
        ("±", Align::Right),
        ("over unquantised", Align::Right),
    ]);
    let text = |value: f64| match table.metric {
        QualityMetric::Perplexity => number::significant(value, 5),
        QualityMetric::Accuracy => number::percent(value),
    };
    let mut rows: Vec<_> = table.values.iter().collect();
    rows.sort_by(|(_, a), (_, b)| match table.metric {
        QualityMetric::Perplexity => a.value.total_cmp(&b.value),
        QualityMetric::Accuracy => b.value.total_cmp(&a.value),
    });
    for (precision, figure) in rows {
        let over = table.quality(*precision).and_then(|quality| quality.over_unquantised);
        grid.row([
            precision.to_string(),
            text(figure.value),
            figure
                .error
                .map(|error| number::significant(error, 2))
                .unwrap_or_default(),
            over.map(|ratio| format!("{ratio:.4}")).unwrap_or_default(),
        ]);
    }
    grid
}

/// Size and sums of a model in every mix.
fn sizes(model: &Model) -> Grid {
    let mut grid = Grid::new([
        ("precision", Align::Left),
        ("bytes of all tensors", Align::Right),
        ("", Align::Right),
        ("bits per weight", Align::Right),
    ]);
    for (precision, sums) in stored_in(model) {
        grid.row([
            precision.to_string(),
            number::count(sums.weight_bytes as f64),
            number::bytes(sums.weight_bytes as f64),
            format!("{:.2}", document::bits_per_weight(&sums)),
        ]);
    }
    grid
}

fn device(entry: &Arc<Entry<Device>>) -> Sheet {
    let device: &Device = entry;
    let mut sheet = Sheet::default();
    sheet.heading(&device.name, format!(" ({}), device, {}", device.id, entry.origin));
    let mut items = Vec::new();
    if let Some(note) = &device.note {
        items.push(note.clone());
    }
    if !entry.aliases.is_empty() {
        items.push(format!("also called {}", entry.aliases.join(", ")));
    }
    for (kind, backend) in &device.backends {
        let default = if *kind == device.default_backend {
            " (default)"
        } else {
            ""
        };
        let features = if backend.features.is_empty() {
            String::new()
        } else {
            format!(", {}", backend.features.join(" "))
        };
        items.push(format!("backend {kind}{default}: class {}{features}", backend.class));
    }
    if let Some(mode) = &device.default_power_mode {
        let modes: Vec<&str> = device.power_modes.keys().map(String::as_str).collect();
        items.push(format!("power modes {} (default {mode})", modes.join(", ")));
    }
    if let Some(price) = &device.price {
        let date = price.date.as_ref().map_or(String::new(), |date| format!("{date}, "));
        items.push(format!(
            "price {} {} ({date}{})",
            price.amount, price.currency, price.source
        ));
    }
    sheet.items(items);
    let (numbers, sources) = facts::numbers(device, device.facts());
    sheet.table("", numbers);
    sheet.items(sources);
    sheet
}

fn describe(precision: Precision) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.heading(precision.to_string(), ", precision");
    let mut items = vec![precision.description().to_owned()];
    if let Some(bits) = precision.nominal_bits_per_weight() {
        items.push(format!("about {bits:.2} bits per weight"));
    }
    if let Some(bytes) = precision.paper_bytes_per_element() {
        items.push(format!("{bytes} bytes per element in the paper's equations"));
    }
    sheet.items(items);
    sheet
}
