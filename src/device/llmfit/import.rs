//! A profile as a device.

use super::{Hardware, Profile};
use crate::device::{Arithmetic, Backend, BackendKind, Device, Evidence, Fault, Memory, Source, Sourced};
use crate::units::{ByteRate, Bytes, FlopRate};
use std::collections::{BTreeMap, BTreeSet};

/// Key of the profile among a device's sources.
const PROFILE: &str = "llmfit-profile";
/// Key of a class's medians among them.
const CLASS: &str = "class-median";
/// Numbers nearer than this are the same, written with fewer digits.
const SAME: f64 = 0.005;

/// A profile as a device, and what it was taken for.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The device.
    pub device: Device,
    /// What the profile does not state and where that comes from, one sentence each.
    pub notes: Vec<String>,
}

/// Why a profile makes no device.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// Nothing in the catalogue goes by such a name.
    #[error(
        "the profile `{name}` states neither which CPU nor which GPU it is of, and nothing in the catalogue has a name like it; name the GPU in \
         `match.gpu_name_contains`, or describe the machine in a device file"
    )]
    Nameless {
        /// The profile's name.
        name: String,
    },
    /// Several classes go by such a name.
    #[error(
        "the profile `{name}` may be of {}, and it does not say which; describe the machine in a device file", classes.join(" or ")
    )]
    Ambiguous {
        /// The profile's name.
        name: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// A card whose memory nobody states.
    #[error(
        "the profile `{name}` is of a graphics card that is not in the catalogue, and a profile does not state how much memory a card has; \
         describe it in a device file"
    )]
    UnknownCard {
        /// The profile's name.
        name: String,
    },
    /// What the profile states contradicts the rest.
    #[error("what the profile states does not make a device: {0}")]
    Fault(#[from] Fault),
}

/// The device that a profile describes, with the catalogue's facts where the profile has none.
///
/// # Errors
/// [`ImportError`], if the profile does not say enough to know what kind of machine it is of.
pub fn import<'a>(profile: &Profile, catalog: impl IntoIterator<Item = &'a Device>) -> Result<Imported, ImportError> {
    let catalog: Vec<&Device> = catalog.into_iter().filter(|device| device.paper.is_none()).collect();
    let mut notes = Vec::new();
    let mut device = match named(profile, &catalog) {
        Some(entry) => {
            notes.push(format!(
                "an llmfit profile, taken for `{}`: what it does not state is that entry's",
                entry.id
            ));
            let mut device = entry.clone();
            device.like = Some(entry.like.clone().unwrap_or_else(|| entry.id.clone()));
            device
        }
        None => of_class(profile, &catalog, &mut notes)?,
    };
    if profile.estimation.is_some() || !profile.calibration.is_empty() {
        notes.push(
            "the profile's efficiency, factors and measured speeds belong to llmfit's formulas and are not used"
                .to_owned(),
        );
    }
    device.id.clone_from(&profile.name);
    device.aliases.clear();
    device.detect.clear();
    take(&mut device, &profile.hardware);
    device.note = Some(notes.join("; "));
    let text = format!("llmfit hardware profile `{}`, which names no source", profile.name);
    let evidence = Evidence::Estimated;
    device.sources.insert(PROFILE.to_owned(), Source { evidence, text });
    device.prune_sources();
    device.validate()?;
    Ok(Imported { device, notes })
}

/// The backend that a profile's GPU is.
fn gpu(device: &Device) -> Option<BackendKind> {
    let kinds = device.backends.keys().copied();
    std::iter::once(device.default_backend)
        .chain(kinds)
        .find(|&kind| kind != BackendKind::Cpu)
}

/// The memory that the backend computes in.
fn memory_of(device: &Device, kind: BackendKind) -> &Memory {
    let own = device.backends.get(&kind).and_then(|backend| backend.memory.as_ref());
    own.unwrap_or(&device.memory)
}

/// The entry that the profile names: its own id, else a GPU whose name has the profile's text in it, the nearest in bandwidth, peak and memory.
fn named<'a>(profile: &Profile, catalog: &[&'a Device]) -> Option<&'a Device> {
    if let Some(device) = catalog.iter().find(|device| device.id == profile.name) {
        return Some(device);
    }
    let text = profile.matches.as_ref()?.gpu_name_contains.trim().to_lowercase();
    let candidates = catalog.iter().filter(|device| {
        let names = device.detect.iter().chain(&device.aliases).chain([&device.name]);
        gpu(device).is_some() && names.into_iter().any(|name| name.to_lowercase().contains(&text))
    });
    let hardware = &profile.hardware;
    let distance = |device: &Device| -> f64 {
        let Some(kind) = gpu(device) else { return f64::INFINITY };
        let peak = device.backends[&kind].peaks.get(&Arithmetic::Fp16);
        let apart = |stated: Option<f64>, known: Option<f64>| match (stated, known) {
            (Some(stated), Some(known)) => (stated / known).ln().abs(),
            _ => 0.0,
        };
        apart(hardware.gpu_memory_bandwidth_gbps, Some(memory_of(device, kind).bandwidth.value.get() / 1e9))
            + apart(hardware.gpu_compute_tflops_fp16, peak.map(|peak| peak.value.get() / 1e12))
            // Other machines of the same chip differ in memory alone, which the profile states.
            + 0.01 * apart(Some(hardware.total_ram_gb), Some(device.memory.capacity.value.get() / GIB))
    };
    candidates
        .copied()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)).then_with(|| a.id.cmp(&b.id)))
}

