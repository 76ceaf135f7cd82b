//! A device of one CPU, worked out from its cores.

use super::cores::{Core, Cores, Unstated};
use super::machine::{Machine, Processor};
use super::{ID, source, sourced};
use crate::device::{Arithmetic, Backend, BackendKind, Device, Evidence, Memory, Peaks};
use crate::units::{ByteRate, Bytes, FlopRate, Hertz};
use std::collections::BTreeMap;

/// The physical cores that llama.cpp should run on.
pub(super) struct CpuCores {
    /// Physical cores of all kinds.
    pub(super) all: u64,
    /// Kinds of the cores to run on, with the clock of each if stated.
    used: Vec<(Core, Option<f64>)>,
}

impl CpuCores {
    pub(super) fn of(machine: &Machine, table: &Cores) -> Self {
        let mut physical = BTreeMap::new();
        for processor in &machine.processors {
            let key = processor.core.map_or((u32::MAX, processor.id), |core| core);
            physical.entry(key).or_insert(processor);
        }
        let all = physical.len() as u64;
        let kinds: Vec<_> = physical
            .values()
            .map(|processor| (processor.id, table.find(machine, processor), processor.clock))
            .collect();
        let is_main =
            |id: &u32, core: &Core| !core.small && (machine.performance.is_empty() || machine.performance.contains(id));
        let any_main = kinds.iter().any(|(id, core, _)| is_main(id, core));
        let used = kinds
            .into_iter()
            .filter(|(id, core, _)| !any_main || is_main(id, core))
            .map(|(_, core, clock)| (core, clock))
            .collect();
        Self { all, used }
    }
}

/// A device of one CPU, from its cores.
pub(super) fn from_cores(machine: &Machine, table: &Cores, found: &CpuCores, notes: &mut Vec<String>) -> Device {
    let mut used = found.used.clone();
    if used.is_empty() {
        notes.push("no processor is stated; one core of the plainest kind is assumed".to_owned());
        used.push((table.find(machine, &Processor::default()), None));
    }
    let count = used.len() as u64;
    // Work is split evenly, so the class and the clock that hold are those of the plainest of the cores used.
    let plainest = used
        .iter()
        .map(|(core, _)| core)
        .min_by(|a, b| a.fp32.total_cmp(&b.fp32));
    let class = plainest.map_or("arm-cpu", |core| core.class.as_str()).to_owned();
    let unstated = table.unstated(&class);
    let stated_clock = used.iter().filter_map(|(_, clock)| *clock).min_by(f64::total_cmp);
    let fallback = unstated.map_or(1e9, |row| row.clock.get());
    if stated_clock.is_none() {
        notes.push(format!(
            "no file states the clock of the cores; {:.1} GHz is assumed",
            fallback / 1e9
        ));
    }
    let peak = |ratio: &dyn Fn(&Core) -> f64| -> f64 {
        used.iter()
            .map(|(core, clock)| core.fp32 * ratio(core) * clock.unwrap_or(fallback))
            .sum()
    };
    let mut peaks = Peaks::new();
    for (arithmetic, rate) in [
        (Arithmetic::Fp32, peak(&|_| 1.0)),
        (Arithmetic::Fp16, peak(&|core| core.fp16)),
        (Arithmetic::Int8, peak(&|core| core.int8)),
    ] {
        if rate > 0.0 {
            peaks.insert(arithmetic, sourced(FlopRate(rate), "peaks"));
        }
    }
    let bandwidth = estimate_bandwidth(unstated, count);
    notes.push(format!(
        "no file states the memory's bandwidth; {:.0} GB/s is assumed from the number of cores until `edgeprof calibrate` measures it",
        bandwidth.get() / 1e9
    ));
    let mut names: Vec<&str> = used.iter().map(|(core, _)| core.name.as_str()).collect();
    names.dedup();
    let nominal = machine
        .processors
        .iter()
        .any(|processor| processor.nominal && processor.clock.is_some());
    let clock_evidence = if stated_clock.is_some() && !nominal {
        Evidence::Measured
    } else {
        Evidence::Estimated
    };
    let sources = BTreeMap::from([
        (
            "topology".to_owned(),
            source(
                Evidence::Measured,
                "This machine: /proc/cpuinfo and /sys/devices/system/cpu",
            ),
        ),
        (
            "clock".to_owned(),
            source(
                clock_evidence,
                "This machine: cpufreq/cpuinfo_max_freq, in a virtual machine the nominal clock of /proc/cpuinfo, or a usual clock of such cores where neither states it",
            ),
        ),
        (
            "peaks".to_owned(),
            source(
                Evidence::Estimated,
                format!(
                    "Vector width x units x 2 x clock of {count} cores: {}",
                    names.join(", ")
                ),
            ),
        ),
        (
            "bandwidth".to_owned(),
            source(
                Evidence::Estimated,
                "A usual share per core of machines of this class; not measured",
            ),
        ),
        (
            "disk".to_owned(),
            source(Evidence::Estimated, "Typical of the kind of disk that /sys/block names"),
        ),
    ]);
    let backend = Backend {
        class,
        cores: sourced(count, "topology"),
        clock: Some(sourced(Hertz(stated_clock.unwrap_or(fallback)), "clock")),
        features: features(machine),
        peaks,
        core_bandwidth: None,
        last_level_cache: machine.last_level_cache.map(|bytes| sourced(Bytes(bytes), "topology")),
        memory: None,
        host_to_device: None,
        full_load: None,
    };
    let nothing = table.nothing.memory;
    let disk = machine.disk.and_then(|kind| table.storage.get(kind));
    Device {
        id: ID.to_owned(),
        like: None,
        name: machine
            .brand
            .clone()
            .or_else(|| machine.names.first().cloned())
            .unwrap_or_else(|| "this machine".to_owned()),
        aliases: Vec::new(),
        detect: Vec::new(),
        note: None,
        default_backend: BackendKind::Cpu,
        memory: Memory {
            capacity: sourced(nothing, "bandwidth"),
            usable: sourced(nothing, "bandwidth"),
            bandwidth: sourced(bandwidth, "bandwidth"),
            domains: machine.memory_domains().map(|count| sourced(count, "topology")),
        },
        storage_bandwidth: disk.map(|&rate| sourced(rate, "disk")),
        network_bandwidth: None,
        power: None,
        price: None,
        default_power_mode: None,
        power_modes: BTreeMap::new(),
        backends: BTreeMap::from([(BackendKind::Cpu, backend)]),
        paper: None,
        sources,
    }
}

fn estimate_bandwidth(unstated: Option<&Unstated>, cores: u64) -> ByteRate {
    unstated.map_or(ByteRate(5e9), |row| {
        let by_cores = row.bandwidth_per_core.get() * cores as f64;
        ByteRate(by_cores.clamp(row.bandwidth_at_least.get(), row.bandwidth_at_most.get()))
    })
}

/// The kernel's feature names in this crate's spelling.
fn features(machine: &Machine) -> Vec<String> {
    [
        ("asimd", "neon"),
        ("asimdhp", "fp16"),
        ("asimddp", "dotprod"),
        ("i8mm", "i8mm"),
        ("bf16", "bf16"),
        ("sve", "sve"),
        ("avx2", "avx2"),
        ("avx_vnni", "avx-vnni"),
        ("avx512f", "avx512"),
        ("avx512_vnni", "avx512-vnni"),
        ("avx512_bf16", "avx512-bf16"),
        ("amx_int8", "amx"),
    ]
    .into_iter()
    .filter(|(flag, _)| machine.flags.contains(*flag))
    .map(|(_, feature)| feature.to_owned())
    .collect()
}
