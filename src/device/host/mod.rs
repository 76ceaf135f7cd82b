//! This machine as a device: a catalogue entry where it says to be one, else worked out from its cores.
//!
//! Detection reads text files only and runs in a few milliseconds. What no file states (the memory's bandwidth, above all) is
//! estimated and marked so; `edgeprof calibrate` measures it.

mod card;
mod cores;
mod cpu;
mod machine;

use super::{BackendKind, Device, Evidence, Fault, Source, Sourced};
use crate::units::Bytes;
use cores::Cores;
use cpu::CpuCores;
use machine::Machine;
use std::path::Path;

/// The id of this machine.
pub const ID: &str = "host";

/// This machine as a device, and how well it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// The device; its id is [`ID`], its note repeats `notes`.
    pub device: Device,
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
        None => cpu::from_cores(machine, &cores, &found, &mut notes),
    };
    ID.clone_into(&mut device.id);
    device.aliases.clear();
    device.detect.clear();
    device.price = None;
    take_memory(&mut device, machine, &mut notes);
    for card in &machine.nvidia {
        match find(catalog, card) {
            Some(known) => device.add_card(known),
            None => notes.push(format!(
                "the graphics card `{card}` is not in the catalogue; describe it in a device file to predict for it"
            )),
        }
    }
    device.like = entry.map(|entry| entry.like.clone().unwrap_or_else(|| entry.id.clone()));
    device.note = note(entry, &notes);
    device.prune_sources();
    device.validate()?;
    Ok(Host { device, notes })
}

/// What the reader should know: what the machine was taken for, what the entry notes, what was assumed.
fn note(entry: Option<&Device>, notes: &[String]) -> Option<String> {
    let taken = entry.map(|entry| format!("Detected as `{}`.", entry.id));
    let entrys = entry.and_then(|entry| entry.note.clone());
    let sentences = taken
        .into_iter()
        .chain(entrys)
        .chain(notes.iter().map(|note| sentence(note)));
    let note = sentences.collect::<Vec<_>>().join(" ");
    (!note.is_empty()).then_some(note)
}

/// A note as a sentence: a capital first, a full stop last.
fn sentence(note: &str) -> String {
    let mut letters = note.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    format!(
        "{}{}.",
        first.collect::<String>(),
        letters.as_str().trim_end_matches('.')
    )
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
