//! This machine as a device: a catalogue entry where it says to be one, else worked out from its cores.
//!
//! Detection reads text files only and runs in a few milliseconds. What no file states (the memory's bandwidth, above all) is
//! estimated and marked so; `edgeprof calibrate` measures it.

mod cores;
mod machine;

use super::{Arithmetic, Backend, BackendKind, Device, Evidence, Fault, Memory, Peaks, Source, Sourced};
use crate::units::{ByteRate, Bytes, FlopRate, Hertz};
use cores::{Core, Cores, Unstated};
use machine::Machine;
use std::collections::BTreeMap;
use std::path::Path;

/// The id of this machine.
pub const ID: &str = "host";

/// This machine as a device, and how well it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// The device; its id is [`ID`].
    pub device: Device,
    /// Id of the catalogue entry that its facts start from, whose calibration serves this machine as well.
    pub entry: Option<String>,
    /// What could not be found and what was assumed instead, one sentence each.
    pub notes: Vec<String>,
}

/// Why this machine could not be made a device.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HostError {
    /// What was found contradicts itself.
    #[error("what this machine states of itself does not make a device: {0}")]
    Fault(#[from] Fault),
    /// The built-in table of cores cannot be read.
    #[error("the table of cores is malformed: {0}")]
    Table(#[from] toml::de::Error),
}

/// Detects the machine that this runs on, among `catalog`'s devices if it is one of them.
///
/// # Errors
/// [`HostError`], if what the machine states contradicts itself; missing files are no error.
pub fn detect<'a>(catalog: impl IntoIterator<Item = &'a Device>) -> Result<Host, HostError> {
    let mut machine = Machine::read(Path::new("/"));
    machine.ask_system();
    describe(&machine, &catalog.into_iter().collect::<Vec<_>>())
}

/// Detects the machine whose `/proc` and `/sys` were recorded below `root`.
///
/// # Errors
/// As [`detect`].
pub fn detect_below<'a>(root: &Path, catalog: impl IntoIterator<Item = &'a Device>) -> Result<Host, HostError> {
    describe(&Machine::read(root), &catalog.into_iter().collect::<Vec<_>>())
}

fn describe(machine: &Machine, catalog: &[&Device]) -> Result<Host, HostError> {
    let cores = Cores::load()?;
    let mut notes = Vec::new();
    let found = CpuCores::of(machine, &cores);
    let entry = machine
        .names
        .iter()
        .chain(&machine.brand)
        .find_map(|name| find(catalog, name))
        .filter(|entry| enough_cores(entry, &found, &mut notes));
    let mut device = match entry {
        Some(entry) => (*entry).clone(),
        None => from_cores(machine, &cores, &found, &mut notes),
    };
    ID.clone_into(&mut device.id);
    device.aliases.clear();
    device.detect.clear();
    device.price = None;
    take_memory(&mut device, machine, &mut notes);
    for card in &machine.nvidia {
        match find(catalog, card) {
            Some(known) => graft(&mut device, known),
            None => notes.push(format!(
                "the graphics card `{card}` is not in the catalogue; describe it in a device file to predict for it"
            )),
        }
    }
    prune_sources(&mut device);
    device.validate()?;
    let entry = entry.map(|entry| entry.id.clone());
    Ok(Host { device, entry, notes })
}

/// The device one of whose `detect` texts begins `name` at a word's end; the longest such text wins.
fn find<'a>(catalog: &[&'a Device], name: &str) -> Option<&'a Device> {
    let begins = |text: &str| {
        let rest = name.strip_prefix(text)?;
        (!rest.starts_with(|c: char| c.is_alphanumeric())).then_some(text.len())
    };
    catalog
        .iter()
        .filter_map(|device| Some((device.detect.iter().filter_map(|text| begins(text)).max()?, *device)))
        .max_by_key(|(length, _)| *length)
        .map(|(_, device)| device)
}

/// A virtual machine has the brand of its host and few of its cores: then the entry's facts are not this machine's.
fn enough_cores(entry: &Device, found: &CpuCores, notes: &mut Vec<String>) -> bool {
    let Some(cpu) = entry.backends.get(&BackendKind::Cpu) else {
        return true;
    };
    let enough = found.all == 0 || found.all >= cpu.cores.value;
    if !enough {
        notes.push(format!(
            "the CPU is that of `{}`, of whose {} cores this machine has {}; a virtual machine? Its figures are worked out anew",
            entry.id, cpu.cores.value, found.all
        ));
    }
    enough
}

