//! From names to answers: every combination of model, device, backend and precision.

use crate::cli::arguments::{
    Backend, CalibrationArgs, CatalogArgs, EconomyArgs, FormulaSet, PrecisionArgs, SetupArgs, WorkloadArgs,
};
use crate::cli::failure::Failure;
use clap::Args;
use edgeprof::catalog::{Catalog, Entry};
use edgeprof::decide::Target;
use edgeprof::device::{BackendKind, Device};
use edgeprof::economy::{Economy, Work};
use edgeprof::model::{Knowledge, Model};
use edgeprof::output::{PaperQuestion, Record};
use edgeprof::perf::Prediction;
use edgeprof::perf::paper::{self, PaperDevice, PaperPrediction};
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::Precision;
use edgeprof::scenario::{Formulas, Scenario, ScenarioError, Workload};
use std::sync::Arc;

/// What is asked: models, devices, precisions and the work.
#[derive(Debug, Clone, Args)]
pub struct QuestionArgs {
    /// Models: names of `list models`, or paths of a .gguf, a .toml, a config.json or its folder
    #[arg(short, long, value_name = "NAME", value_delimiter = ',', required = true)]
    pub model: Vec<String>,
    /// Devices: names of `list hardware`, paths of a .toml, or `host` for this machine
    #[arg(
        long = "hw",
        visible_alias = "hardware",
        value_name = "NAME",
        value_delimiter = ',',
        required = true
    )]
    pub hardware: Vec<String>,
    #[command(flatten)]
    pub precision: PrecisionArgs,
    /// What computes [default: the device's own choice]
    #[arg(long, value_enum, ignore_case = true, value_delimiter = ',')]
    pub backend: Vec<Backend>,
    /// Power modes of the device, where it has several [default: the one it ships in]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub power_mode: Vec<String>,
    #[command(flatten)]
    pub setup: SetupArgs,
    /// The formulas that answer
    #[arg(long, value_enum, ignore_case = true, default_value_t = FormulaSet::Exact)]
    pub formulas: FormulaSet,
    #[command(flatten)]
    pub workload: WorkloadArgs,
    #[command(flatten)]
    pub economy: EconomyArgs,
    #[command(flatten)]
    pub calibration: CalibrationArgs,
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

/// One combination and its figures.
pub enum Answer<'a> {
    /// Of the exact formulas.
    Exact(Box<Exact<'a>>),
    /// Of the paper's.
    Paper(Box<Paper<'a>>),
}

/// The exact formulas' answer.
pub struct Exact<'a> {
    /// The model.
    pub model: &'a Model,
    /// What was asked.
    pub scenario: Scenario<'a>,
    /// The answer.
    pub prediction: Prediction<'a>,
    /// What its energy comes to.
    pub economy: Economy,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The paper's equations on the same, where they can be asked.
    pub paper: Option<Paper<'a>>,
}

/// The paper's equations and what they were given.
pub struct Paper<'a> {
    /// What was asked.
    pub question: PaperQuestion<'a>,
    /// Rates and constants of the device.
    pub device: PaperDevice,
    /// Whether the device states the paper's constants itself.
    pub own_constants: bool,
    /// Bytes per element.
    pub bytes_per_element: f64,
    /// The answer.
    pub prediction: PaperPrediction,
}

impl Answer<'_> {
    /// The answer as one flat record.
    pub fn record(&self) -> Record {
        match self {
            Self::Exact(exact) => Record {
                economy: exact.economy,
                ..Record::exact(exact.model, &exact.scenario, &exact.prediction, exact.notes.clone())
            },
            Self::Paper(paper) => Record::paper(&paper.question, &paper.prediction, paper.notes()),
        }
    }
}

impl Paper<'_> {
    /// What a reader of the paper's figures should know.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "equations 7 to 15 of EdgeProfiler (arXiv 2506.09061) with S = {} and B = {}",
            self.question.context, self.bytes_per_element
        )];
        if !self.own_constants {
            notes.push(format!(
                "the paper does not know {}: its utilizations and energies are those the paper used for its own devices, the rates are the device's",
                self.question.device.id
            ));
        }
        notes
    }
}

/// A precision that the paper has no bytes per element for.
#[derive(Debug, thiserror::Error)]
#[error("the paper's formulas have no bytes per element for `{precision}`")]
struct NotInThePaper {
    precision: Precision,
}

/// A flag that the paper's equations take no notice of.
#[derive(Debug, thiserror::Error)]
#[error("{flag} is nothing that the paper's formulas know; leave it out, or use `--formulas exact`")]
struct UnknownToThePaper {
    flag: &'static str,
}

/// A device that states no peak of any kind.
#[derive(Debug, thiserror::Error)]
#[error("{device}'s {backend} backend states no peak rate")]
struct NoPeak {
    device: String,
    backend: BackendKind,
}

