//! Every number of a device in one list: what `show` prints, and what validation walks over.

use super::{Backend, Device, Memory, Sourced};
use crate::units::{ByteRate, Bytes, FlopRate, Hertz, Joules, Watts};

/// A sourced number of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact<'a> {
    /// Keys from the top of the file to the number (`backends`, `cpu`, `clock`).
    pub path: Vec<&'a str>,
    /// The number in base units.
    pub value: f64,
    /// Unit of `value`: `B`, `B/s`, `Hz`, `FLOP/s`, `W`, `J`, `J/FLOP`, `J/B`; empty for a count.
    pub unit: &'static str,
    /// Key in [`Device::sources`].
    pub source: &'a str,
}

/// What a [`Sourced`] number can be of.
trait Figure: Copy {
    const UNIT: &'static str;
    fn in_base_units(self) -> f64;
}

impl Figure for u64 {
    const UNIT: &'static str = "";
    #[allow(clippy::cast_precision_loss)] // counts of cores
    fn in_base_units(self) -> f64 {
        self as f64
    }
}

macro_rules! figure {
    ($($quantity:ident $unit:literal),+) => {
        $(impl Figure for $quantity {
            const UNIT: &'static str = $unit;
            fn in_base_units(self) -> f64 {
                self.get()
            }
        })+
    };
}
figure!(Bytes "B", ByteRate "B/s", Hertz "Hz", FlopRate "FLOP/s", Watts "W", Joules "J");

/// Collects facts below one path.
struct Collector<'a, 'facts> {
    facts: &'facts mut Vec<Fact<'a>>,
    path: Vec<&'a str>,
}

impl<'a> Collector<'a, '_> {
    fn below(&mut self, keys: &[&'a str]) -> Collector<'a, '_> {
        let path = self.path.iter().chain(keys).copied().collect();
        Collector {
            facts: self.facts,
            path,
        }
    }

    fn add<T: Figure + 'a>(&mut self, key: &'a str, number: impl Into<Option<&'a Sourced<T>>>) {
        let Some(number) = number.into() else { return };
        self.facts.push(Fact {
            path: self.path.iter().copied().chain([key]).collect(),
            value: number.value.in_base_units(),
            unit: T::UNIT,
            source: &number.source,
        });
    }

    fn memory(&mut self, memory: &'a Memory) {
        self.add("capacity", &memory.capacity);
        self.add("usable", &memory.usable);
        self.add("bandwidth", &memory.bandwidth);
        self.add("domains", memory.domains.as_ref());
    }

    fn backend(&mut self, backend: &'a Backend) {
        self.add("cores", &backend.cores);
        self.add("clock", backend.clock.as_ref());
        for (arithmetic, peak) in &backend.peaks {
            self.below(&["peaks"]).add(arithmetic.name(), peak);
        }
        self.add("core_bandwidth", backend.core_bandwidth.as_ref());
        self.add("last_level_cache", backend.last_level_cache.as_ref());
        if let Some(memory) = &backend.memory {
            self.below(&["memory"]).memory(memory);
        }
        self.add("host_to_device", backend.host_to_device.as_ref());
        self.add("full_load", backend.full_load.as_ref());
    }
}

impl Device {
    /// Every sourced number of the device, in the order of its file.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact<'_>> {
        let mut facts = Vec::new();
        let mut top = Collector {
            facts: &mut facts,
            path: Vec::new(),
        };
        top.below(&["memory"]).memory(&self.memory);
        top.add("storage_bandwidth", self.storage_bandwidth.as_ref());
        top.add("network_bandwidth", self.network_bandwidth.as_ref());
        if let Some(power) = &self.power {
            top.below(&["power"]).add("idle", &power.idle);
            top.below(&["power"]).add("battery", power.battery.as_ref());
        }
        for (name, mode) in &self.power_modes {
            let mut below = top.below(&["power_modes", name]);
            for (backend, clock) in &mode.clocks {
                below.below(&["clocks"]).add(backend.name(), clock);
            }
            below.add("bandwidth", mode.bandwidth.as_ref());
            for (backend, cores) in &mode.cores {
                below.below(&["cores"]).add(backend.name(), cores);
            }
            below.add("budget", mode.budget.as_ref());
            below.add("idle", mode.idle.as_ref());
        }
        for (kind, backend) in &self.backends {
            top.below(&["backends", kind.name()]).backend(backend);
        }
        facts
    }
}
