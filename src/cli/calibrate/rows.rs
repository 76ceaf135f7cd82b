//! Measurements from files: those of the device that is calibrated.

use super::{Calibrate, Failure, Target};
use edgeprof::calibrate::bench::{Bench, Own};
use edgeprof::calibrate::import::{self, Known};
use edgeprof::calibrate::measurement::{LeftOut, Measurements};
use edgeprof::calibrate::validate::ValidateError;
use edgeprof::catalog::Catalog;
use edgeprof::device::{BackendKind, Device};
use edgeprof::model::Model;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Files without a row to fit.
#[derive(Debug, thiserror::Error)]
#[error("there is no measurement of {device}'s {backend} backend to fit{why}")]
pub struct NothingToFit {
    device: String,
    backend: BackendKind,
    why: String,
}

impl NothingToFit {
    /// Nothing was left for a target, for these reasons.
    pub fn of(target: &Target, left_out: &[LeftOut]) -> Self {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for row in left_out {
            *reasons.entry(&row.reason).or_default() += 1;
        }
        let reason = reasons.into_iter().max_by_key(|(_, count)| *count);
        Self {
            device: target.device.id.clone(),
            backend: target.backend,
            why: reason.map_or_else(String::new, |(reason, count)| {
                format!(": {count} rows are left out, most because: {reason}")
            }),
        }
    }
}

/// The rows of every device in `files`.
pub fn all(catalog: &Catalog, files: &[PathBuf], first: Option<&Device>) -> Result<Measurements, Failure> {
    let models: Vec<_> = catalog.model_ids().filter_map(|id| catalog.model(id).ok()).collect();
    let devices: Vec<_> = catalog.device_ids().filter_map(|id| catalog.device(id).ok()).collect();
    let models: Vec<&Model> = models.iter().map(|entry| &entry.value).collect();
    let devices: Vec<&Device> = first
        .into_iter()
        .chain(devices.iter().map(|entry| &entry.value))
        .collect();
    let known = Known {
        models: &models,
        devices: &devices,
    };
    let mut measurements = Measurements::default();
    for file in files {
        let read = import::read(file, known).map_err(|error| {
            let text = error.to_string();
            let path = file.display().to_string();
            if text.contains(&path) {
                Failure::new(error)
            } else {
                Failure::new(format!("{path}: {text}"))
            }
        })?;
        measurements.extend(read);
    }
    Ok(measurements)
}

/// The rows of every device in `files`, those of llama-bench whose device the catalogue does not know as of `device`, and what a reader
/// should know of them: llama-bench names the CPU or the GPU, or in a table of Markdown nothing.
pub fn taken_to_be_of(
    catalog: &Catalog,
    files: &[PathBuf],
    device: &Device,
) -> Result<(Measurements, Vec<String>), Failure> {
    let mut measurements = all(catalog, files, Some(device))?;
    let ids: Vec<&str> = catalog.device_ids().collect();
    let mut renamed: BTreeMap<String, usize> = BTreeMap::new();
    for row in &mut measurements.kept {
        let known = ids.contains(&row.device.as_str()) || row.device == device.id;
        if !known && files.iter().any(|file| file.display().to_string() == row.source) {
            let name = std::mem::replace(&mut row.device, device.id.clone());
            *renamed.entry(name).or_default() += 1;
        }
    }
    let note = |(name, count): (String, usize)| {
        let says = if name.is_empty() {
            "do not name their device".to_owned()
        } else {
            format!("name their device `{name}`, which the catalogue does not know")
        };
        format!("{count} rows {says}; they are taken to be of {}", device.id)
    };
    Ok((measurements, renamed.into_iter().map(note).collect()))
}

/// The rows of every device in `files`, ready to be judged, and what a reader should know of them; `device` is the one of rows that
/// name none of the catalogue's.
pub fn bench(catalog: &Catalog, files: &[PathBuf], device: Option<&Device>) -> Result<(Bench, Vec<String>), Failure> {
    let (measurements, notes) = match device {
        Some(device) => taken_to_be_of(catalog, files, device)?,
        None => (all(catalog, files, None)?, Vec::new()),
    };
    let own = Own {
        device: device.cloned(),
        ..Own::default()
    };
    Ok((Bench::with(catalog, &own, measurements), notes))
}

/// The failure of a validation; where there is nothing to judge, with how to say whose measurements these are.
pub fn not_judged(error: ValidateError) -> Failure {
    let nothing = matches!(error, ValidateError::Nothing { .. });
    let failure = Failure::new(error);
    if nothing {
        failure.hint("llama-bench names the CPU or the GPU, and a table of Markdown neither; `--hw` says which device of the catalogue it was")
    } else {
        failure
    }
}

/// The rows of the target in `files`, and what a reader should know of the others. Where no backend was asked for, the target's
/// becomes the one that most rows are of.
pub fn read(
    catalog: &Catalog,
    files: &[PathBuf],
    target: &mut Target,
    asked: &Calibrate,
) -> Result<(Measurements, Vec<String>), Failure> {
    let (mut measurements, mut warnings) = taken_to_be_of(catalog, files, &target.device)?;
    let id = target.device.id.clone();
    let like = target.device.like.clone();
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    measurements.kept.retain_mut(|row| {
        if row.device != id && Some(&row.device) != like.as_ref() {
            *others.entry(row.device.clone()).or_default() += 1;
            return false;
        }
        row.device.clone_from(&id);
        true
    });
    if asked.backend().is_none() {
        let count = |backend| measurements.kept.iter().filter(|row| row.backend == backend).count();
        let most = target.device.backends.keys().copied().max_by_key(|&kind| count(kind));
        if let Some(most) = most.filter(|_| count(target.backend) == 0) {
            target.choose(most)?;
        }
    }
    let backend = target.backend;
    let mut of_other_backends = 0;
    measurements.kept.retain(|row| {
        let keep = row.backend == backend && (asked.threads.is_none() || row.threads == asked.threads);
        of_other_backends += usize::from(!keep);
        keep
    });
    for (name, count) in others.iter().take(8) {
        warnings.push(format!("{count} rows are of {name} and are not used"));
    }
    if others.len() > 8 {
        let rest: usize = others.values().skip(8).sum();
        warnings.push(format!(
            "{rest} rows are of {} other devices and are not used",
            others.len() - 8
        ));
    }
    if of_other_backends > 0 {
        warnings.push(format!(
            "{of_other_backends} rows are of another backend or thread count and are not used"
        ));
    }
    // Rows of other devices that could not be used are no news.
    measurements
        .left_out
        .retain(|row| row.device == id || files.iter().any(|file| file.display().to_string() == row.source));
    if measurements.kept.is_empty() {
        let error = NothingToFit::of(target, &measurements.left_out);
        let failure = Failure::new(error);
        let names: Vec<String> = others.into_keys().take(8).collect();
        return Err(if !names.is_empty() {
            failure.hint(format!("the files measure {}; name one with --hw", names.join(", ")))
        } else if of_other_backends > 0 {
            failure.hint(format!(
                "the files have {of_other_backends} rows of another backend or thread count; name it with --backend or --threads"
            ))
        } else {
            failure
        });
    }
    Ok((measurements, warnings))
}
