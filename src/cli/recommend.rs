//! `recommend`: what to run on a device, or on which device to run a model.

use super::arguments::{Backend, CalibrationArgs, CatalogArgs, PrecisionArgs, WorkloadArgs};
use super::compare::own_price;
use super::failure::Failure;
use super::format::{self, Format, PrintArgs};
use clap::{Args, ValueEnum};
use edgeprof::catalog::{Catalog, Choice, Entry};
use edgeprof::decide::recommend::{Candidate, Goal, HeldBack, Miss, Pick, Recommendation, Wants, recommend};
use edgeprof::decide::{Target, TargetError};
use edgeprof::economy::{ReadingSpeed, Terms};
use edgeprof::model::{Model, QualityMetric};
use edgeprof::output::{self, Align, Grid, Record, Sheet, number};
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::{Mix, Precision};
use edgeprof::scenario::Workload;
use edgeprof::units::Bytes;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Say what to run on a device, best first, or with --model on which device to run it
#[derive(Debug, Args)]
#[command(after_help = "\
Of each model the best precision that is good enough is named, or with one model and one device every precision. Quality is ranked by
parameters (of a mixture of experts, the geometric mean of all and of those that a token uses) and then by bits per weight, which is a
proxy: it knows neither what a model was trained on nor for what.

Examples:
  edgeprof recommend --hw pi5
  edgeprof recommend --hw pi5 --min-tps 10 --max-memory 4GiB --context 8192
  edgeprof recommend --hw orin-nano-super --for energy --prec q4_k_m,q8_0 --top 5
  edgeprof recommend --model llama-3.1-8b --min-tps 20 --for energy
  edgeprof recommend --model qwen3-4b --hw pi5,pi4 --format json")]
pub struct Recommend {
    /// Devices: names of `list hardware`, paths of a .toml, or `host` [default: every one of the catalogue, for --model]
    #[arg(
        long = "hw",
        visible_alias = "hardware",
        value_name = "NAME",
        value_delimiter = ',',
        required_unless_present = "model"
    )]
    hardware: Vec<String>,
    /// Models: names of `list models`, or paths of a .gguf, a .toml, a config.json or its folder [default: every one of the
    /// catalogue]
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    model: Vec<String>,
    /// By what to rank
    #[arg(long = "for", value_enum, ignore_case = true, default_value_t = GoalArg::Quality, value_name = "GOAL")]
    goal: GoalArg,
    /// Tokens per second to decode at least, or `4 words/s`, `240 wpm`; 0 for any [default: 5.3, reading speed]
    #[arg(long, value_name = "SPEED", value_parser = least_speed)]
    min_tps: Option<f64>,
    /// Memory to take at most, such as `4GiB` [default: what the device leaves to users]
    #[arg(long, value_name = "BYTES")]
    max_memory: Option<Bytes>,
    /// How many to name
    #[arg(long, value_name = "N", default_value = "10")]
    top: NonZeroUsize,
    #[command(flatten)]
    precision: PrecisionArgs,
    /// What computes [default: each device's own choice]
    #[arg(long, value_enum, ignore_case = true)]
    backend: Option<Backend>,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    print: PrintArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GoalArg {
    Quality,
    Speed,
    Energy,
}

impl From<GoalArg> for Goal {
    fn from(goal: GoalArg) -> Self {
        match goal {
            GoalArg::Quality => Self::Quality,
            GoalArg::Speed => Self::Speed,
            GoalArg::Energy => Self::Energy,
        }
    }
}

/// A speed as [`ReadingSpeed`] reads it, or zero.
fn least_speed(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(0.0) => Ok(0.0),
        _ => text
            .parse::<ReadingSpeed>()
            .map(|speed| speed.0)
            .map_err(|error| error.to_string()),
    }
}

/// Precisions that people run: those below four bits cost more of a model than they gain, and are tried if named.
const PRECISIONS: [Mix; 5] = [Mix::Q8_0, Mix::Q6_K, Mix::Q5_K_M, Mix::Q4_K_M, Mix::Q4_0];
/// Context that the cache is allocated for if none is named.
const CONTEXT: u64 = 4096;

