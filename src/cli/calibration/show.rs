//! `calibration show`: the factors with their errors beside the class's, what was measured, and how well it fits.

use super::{Answer, CatalogArgs, Failure, PrintArgs};
use clap::Args;
use edgeprof::calibration::{Calibration, CalibrationFile, FactorId, FittedPoint, Phase};
use edgeprof::catalog::{Catalog, Entry};
use edgeprof::output::{Align, Grid, SCHEMA, Sheet, number};
use serde_json::{Value, json};

/// Correlations that are listed for readers; of the weaker ones the number is said.
const MOST_CORRELATIONS: usize = 12;

/// Show a calibration: factors, correlations, points with residuals, and where it comes from; as CSV its factors
#[derive(Debug, Args)]
pub struct Show {
    /// An id of `calibration list`, or a file
    #[arg(value_name = "ID|FILE")]
    calibration: String,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
}

impl Show {
    /// Prints the calibration.
    pub fn run(&self) -> Result<(), Failure> {
        let catalog = self.catalog.open()?;
        let entry = catalog.calibration(&self.calibration)?;
        let class = class_of(&catalog, &entry);
        let factors = factors(&entry.file, class.as_ref());
        let answer = Answer {
            sheet: sheet(&catalog, &entry),
            document: document(&entry, &factors)?,
            rows: factors,
        };
        answer.print(&self.print)
    }
}

/// The calibration of the class, where this is one of a device and the catalogue has it.
fn class_of(catalog: &Catalog, calibration: &Calibration) -> Option<CalibrationFile> {
    let id = format!("class-{}", calibration.file.class);
    let class = catalog.calibration(&id).ok().filter(|_| id != calibration.id)?;
    Some(class.file.clone())
}

/// The factors, each beside its class's.
fn factors(file: &CalibrationFile, class: Option<&CalibrationFile>) -> Vec<Value> {
    let row = |(name, factor): (&String, &edgeprof::calibration::FittedFactor)| {
        let class = class.and_then(|class| class.factors.get(name));
        json!({
            "factor": name,
            "value": factor.value,
            "error": factor.error,
            "determined": !factor.from_class,
            "class_value": class.map(|factor| factor.value),
            "class_error": class.map(|factor| factor.error),
        })
    };
    file.factors.iter().map(row).collect()
}

fn document(entry: &Entry<Calibration>, factors: &[Value]) -> Result<Value, Failure> {
    let mut document = serde_json::to_value(&entry.file).map_err(Failure::new)?;
    let correlation =
        |(a, b, coefficient): &(String, String, f64)| json!({"factors": [a, b], "coefficient": coefficient});
    let point = |point: &FittedPoint| {
        let mut value = json!(point);
        value["fitted_tokens_per_s"] = json!(fitted(point));
        value
    };
    document["schema"] = json!(SCHEMA);
    document["id"] = json!(entry.id);
    document["from"] = json!(entry.origin.to_string());
    document["factors"] = json!(factors);
    document["correlations"] = entry.file.correlations.iter().map(correlation).collect();
    document["points"] = entry.file.points.iter().map(point).collect();
    Ok(document)
}

/// The calibration for a program.
pub fn json(catalog: &Catalog, entry: &Entry<Calibration>) -> Result<Value, Failure> {
    let class = class_of(catalog, entry);
    let mut document = document(entry, &factors(&entry.file, class.as_ref()))?;
    document["kind"] = json!("calibration");
    Ok(document)
}

/// The rate that the fit gives a point: the residual is the logarithm of measured over fitted seconds.
fn fitted(point: &FittedPoint) -> f64 {
    point.tokens_per_s * point.residual.exp()
}

/// A factor for readers: a share, or seconds.
pub fn factor_text(name: &str, value: f64) -> String {
    match FactorId::from_name(name) {
        Some(factor) if !factor.is_utilization() => number::seconds(value),
        _ => number::significant(value, 4),
    }
}