/// Asks every combination in turn: models outermost, then devices, backends, power modes, precisions.
pub fn each(asked: &QuestionArgs, take: impl FnMut(&Answer<'_>)) -> Result<(), Failure> {
    each_of(asked, &asked.catalog.open()?, asked.workload.workload()?, take)
}

/// The same of another piece of work than the arguments name, with names looked up in `catalog`.
pub fn each_of(
    asked: &QuestionArgs,
    catalog: &Catalog,
    workload: Workload,
    mut take: impl FnMut(&Answer<'_>),
) -> Result<(), Failure> {
    for model in &asked.model {
        let model = catalog.model(model.trim())?;
        let precisions = asked.precision.of(&model)?;
        let sums = precisions
            .iter()
            .map(|&precision| ModelSums::of(&model, precision))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Failure::new)?;
        for device in &asked.hardware {
            let device = catalog.device(device.trim())?;
            let mut backends: Vec<BackendKind> = asked.backend.iter().map(|&backend| backend.into()).collect();
            if backends.is_empty() {
                backends.push(device.default_backend);
            }
            let modes: Vec<Option<&str>> = if asked.power_mode.is_empty() {
                vec![None]
            } else {
                asked.power_mode.iter().map(|mode| Some(mode.trim())).collect()
            };
            for (&backend, mode) in backends
                .iter()
                .flat_map(|backend| modes.iter().map(move |&mode| (backend, mode)))
            {
                for (&precision, sums) in precisions.iter().zip(&sums) {
                    let names = Names {
                        model: &model,
                        device: &device,
                        backend,
                        mode,
                        precision,
                        sums,
                    };
                    one(asked, catalog, workload, names, &mut take)?;
                }
            }
        }
    }
    Ok(())
}

/// One combination.
#[derive(Clone, Copy)]
struct Names<'a> {
    model: &'a Entry<Model>,
    device: &'a Arc<Entry<Device>>,
    backend: BackendKind,
    mode: Option<&'a str>,
    precision: Precision,
    sums: &'a ModelSums,
}

fn one(
    asked: &QuestionArgs,
    catalog: &Catalog,
    workload: Workload,
    names: Names<'_>,
    take: &mut impl FnMut(&Answer<'_>),
) -> Result<(), Failure> {
    let Names {
        model,
        device,
        backend,
        mode,
        precision,
        sums,
    } = names;
    if Formulas::from(asked.formulas) == Formulas::Edgeprofiler {
        if let Some(flag) = asked.setup.given() {
            return Err(Failure::new(UnknownToThePaper { flag }));
        }
        // The same checks as ever, though the equations take less of it.
        let scenario = Scenario::new(sums, device, Some(backend), precision, mode, workload);
        match scenario {
            // The paper knows one backend and one cache, and its S may be shorter than the work.
            Ok(_) | Err(ScenarioError::ContextTooSmall { .. } | ScenarioError::Cache(_)) => {}
            Err(error) => return Err(Failure::new(error)),
        }
        let Some(bytes_per_element) = paper_bytes(precision) else {
            return Err(Failure::new(NotInThePaper { precision })
                .hint("the paper's precisions are fp32, fp16, bf16, int8 and int4; a mix of llama.cpp needs `--formulas exact`"));
        };
        let paper = ask_paper(catalog, names, &workload, bytes_per_element)?.ok_or_else(|| {
            Failure::new(NoPeak {
                device: device.id.clone(),
                backend,
            })
        })?;
        take(&Answer::Paper(Box::new(paper)));
        return Ok(());
    }
    let choice = asked.calibration.choice();
    let target = Target::new(catalog, Arc::clone(device), Some(backend), mode, &choice)?;
    let target = asked.setup.apply(catalog, target, &choice)?;
    let (scenario, prediction) = target.ask(sums, precision, workload).map_err(Failure::new)?;
    let notes = target.notes(model, &scenario, &prediction);
    let paper = match precision.paper_bytes_per_element() {
        // Dimensions of an architecture that is not known make no shape of the paper's.
        Some(bytes) if model.knowledge == Knowledge::Exact => ask_paper(catalog, names, &scenario.workload, bytes)?,
        _ => None,
    };
    take(&Answer::Exact(Box::new(Exact {
        model,
        economy: Economy::of(
            &Work::of(&scenario.workload, &prediction),
            &asked.economy.terms()?.on(device),
        ),
        scenario,
        prediction,
        notes,
        paper,
    })));
    Ok(())
}

/// The paper's `B` where the paper itself would use it: its own precisions and plain floats.
fn paper_bytes(precision: Precision) -> Option<f64> {
    use edgeprof::quant::Mix;
    match precision {
        Precision::Fp32 | Precision::Fp16 | Precision::Bf16 | Precision::Int8 | Precision::Int4 => {
            precision.paper_bytes_per_element()
        }
        Precision::Mix(Mix::F32 | Mix::F16 | Mix::BF16) => precision.paper_bytes_per_element(),
        _ => None,
    }
}

fn ask_paper<'a>(
    catalog: &Catalog,
    names: Names<'a>,
    workload: &Workload,
    bytes_per_element: f64,
) -> Result<Option<Paper<'a>>, Failure> {
    let Names {
        model,
        device,
        backend,
        precision,
        ..
    } = names;
    let constants = catalog.paper_constants(device)?;
    let rates = device
        .backends
        .get(&backend)
        .and_then(|backend| PaperDevice::of(device, backend, &constants));
    let Some(rates) = rates else { return Ok(None) };
    let context = workload
        .context
        .or(model.paper_context)
        .unwrap_or_else(|| workload.context());
    let prediction = paper::predict(&model.paper, &rates, context, bytes_per_element);
    let question = PaperQuestion {
        model,
        device,
        backend,
        precision,
        workload: *workload,
        context,
    };
    Ok(Some(Paper {
        question,
        device: rates,
        own_constants: device.paper.is_some(),
        bytes_per_element,
        prediction,
    }))
}
