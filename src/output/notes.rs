//! What a reader of a prediction should know besides its figures.

use super::number;
use crate::calibration::Origin;
use crate::device::{BackendKind, Device, Evidence};
use crate::model::{Knowledge, Model};
use crate::perf::Prediction;
use crate::quant::Precision;
use crate::scenario::Scenario;

/// The notes of a prediction, the weightiest first.
#[must_use]
pub fn notes(model: &Model, scenario: &Scenario<'_>, prediction: &Prediction<'_>) -> Vec<String> {
    let (work, device) = (&scenario.workload, scenario.device);
    let calibration = prediction.basis.calibration;
    let mut notes = Vec::new();
    if !prediction.fits {
        notes.push(misfit(scenario, prediction));
    }
    if let Precision::Int8 | Precision::Int4 = scenario.precision
        && let Some(mix) = scenario.precision.mix()
    {
        notes.push(format!("{} means llama.cpp's {mix}", scenario.precision));
    }
    if model.knowledge == Knowledge::Generic {
        notes.push(format!(
            "the architecture `{}` is not known: parameters and bytes are exact, the rest follows a generic rule and its intervals are wider",
            model.architecture
        ));
    }
    match (calibration.file.origin, calibration.file.device.as_deref()) {
        (Origin::Class, _) => notes.push(format!(
            "the factors are those of the class `{}`, not of {} itself; `edgeprof calibrate` on the device narrows the intervals",
            calibration.file.class, device.id
        )),
        (Origin::Device, Some(other)) if other != device.id => {
            notes.push(format!("the calibration was measured on {other}, not on {}", device.id));
        }
        _ => {}
    }
    if calibration
        .file
        .backend
        .is_some_and(|backend| backend != scenario.backend_kind)
    {
        notes.push(format!(
            "the calibration is one of another backend than {}",
            scenario.backend_kind
        ));
    }
    if !prediction.basis.inside_measured_range && prediction.fits {
        notes.push("outside the range that was measured: the intervals are wider".to_owned());
    }
    if let Some(rate) = prediction.decode_tokens_per_s {
        let split = prediction.parts(scenario).splitting_cache().predict(scenario);
        if let Some(split) = split.decode_tokens_per_s
            && split < SLOWED * rate
        {
            notes.push(format!(
                "measured with builds whose threads share attention out by heads; with llama.cpp's since early 2026, which split the cache, decoding makes {} tokens/s",
                number::rate(split)
            ));
        }
    }
    if !work.repack && scenario.backend_kind == BackendKind::Cpu && prediction.fits {
        notes.push(
            "without repacking a prompt takes as much longer (or shorter) as in pairs of runs with and without; the intervals are wider".to_owned(),
        );
    }
    if let Some(trained) = model.context_length
        && work.context() > trained
    {
        notes.push(format!(
            "a context of {} tokens is longer than the {trained} that the model was trained for",
            work.context()
        ));
    }
    if let Some(threads) = work.threads
        && scenario.backend_kind == BackendKind::Cpu
        && threads > scenario.backend.cores.value
    {
        notes.push(format!(
            "{threads} threads on {} cores are taken as {}",
            scenario.backend.cores.value, scenario.backend.cores.value
        ));
    }
    if let Some(rail) = prediction.basis.rail {
        notes.push(format!("joules are those of the rail `{rail}`: {}", rail.feeds()));
    }
    let estimated = estimated(device, scenario.backend_kind);
    if !estimated.is_empty() {
        notes.push(format!(
            "estimated, not measured or stated by the maker: {}",
            estimated.join(", ")
        ));
    }
    notes
}

/// A share of the decoding rate: what would leave less is worth a note.
const SLOWED: f64 = 0.95;

/// The beginning of the note on a model that does not fit.
pub const MISFIT: &str = "it does not fit, so it has no speed";

/// What becomes of a model that does not fit.
fn misfit(scenario: &Scenario<'_>, prediction: &Prediction<'_>) -> String {
    let memory = scenario.memory();
    let beyond = |wanted: f64, there: f64| number::bytes(wanted - there);
    let host = scenario.device.memory.usable.value.get();
    match (prediction.paging_s_per_token, &scenario.backend.memory) {
        (Some(wait), _) => format!(
            "{MISFIT}: every token would wait {} or longer for the {} of weights that are read from storage again{}",
            number::seconds(wait),
            beyond(memory.total(), host),
            if memory.repacked > 0.0 {
                ", and only with --no-repack: repacked weights are no pages of the file"
            } else {
                ""
            }
        ),
        (None, Some(own)) if memory.on_device > own.usable.value.get() => format!(
            "{MISFIT}: llama.cpp cannot load it, the GPU's memory lacks {}",
            beyond(memory.on_device, own.usable.value.get())
        ),
        (None, Some(_)) => format!("{MISFIT}: the host lacks {}", beyond(memory.on_host(), host)),
        (None, None) => format!(
            "{MISFIT}: llama.cpp cannot load it, {} are missing",
            beyond(memory.total(), host)
        ),
    }
}

/// Those numbers of a device, as far as its backend uses them, that are guesses.
#[must_use]
pub fn estimated(device: &Device, backend: BackendKind) -> Vec<String> {
    // Beside a card's own memory the device's is that of the machine around it.
    let own_memory = device
        .backends
        .get(&backend)
        .is_some_and(|backend| backend.memory.is_some());
    device
        .facts()
        .into_iter()
        .filter(|fact| match fact.path.first() {
            Some(&"backends") => fact.path.get(1) == Some(&backend.name()),
            Some(&"power_modes") => false,
            _ => true,
        })
        .filter(|fact| {
            device
                .sources
                .get(fact.source)
                .is_some_and(|source| matches!(source.evidence, Evidence::Estimated))
        })
        .map(|fact| {
            let path = if fact.path.first() == Some(&"backends") {
                &fact.path[2..]
            } else {
                &fact.path[..]
            };
            let owner = if own_memory && fact.path.first() == Some(&"memory") {
                "host "
            } else {
                ""
            };
            format!("{owner}{}", path.join(" ").replace('_', " "))
        })
        .collect()
}