/// The calibration for a reader.
pub fn sheet(catalog: &Catalog, entry: &Entry<Calibration>) -> Sheet {
    let file = &entry.file;
    let class = class_of(catalog, entry);
    let mut sheet = Sheet::default();
    let of = match (&file.device, file.backend) {
        (Some(device), Some(backend)) => format!(" of {device}, {backend}"),
        _ => String::new(),
    };
    sheet.heading(&entry.id, format!(", calibration{of}, {}", entry.origin));
    sheet.items(facts(file));
    sheet.table("Factors", factor_grid(file, class.as_ref()));
    if !file.correlations.is_empty() {
        sheet.table("Correlations of their errors", correlations(file));
        let rest = file.correlations.len().saturating_sub(MOST_CORRELATIONS);
        if rest > 0 {
            sheet.paragraph(format!("and {rest} weaker ones"));
        }
    }
    if !file.points.is_empty() {
        sheet.table("Points", points(file));
    }
    sheet.items(file.sources.iter().map(|source| format!("source: {source}")).collect());
    sheet
}

/// How it was made, a line each.
fn facts(file: &CalibrationFile) -> Vec<String> {
    let mut facts = vec![file.note.clone(), format!("class {}, fitted {}", file.class, file.date)];
    let mut add = |name: &str, value: Option<String>| facts.extend(value.map(|value| format!("{name}: {value}")));
    add("machine", file.machine.clone());
    add("build", file.build.clone());
    add("threads", file.threads.map(|threads| threads.to_string()));
    let [least, most] = file.range.weight_bytes.map(|bytes| bytes as f64);
    if most > 0.0 {
        let models = file.range.models.len();
        let measured = format!(
            "{models} model{} of {} to {}, prompts up to {}, contexts up to {}",
            if models == 1 { "" } else { "s" },
            number::bytes(least),
            number::bytes(most),
            number::count(file.range.prompt as f64),
            number::count(file.range.depth as f64),
        );
        add("measured", Some(measured));
        add("precisions", Some(file.range.precisions.join(", ")));
    }
    for (phase, quality) in &file.quality {
        let held_out = quality
            .held_out_error
            .map_or(", nothing left out of the fit".to_owned(), |error| {
                format!(", median error on what the fit had not seen {}", number::percent(error))
            });
        facts.push(format!(
            "{phase}: {} points, scatter {}{held_out}",
            quality.points,
            number::percent(quality.scatter)
        ));
    }
    for phase in [Phase::Prefill, Phase::Decode] {
        if let Some(shared) = file.shared_error.get(&phase) {
            facts.push(format!(
                "{phase}: the errors of the formats' factors have {} in common",
                number::percent(*shared)
            ));
        }
    }
    facts
}

fn factor_grid(file: &CalibrationFile, class: Option<&CalibrationFile>) -> Grid {
    let mut columns = vec![
        ("factor", Align::Left),
        ("value", Align::Right),
        ("standard error", Align::Right),
    ];
    if class.is_some() {
        columns.extend([("class's", Align::Right), ("standard error", Align::Right)]);
    }
    columns.push(("from", Align::Left));
    let mut grid = Grid::new(columns);
    for (name, factor) in &file.factors {
        let mut row = vec![
            name.clone(),
            factor_text(name, factor.value),
            number::percent(factor.error),
        ];
        if let Some(class) = class {
            let class = class.factors.get(name);
            row.push(class.map(|factor| factor_text(name, factor.value)).unwrap_or_default());
            row.push(class.map(|factor| number::percent(factor.error)).unwrap_or_default());
        }
        row.push(if factor.from_class { "class" } else { "fit" }.to_owned());
        grid.row(row);
    }
    grid
}

/// The strongest first.
fn correlations(file: &CalibrationFile) -> Grid {
    let mut grid = Grid::new([
        ("factor", Align::Left),
        ("and", Align::Left),
        ("coefficient", Align::Right),
    ]);
    let mut sorted: Vec<_> = file.correlations.iter().collect();
    sorted.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    for (a, b, coefficient) in sorted.into_iter().take(MOST_CORRELATIONS) {
        grid.row([a.clone(), b.clone(), format!("{coefficient:+.2}")]);
    }
    grid
}

fn points(file: &CalibrationFile) -> Grid {
    let mut grid = Grid::new([
        ("model", Align::Left),
        ("precision", Align::Left),
        ("test", Align::Left),
        ("power mode", Align::Left),
        ("tokens/s", Align::Right),
        ("fitted", Align::Right),
        ("error", Align::Right),
    ]);
    for point in &file.points {
        grid.row([
            point.model.clone(),
            point.precision.clone(),
            point.test.clone(),
            point.power_mode.clone().unwrap_or_default(),
            number::rate(point.tokens_per_s),
            number::rate(fitted(point)),
            format!("{:+.1} %", 100.0 * point.residual.exp_m1()),
        ]);
    }
    grid
}