#[derive(serde::Serialize)]
struct Document<'a> {
    schema: u32,
    wants: &'a Wants,
    context: u64,
    #[serde(flatten)]
    recommendation: &'a Recommendation,
    notes: &'a [String],
}

impl Recommend {
    /// Recommends and prints.
    pub fn run(&self) -> Result<(), Failure> {
        let wants = Wants {
            goal: self.goal.into(),
            min_tokens_per_s: self.min_tps.unwrap_or(ReadingSpeed::default().0),
            max_memory_bytes: self.max_memory.map(Bytes::get),
            top: self.top.get(),
        };
        let mut workload = self.workload.workload()?;
        workload.context = Some(workload.context.unwrap_or(workload.context().max(CONTEXT)));
        let recommendation = recommend(self.candidates(workload)?, &wants);
        let notes = notes(&wants, &recommendation);
        let format = self.print.format();
        let text = match format.setting() {
            Some(setting) => self.sheet(&wants, &workload, &recommendation, notes).set(setting),
            None if format == Format::Csv => csv(&recommendation)?,
            None => {
                let document = Document {
                    schema: 1,
                    wants: &wants,
                    context: workload.context(),
                    recommendation: &recommendation,
                    notes: &notes,
                };
                serde_json::to_string_pretty(&document).map_err(Failure::new)? + "\n"
            }
        };
        self.print.write(&text)
    }

    fn candidates(&self, workload: Workload) -> Result<Vec<Candidate>, Failure> {
        let catalog = self.catalog.open()?;
        let choice = self.calibration.choice();
        let targets = self.targets(&catalog, &choice)?;
        let named = self.precision.named()?;
        let terms = Terms::default();
        let mut candidates = Vec::new();
        for model in self.models(&catalog)? {
            let precisions = if named.is_empty() {
                let stored = model.tensors.iter().all(|tensor| tensor.stored.is_some());
                let own = stored.then_some(Precision::Stored);
                own.into_iter()
                    .chain(PRECISIONS.into_iter().filter(|_| !stored).map(Precision::Mix))
                    .collect()
            } else {
                named.clone()
            };
            for precision in precisions {
                let sums = ModelSums::of(&model, precision).map_err(Failure::new)?;
                for target in &targets {
                    let record = target
                        .record(&model, &sums, precision, workload, &terms)
                        .map_err(Failure::new)?;
                    candidates.push(Candidate {
                        record,
                        generates: !sums.decoder.formats.is_empty(),
                        context_length: model.context_length,
                        price: own_price(target.device()),
                    });
                }
            }
        }
        Ok(candidates)
    }

    fn models(&self, catalog: &Catalog) -> Result<Vec<Arc<Entry<Model>>>, Failure> {
        if !self.model.is_empty() {
            let named = self.model.iter().map(|name| Ok(catalog.model(name.trim())?));
            return named.collect();
        }
        let mut all = Vec::new();
        for id in catalog.model_ids() {
            let model = catalog.model(id)?;
            if model.variant_of.is_none() {
                all.push(model);
            }
        }
        Ok(all)
    }

    fn targets(&self, catalog: &Catalog, choice: &Choice) -> Result<Vec<Target>, Failure> {
        let backend = self.backend.map(Into::into);
        let target = |name: &str| -> Result<Target, TargetError> {
            Target::new(catalog, catalog.device(name)?, backend, None, choice)
        };
        if !self.hardware.is_empty() {
            let named = self.hardware.iter().map(|name| Ok(target(name.trim())?));
            return named.collect();
        }
        let mut all = Vec::new();
        for id in catalog.device_ids() {
            let device = catalog.device(id)?;
            // A paper's idea of a device is none to buy, and one without the backend is not asked for.
            let has_it = backend.is_none_or(|backend| device.backends.contains_key(&backend));
            if device.paper.is_none() && has_it {
                all.push(target(id)?);
            }
        }
        Ok(all)
    }