const GIB: f64 = 1_073_741_824.0;

/// A device of the class that devices of like names have, with the class's medians for what the profile leaves open.
fn of_class(profile: &Profile, catalog: &[&Device], notes: &mut Vec<String>) -> Result<Device, ImportError> {
    let name = profile.name.clone();
    let hardware = &profile.hardware;
    let has_gpu = hardware.gpu_memory_bandwidth_gbps.is_some() || hardware.gpu_compute_tflops_fp16.is_some();
    if has_gpu && !hardware.unified_memory {
        return Err(ImportError::UnknownCard { name });
    }
    // As a machine without a GPU its CPU computes.
    let kind_of = |device: &Device| match gpu(device).filter(|_| has_gpu || hardware.unified_memory) {
        Some(kind) if device.backends[&kind].memory.is_none() => Some(kind),
        Some(_) => None,
        None if has_gpu || hardware.unified_memory => None,
        None => device
            .backends
            .contains_key(&BackendKind::Cpu)
            .then_some(BackendKind::Cpu),
    };
    let said = match &profile.matches {
        Some(matches) => format!("{} {}", profile.name, matches.gpu_name_contains),
        None => profile.name.clone(),
    };
    let said = words(&said);
    let shared = |device: &Device| {
        let names = format!("{} {}", device.name, device.id);
        words(&names).intersection(&said).count()
    };
    let alike: Vec<(usize, BackendKind, &Device)> = catalog
        .iter()
        .filter_map(|device| Some((shared(device), kind_of(device)?, *device)))
        .filter(|(shared, ..)| *shared > 0)
        .collect();
    let most = alike.iter().map(|(shared, ..)| *shared).max().unwrap_or(0);
    let classes: BTreeSet<(BackendKind, &str)> = alike
        .iter()
        .filter(|(shared, ..)| *shared == most)
        .map(|(_, kind, device)| (*kind, device.backends[kind].class.as_str()))
        .collect();
    let (kind, class) = match classes.iter().collect::<Vec<_>>()[..] {
        [] => return Err(ImportError::Nameless { name }),
        [&one] => one,
        _ => {
            let classes = classes.iter().map(|(_, class)| format!("class `{class}`")).collect();
            return Err(ImportError::Ambiguous { name, classes });
        }
    };
    let members: Vec<(&Device, &Backend)> = catalog
        .iter()
        .filter_map(|device| Some((*device, device.backends.get(&kind)?)))
        .filter(|(_, backend)| backend.class == class)
        .collect();
    notes.push(format!(
        "an llmfit profile of a machine that the catalogue does not know: by its name one of the class `{class}`, and what it does not state \
         is the median of that class's {} devices; storage, network, powers and energies are nobody's",
        members.len()
    ));
    Ok(median_device(&name, kind, class, &members, hardware))
}

/// The words of a name: letters alone, three and more.
fn words(name: &str) -> BTreeSet<String> {
    name.to_lowercase()
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| word.len() >= 3)
        .map(str::to_owned)
        .collect()
}

/// The middle one; of an even number the lower of the two.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

