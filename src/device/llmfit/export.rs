//! A device as a profile.

use super::{Hardware, Match, Profile, SCHEMA_VERSION};
use crate::device::{Arithmetic, BackendKind, Device};

/// A profile, and what of the device it has no place for.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The profile.
    pub profile: Profile,
    /// What is lost.
    pub notes: Vec<String>,
}

/// A device that no profile can describe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{device} exists only in a paper; llmfit would take its figures for a machine's")]
pub struct NotAProfile {
    /// The device.
    pub device: String,
}

/// The profile of a device, in its default power mode.
///
/// # Errors
/// [`NotAProfile`], if the device exists only in a paper.
pub fn export(device: &Device) -> Result<Exported, NotAProfile> {
    if device.paper.is_some() {
        return Err(NotAProfile {
            device: device.id.clone(),
        });
    }
    let gpus = std::iter::once(&device.default_backend).chain(device.backends.keys());
    let gpu = gpus
        .filter(|&&kind| kind != BackendKind::Cpu)
        .find_map(|kind| device.backends.get(kind));
    let memory = gpu.map(|gpu| gpu.memory.as_ref().unwrap_or(&device.memory));
    let peak = gpu.and_then(|gpu| gpu.peaks.get(&Arithmetic::Fp16));
    let hardware = Hardware {
        total_ram_gb: digits(device.memory.capacity.value.get() / f64::from(1 << 30)),
        unified_memory: gpu.is_some_and(|gpu| gpu.memory.is_none()),
        gpu_memory_bandwidth_gbps: memory.map(|memory| digits(memory.bandwidth.value.get() / 1e9)),
        ddr_bandwidth_gbps: Some(digits(device.memory.bandwidth.value.get() / 1e9)),
        gpu_compute_tflops_fp16: peak.map(|peak| digits(peak.value.get() / 1e12)),
    };
    let mut notes = vec![
        "a profile has no place for cores, clocks, peaks other than FP16, storage, network, powers, energies, prices and sources".to_owned(),
    ];
    if gpu.is_none() {
        notes.push("the device computes on its CPU; llmfit predicts CPUs from how many parameters a model has, not from these numbers".to_owned());
    }
    if let Some(mode) = device
        .default_power_mode
        .as_ref()
        .filter(|_| device.power_modes.len() > 1)
    {
        notes.push(format!("a profile knows no power modes; this is `{mode}`"));
    }
    if gpu.is_some_and(|gpu| gpu.memory.is_some()) {
        notes.push(
            "a profile does not state how much memory a graphics card has; llmfit takes it from --memory".to_owned(),
        );
    }
    let profile = Profile {
        schema_version: SCHEMA_VERSION,
        name: name(&device.id),
        matches: gpu.and(device.detect.first()).map(|text| Match {
            gpu_name_contains: text.clone(),
        }),
        hardware,
        estimation: None,
        calibration: Vec::new(),
    };
    Ok(Exported { profile, notes })
}

/// A number to six digits, as a profile's reader expects it.
fn digits(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// An id as a profile's name: what has no place in one becomes `-`.
fn name(id: &str) -> String {
    let name: String = id
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_start_matches(['.', '-', '_']);
    if name.is_empty() {
        "device".to_owned()
    } else {
        name.to_owned()
    }
}