    fn sheet(&self, wants: &Wants, workload: &Workload, found: &Recommendation, notes: Vec<String>) -> Sheet {
        let mut sheet = Sheet::default();
        let goal = match wants.goal {
            Goal::Quality => "quality",
            Goal::Speed => "speed",
            Goal::Energy => "energy",
        };
        let (name, what) = match (&self.hardware[..], &self.model[..]) {
            (hardware, []) => (hardware.join(", "), "what to run on it"),
            ([], model) => (model.join(", "), "on which device to run it"),
            (hardware, model) => (
                format!("{} on {}", model.join(", "), hardware.join(", ")),
                "which to choose",
            ),
        };
        sheet.heading(name, format!(": {what}, for {goal}"));
        let memory = wants.max_memory_bytes.map_or_else(
            || "what the device leaves to users".to_owned(),
            |limit| format!("at most {}", number::bytes(limit)),
        );
        sheet.items(vec![format!(
            "wanted: {} tokens/s or more, context {}, memory {memory}; {} of {} are good enough",
            number::rate(wants.min_tokens_per_s),
            workload.context(),
            found.good_enough,
            found.considered,
        )]);
        if !found.picks.is_empty() {
            sheet.table(format!("The best {}", found.picks.len()), self.picks(&found.picks));
        }
        if !found.nearest_misses.is_empty() {
            sheet.table("What just failed", misses(&found.nearest_misses));
        }
        sheet.items(notes);
        sheet
    }

    fn picks(&self, picks: &[Pick]) -> Grid {
        let right = |title: &'static str| (title, Align::Right);
        let left = |title: &'static str| (title, Align::Left);
        let prices = picks.iter().any(|pick| pick.price.is_some()) && self.hardware.len() != 1;
        let devices = self.hardware.len() != 1;
        let mut columns = vec![right("")];
        if self.model.len() != 1 {
            columns.push(left("model"));
        }
        if devices {
            columns.extend([left("hardware"), left("backend")]);
        }
        columns.extend([
            left("precision"),
            right("parameters"),
            right("bits per weight"),
            right("decode tokens/s"),
            right("memory"),
            right("J/token"),
        ]);
        let judged = picks.iter().any(|pick| pick.prediction.quality.is_some());
        if judged {
            columns.push(right("published quality"));
        }
        if prices {
            columns.push(right("price"));
        }
        columns.push(left("not more, since"));
        let mut grid = Grid::new(columns);
        for (at, pick) in picks.iter().enumerate() {
            let record = &pick.prediction;
            let mut row = vec![(at + 1).to_string()];
            if self.model.len() != 1 {
                row.push(record.model.clone());
            }
            if devices {
                let mode = record
                    .power_mode
                    .as_ref()
                    .map_or(String::new(), |mode| format!(" {mode}"));
                row.extend([format!("{}{mode}", record.hardware), record.backend.to_string()]);
            }
            let rate = record.decode_tokens_per_s.unwrap_or(f64::NAN);
            let range = record
                .intervals()
                .decode_tokens_per_s
                .map_or(String::new(), |[low, high]| {
                    format!(" ({} to {})", number::rate(low), number::rate(high))
                });
            row.extend([
                record.precision.to_string(),
                parameters(record),
                format!("{:.2}", pick.bits_per_weight),
                format!("{}{range}", number::rate(rate)),
                number::bytes(record.memory_bytes as f64),
                record
                    .decode_energy_j_per_token
                    .map_or_else(|| "-".to_owned(), |joules| number::significant(joules, 3)),
            ]);
            if judged {
                row.push(record.quality.as_ref().map_or_else(|| "-".to_owned(), output::quality));
            }
            if prices {
                row.push(pick.price.map_or_else(
                    || "-".to_owned(),
                    |price| number::money(price.amount, price.currency.as_ref()),
                ));
            }
            row.push(pick.held_back.as_ref().map_or(String::new(), held_back));
            grid.row(row);
        }
        grid
    }
}