/// The physical cores that llama.cpp should run on.
struct CpuCores {
    /// Physical cores of all kinds.
    all: u64,
    /// Kinds of the cores to run on, with the clock of each if stated.
    used: Vec<(Core, Option<f64>)>,
}

impl CpuCores {
    fn of(machine: &Machine, table: &Cores) -> Self {
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

fn sourced<T>(value: T, source: &str) -> Sourced<T> {
    Sourced {
        value,
        source: source.to_owned(),
    }
}

fn source(evidence: Evidence, text: impl Into<String>) -> Source {
    Source {
        evidence,
        text: text.into(),
    }
}

/// A device of one CPU, from its cores.
fn from_cores(machine: &Machine, table: &Cores, found: &CpuCores, notes: &mut Vec<String>) -> Device {
    let mut used = found.used.clone();
    if used.is_empty() {
        notes.push("no processor is stated; one core of the plainest kind is assumed".to_owned());
        used.push((table.find(machine, &machine::Processor::default()), None));
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
    let clock_evidence = if stated_clock.is_some() {
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
                "This machine: cpufreq/cpuinfo_max_freq, or a usual clock of such cores where it is missing",
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
        energy_per_flop: None,
        energy_per_byte: None,
        active_power: None,
    };
    let nothing = table.nothing.memory;
    let disk = machine.disk.and_then(|kind| table.storage.get(kind));
    Device {
        id: ID.to_owned(),
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
        ByteRate((row.bandwidth_per_core.get() * cores as f64).min(row.bandwidth_at_most.get()))
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

/// Memory is this machine's own, whatever the entry says. Where a GPU shares it, the entry's usable share holds (Metal's limit).
fn take_memory(device: &mut Device, machine: &Machine, notes: &mut Vec<String>) {
    let Some(total) = machine.memory else {
        let gib = device.memory.capacity.value.get() / f64::from(1 << 30);
        notes.push(format!(
            "no file states how much memory there is; {gib:.0} GiB are assumed"
        ));
        return;
    };
    let share = device.memory.usable.value / device.memory.capacity.value;
    let (usable, text) = if device.backends.contains_key(&BackendKind::Metal) {
        (
            total * share,
            "This machine's memory and the share of it that the catalogue's entry leaves to users",
        )
    } else {
        let available = machine.available.filter(|&available| available <= total);
        (
            available.unwrap_or(total * 0.9),
            "This machine: MemTotal and MemAvailable of /proc/meminfo, or what its system calls so, at this moment",
        )
    };
    device.memory.capacity = sourced(Bytes(total), "host-memory");
    device.memory.usable = sourced(Bytes(usable), "host-memory");
    device
        .sources
        .insert("host-memory".to_owned(), source(Evidence::Measured, text));
}

/// Adds the backends of a card to the machine that carries it; the card then computes by default.
fn graft(device: &mut Device, card: &Device) {
    if device.backends.contains_key(&BackendKind::Cuda) {
        return;
    }
    for (&kind, backend) in card.backends.iter().filter(|(_, backend)| backend.memory.is_some()) {
        let mut backend = backend.clone();
        backend.rename_sources(|key| *key = format!("card-{key}"));
        device.backends.insert(kind, backend);
        device.default_backend = BackendKind::Cuda;
    }
    for (key, source) in &card.sources {
        device.sources.insert(format!("card-{key}"), source.clone());
    }
}

impl Backend {
    fn rename_sources(&mut self, rename: impl Fn(&mut String)) {
        rename(&mut self.cores.source);
        self.clock.iter_mut().for_each(|number| rename(&mut number.source));
        self.peaks.values_mut().for_each(|number| rename(&mut number.source));
        for number in self.core_bandwidth.iter_mut().chain(&mut self.host_to_device) {
            rename(&mut number.source);
        }
        self.last_level_cache
            .iter_mut()
            .for_each(|number| rename(&mut number.source));
        if let Some(memory) = &mut self.memory {
            rename(&mut memory.capacity.source);
            rename(&mut memory.usable.source);
            rename(&mut memory.bandwidth.source);
        }
        self.energy_per_flop
            .iter_mut()
            .for_each(|number| rename(&mut number.source));
        self.energy_per_byte
            .iter_mut()
            .for_each(|number| rename(&mut number.source));
        self.active_power
            .iter_mut()
            .for_each(|number| rename(&mut number.source));
    }
}

fn prune_sources(device: &mut Device) {
    let mut cited: Vec<String> = device.facts().iter().map(|fact| fact.source.to_owned()).collect();
    cited.extend(device.paper.iter().map(|paper| paper.source.clone()));
    device.sources.retain(|key, _| cited.contains(key));
}
