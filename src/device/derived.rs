//! Devices made of others: at another clock, or a card in a machine.

use super::{Backend, BackendKind, Device, Evidence, Memory, Power, PowerMode, Rail, Source, Sourced};
use crate::units::Hertz;

/// Why a device cannot be made of another.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DerivedError {
    /// The backend states no clock that another could be set against.
    #[error("{device}'s {backend} backend states no clock; add `clock` under [backends.{backend}]")]
    NoClock {
        /// device id
        device: String,
        /// the backend
        backend: BackendKind,
    },
    /// A clock that no such chip runs at.
    #[error(
        "a clock of {:.0} MHz is out of range: {device}'s {backend} runs at {:.0} MHz, and above zero to twice that is accepted",
        clock.get() / 1e6,
        stated.get() / 1e6
    )]
    ClockOutOfRange {
        /// device id
        device: String,
        /// the backend
        backend: BackendKind,
        /// as asked
        clock: Hertz,
        /// as stated
        stated: Hertz,
    },
    /// A chip that is its own host.
    #[error("{device}'s {backend} computes in the memory of its own host, and sits in no other; leave out --host")]
    NoCard {
        /// device id
        device: String,
        /// the backend
        backend: BackendKind,
    },
    /// A host without a CPU.
    #[error("{host} has no cpu backend and hosts no card; name a machine with one")]
    NoHostCpu {
        /// id of the host
        host: String,
    },
}

/// Key of the source of a clock that was asked for.
const ASKED: &str = "asked";
/// What keys of a host's sources begin with in the card's.
const HOST: &str = "of-host-";

fn renamed<T: Clone>(number: &Sourced<T>) -> Sourced<T> {
    Sourced {
        value: number.value.clone(),
        source: format!("{HOST}{}", number.source),
    }
}

impl Device {
    /// The device with one backend at another clock than the power mode `mode` sets, and the name of the power mode that this is.
    ///
    /// A power mode like any other: arithmetic and fixed costs follow the clock, the memory's bandwidth does not.
    ///
    /// # Errors
    /// [`DerivedError`]: the backend states no clock, or the clock is none.
    pub fn at_clock(
        &self,
        backend: BackendKind,
        mode: Option<&str>,
        clock: Hertz,
    ) -> Result<(Self, String), DerivedError> {
        let stated = self.backends.get(&backend).and_then(|backend| backend.clock.as_ref());
        let stated = stated.map(|clock| clock.value).ok_or_else(|| DerivedError::NoClock {
            device: self.id.clone(),
            backend,
        })?;
        if !(clock.get() > 0.0 && clock / stated <= 2.0) {
            return Err(DerivedError::ClockOutOfRange {
                device: self.id.clone(),
                backend,
                clock,
                stated,
            });
        }
        let mut device = self.clone();
        let mut settings: PowerMode = mode
            .and_then(|mode| self.power_modes.get(mode))
            .cloned()
            .unwrap_or_default();
        let source = ASKED.to_owned();
        settings.clocks.insert(backend, Sourced { value: clock, source });
        let text = "The clock that was asked for".to_owned();
        let evidence = Evidence::Assumed;
        device.sources.insert(ASKED.to_owned(), Source { evidence, text });
        let megahertz = format!("{:.0} MHz", clock.get() / 1e6);
        let name = mode.map_or_else(|| megahertz.clone(), |mode| format!("{mode} at {megahertz}"));
        device.power_modes.insert(name.clone(), settings);
        Ok((device, name))
    }

    /// A card, whose `backend` has memory of its own, in the machine `host`: its CPU computes what the card leaves to it, in its memory
    /// and from its storage, and both draw idle power.
    ///
    /// # Errors
    /// [`DerivedError`]: the device is no card, or the host has no CPU.
    pub fn in_host(&self, backend: BackendKind, host: &Self) -> Result<Self, DerivedError> {
        if self.backends.get(&backend).is_none_or(|card| card.memory.is_none()) {
            return Err(DerivedError::NoCard {
                device: self.id.clone(),
                backend,
            });
        }
        let cpu = host
            .backends
            .get(&BackendKind::Cpu)
            .ok_or_else(|| DerivedError::NoHostCpu { host: host.id.clone() })?;
        let mut device = self.clone();
        device.backends.insert(BackendKind::Cpu, cpu.renamed());
        device.memory = host.memory.renamed();
        device.storage_bandwidth = host.storage_bandwidth.as_ref().map(renamed);
        device.network_bandwidth = host.network_bandwidth.as_ref().map(renamed);
        for (key, source) in &host.sources {
            device.sources.insert(format!("{HOST}{key}"), source.clone());
        }
        if let (Some(card), Some(machine)) = (&self.power, &host.power) {
            let source = format!("{HOST}idle-of-both");
            let text = format!("Idle power of {} and of {}", self.name, host.name);
            let evidence = Evidence::Derived;
            device.sources.insert(source.clone(), Source { evidence, text });
            // Either waits while the other works at its full load.
            for (kind, backend) in &mut device.backends {
                let waiting = if *kind == BackendKind::Cpu { card } else { machine };
                if let Some(full) = &mut backend.full_load {
                    full.value = full.value + waiting.idle.value;
                }
            }
            device.power = Some(Power {
                idle: Sourced {
                    value: card.idle.value + machine.idle.value,
                    source,
                },
                rail: Rail::Both,
                ..card.clone()
            });
        }
        Ok(device)
    }
}

impl Memory {
    fn renamed(&self) -> Self {
        Self {
            capacity: renamed(&self.capacity),
            usable: renamed(&self.usable),
            bandwidth: renamed(&self.bandwidth),
            domains: self.domains.as_ref().map(renamed),
        }
    }
}

impl Backend {
    fn renamed(&self) -> Self {
        let peaks = self.peaks.iter().map(|(arithmetic, peak)| (*arithmetic, renamed(peak)));
        Self {
            cores: renamed(&self.cores),
            clock: self.clock.as_ref().map(renamed),
            peaks: peaks.collect(),
            core_bandwidth: self.core_bandwidth.as_ref().map(renamed),
            last_level_cache: self.last_level_cache.as_ref().map(renamed),
            memory: self.memory.as_ref().map(Memory::renamed),
            host_to_device: self.host_to_device.as_ref().map(renamed),
            full_load: self.full_load.as_ref().map(renamed),
            ..self.clone()
        }
    }
}