/// All parameters, and of a mixture those that a token uses.
fn parameters(record: &Record) -> String {
    let all = number::parameters(record.parameters as f64);
    match record.active_parameters.filter(|active| *active < record.parameters) {
        Some(active) => format!("{all}, {} active", number::parameters(active as f64)),
        None => all,
    }
}

fn told(failures: &[edgeprof::decide::recommend::Failure]) -> String {
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    told.join(", ")
}

fn held_back(held_back: &HeldBack) -> String {
    format!("{}: {}", held_back.precision, told(&held_back.failures))
}

fn misses(misses: &[Miss]) -> Grid {
    let mut grid = Grid::new(["model", "hardware", "precision", "why"].map(|title| (title, Align::Left)));
    for miss in misses {
        grid.row([
            miss.model.clone(),
            miss.hardware.clone(),
            miss.precision.clone(),
            told(&miss.failures),
        ]);
    }
    grid
}

/// What a reader should know.
fn notes(wants: &Wants, found: &Recommendation) -> Vec<String> {
    let mut notes = Vec::new();
    if found.considered == 0 {
        notes.push("a model that only encodes generates nothing, and is passed over".to_owned());
    } else if found.picks.is_empty() {
        notes.push(
            "nothing is good enough; `--min-tps`, `--max-memory`, `--context` and `--prec` say what is".to_owned(),
        );
    }
    if wants.goal == Goal::Quality {
        notes.push(
            "quality is ranked by parameters (of a mixture, the geometric mean of all and of those that a token uses), then by bits per \
             weight: a proxy, which knows neither a model's training nor its purpose"
                .to_owned(),
        );
        let judged = found
            .picks
            .iter()
            .filter(|pick| pick.prediction.quality.is_some())
            .count();
        if judged > 0 {
            notes.push(format!(
                "a quality is published of {judged} of {}, which stand in its order among the precisions of one model; perplexities do not compare models",
                found.picks.len()
            ));
        }
    }
    let unsure: Vec<String> = (1..)
        .zip(&found.picks)
        .filter(|(_, pick)| !pick.surely_fast_enough)
        .map(|(at, _)| at.to_string())
        .collect();
    if !unsure.is_empty() {
        notes.push(format!(
            "of {}, the 90 % interval reaches below the speed that is wanted",
            unsure.join(", ")
        ));
    }
    notes
}

/// The picks by rank, and the misses without one.
fn csv(found: &Recommendation) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for (at, pick) in found.picks.iter().enumerate() {
        let record = &pick.prediction;
        rows.push(serde_json::json!({
            "rank": at + 1,
            "model": record.model,
            "hardware": record.hardware,
            "backend": record.backend,
            "precision": record.precision,
            "parameters": record.parameters,
            "effective_parameters": pick.effective_parameters,
            "bits_per_weight": pick.bits_per_weight,
            "decode_tokens_per_s": record.decode_tokens_per_s,
            "decode_tokens_per_s_low": record.intervals().decode_tokens_per_s.map(|[low, _]| low),
            "decode_tokens_per_s_high": record.intervals().decode_tokens_per_s.map(|[_, high]| high),
            "memory_bytes": record.memory_bytes,
            "decode_energy_j_per_token": record.decode_energy_j_per_token,
            "perplexity": record.published(QualityMetric::Perplexity),
            "perplexity_over_unquantised": record.over_unquantised(QualityMetric::Perplexity),
            "accuracy": record.published(QualityMetric::Accuracy),
            "price": pick.price.map(|price| price.amount),
            "currency": pick.price.and_then(|price| price.currency),
            "surely_fast_enough": pick.surely_fast_enough,
            "why": pick.held_back.as_ref().map(held_back),
        }));
    }
    for miss in &found.nearest_misses {
        rows.push(serde_json::json!({
            "rank": null, "model": miss.model, "hardware": miss.hardware, "precision": miss.precision,
            "why": told(&miss.failures),
        }));
    }
    Ok(format::csv(&rows))
}