fn median_device(
    name: &str,
    kind: BackendKind,
    class: &str,
    members: &[(&Device, &Backend)],
    hardware: &Hardware,
) -> Device {
    let of_class = |value: &dyn Fn(&Device, &Backend) -> Option<f64>| {
        median(
            members
                .iter()
                .filter_map(|(device, backend)| value(device, backend))
                .collect(),
        )
        .unwrap_or(1.0)
    };
    let bandwidth_of =
        |device: &Device, backend: &Backend| backend.memory.as_ref().unwrap_or(&device.memory).bandwidth.value.get();
    let peak_of = |backend: &Backend, arithmetic| backend.peaks.get(&arithmetic).map(|peak| peak.value.get());
    let bandwidth = hardware
        .gpu_memory_bandwidth_gbps
        .or(hardware.ddr_bandwidth_gbps)
        .map_or_else(
            || of_class(&|device, backend| Some(bandwidth_of(device, backend))),
            |stated| stated * 1e9,
        );
    let fp16 = hardware
        .gpu_compute_tflops_fp16
        .filter(|_| kind != BackendKind::Cpu)
        .map_or_else(
            || {
                bandwidth
                    * of_class(&|device, backend| {
                        Some(peak_of(backend, Arithmetic::Fp16)? / bandwidth_of(device, backend))
                    })
            },
            |stated| stated * 1e12,
        );
    let peaks = [Arithmetic::Fp32, Arithmetic::Fp16, Arithmetic::Bf16, Arithmetic::Int8]
        .into_iter()
        // Arithmetic that most of the class has.
        .filter(|arithmetic| {
            2 * members
                .iter()
                .filter(|(_, backend)| backend.peaks.contains_key(arithmetic))
                .count()
                > members.len()
        })
        .map(|arithmetic| {
            let share =
                of_class(&|_, backend| Some(peak_of(backend, arithmetic)? / peak_of(backend, Arithmetic::Fp16)?));
            (arithmetic, sourced(FlopRate(fp16 * share), CLASS))
        })
        .collect();
    let capacity = hardware.total_ram_gb * GIB;
    let usable = of_class(&|device, _| Some(device.memory.usable.value / device.memory.capacity.value));
    let shared_by_all = |feature: &&String| members.iter().all(|(_, backend)| backend.features.contains(feature));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count of cores
    let cores = of_class(&|_, backend| Some(backend.cores.value as f64)) as u64;
    let backend = Backend {
        class: class.to_owned(),
        cores: sourced(cores, CLASS),
        clock: None,
        features: members
            .first()
            .map(|(_, backend)| backend.features.iter().filter(shared_by_all).cloned().collect())
            .unwrap_or_default(),
        peaks,
        core_bandwidth: None,
        last_level_cache: None,
        memory: None,
        host_to_device: None,
        full_load: None,
    };
    let evidence = Evidence::Estimated;
    let text = format!(
        "Median of the {} devices of class {class} in the catalogue",
        members.len()
    );
    Device {
        id: name.to_owned(),
        like: None,
        name: name.to_owned(),
        aliases: Vec::new(),
        detect: Vec::new(),
        note: None,
        default_backend: kind,
        memory: Memory {
            capacity: sourced(Bytes(capacity), CLASS),
            usable: sourced(Bytes(capacity * usable), CLASS),
            bandwidth: sourced(ByteRate(bandwidth), CLASS),
            domains: None,
        },
        storage_bandwidth: None,
        network_bandwidth: None,
        power: None,
        price: None,
        default_power_mode: None,
        power_modes: BTreeMap::new(),
        backends: BTreeMap::from([(kind, backend)]),
        paper: None,
        sources: BTreeMap::from([(CLASS.to_owned(), Source { evidence, text })]),
    }
}

fn sourced<T>(value: T, source: &str) -> Sourced<T> {
    let source = source.to_owned();
    Sourced { value, source }
}

/// Puts what the profile states into the device, where it is another number than the device's own or a class's.
fn take(device: &mut Device, hardware: &Hardware) {
    let kind = gpu(device);
    let share = device.memory.usable.value / device.memory.capacity.value;
    if let Some(Bytes(total)) = other(&device.memory.capacity, Bytes(hardware.total_ram_gb * GIB), Bytes::get) {
        device.memory.capacity = sourced(Bytes(total), PROFILE);
        device.memory.usable = sourced(Bytes(total * share), PROFILE);
    }
    let own_memory = kind.and_then(|kind| device.backends.get_mut(&kind)?.memory.as_mut());
    let shared = own_memory.is_none();
    let gpu_rate = hardware.gpu_memory_bandwidth_gbps.map(|rate| ByteRate(rate * 1e9));
    let ddr_rate = hardware.ddr_bandwidth_gbps.map(|rate| ByteRate(rate * 1e9));
    if let (Some(memory), Some(rate)) = (own_memory, gpu_rate)
        && let Some(rate) = other(&memory.bandwidth, rate, ByteRate::get)
    {
        memory.bandwidth = sourced(rate, PROFILE);
    }
    // Where memory is shared both rates are of the same memory; the GPU's is the one that llmfit predicts with.
    if let Some(rate) = gpu_rate.filter(|_| shared).or(ddr_rate)
        && let Some(rate) = other(&device.memory.bandwidth, rate, ByteRate::get)
    {
        device.memory.bandwidth = sourced(rate, PROFILE);
    }
    let backend = kind.and_then(|kind| device.backends.get_mut(&kind));
    if let (Some(backend), Some(peak)) = (backend, hardware.gpu_compute_tflops_fp16)
        && let Some(own) = backend.peaks.get_mut(&Arithmetic::Fp16)
        && let Some(peak) = other(own, FlopRate(peak * 1e12), FlopRate::get)
    {
        *own = sourced(peak, PROFILE);
    }
}

/// The stated number, if it is another than the known one or the known one is a class's.
fn other<T: Copy>(known: &Sourced<T>, stated: T, number: impl Fn(T) -> f64) -> Option<T> {
    let apart = (number(stated) / number(known.value) - 1.0).abs() > SAME;
    (apart || known.source == CLASS).then_some(stated)
}
