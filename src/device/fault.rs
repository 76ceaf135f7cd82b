//! What a device must satisfy beyond the shape of its file, and how each breach is told.

use super::{Arithmetic, BackendKind, Device};
use crate::units::Bytes;

/// A breach of a rule, and the key at which it stands (`backends`, `cpu`, `peaks`, `fp32`).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {kind}", path.join("."))]
pub struct Fault {
    /// Keys from the top of the file to the value at fault.
    pub path: Vec<String>,
    /// The breach.
    pub kind: FaultKind,
}

/// The rules of a device, by how they are broken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FaultKind {
    /// A text that must say something is empty.
    #[error("this text is empty")]
    Empty,
    /// A name that is searched for in lower case is not.
    #[error("`{name}` must be in lower case and without spaces around it, since names are looked up so")]
    NotLowerCase {
        /// the name as written
        name: String,
    },
    /// A quantity that must be above zero is zero.
    #[error("this must be above zero")]
    Zero,
    /// A number cites a source that is not listed.
    #[error("there is no source `{source_key}`; add `[sources.{source_key}]` or cite one of: {known}")]
    UnknownSource {
        /// the key as cited
        source_key: String,
        /// the keys in `[sources]`
        known: String,
    },
    /// A source that no number cites.
    #[error("no number cites this source; cite it or remove it")]
    UnusedSource,
    /// The device has no backend.
    #[error("a device needs at least one backend, for example `[backends.cpu]`")]
    NoBackend,
    /// The default backend is not one of the device's.
    #[error("`{backend}` is not a backend of this device; its backends are: {known}")]
    UnknownBackend {
        /// the backend as written
        backend: BackendKind,
        /// the device's backends
        known: String,
    },
    /// A backend states no peak at all.
    #[error("a backend needs at least the peak `fp32`")]
    NoPeak,
    /// The usable part of a memory is more than all of it.
    #[error("{:.2} GiB are usable of a capacity of {:.2} GiB; the usable part cannot be more than the whole", gib(*usable), gib(*capacity))]
    UsableAboveCapacity {
        /// the usable part
        usable: Bytes,
        /// the whole
        capacity: Bytes,
    },
    /// A backend with its own memory states no copy rate into it.
    #[error("a backend with its own memory needs `host_to_device`, the rate at which weights are copied into it")]
    NoHostToDevice,
    /// A CPU states a copy rate.
    #[error("a CPU computes with the weights where they are read to: there is nothing to copy")]
    NothingToCopy,
    /// The name of a power mode is not one of the device's.
    #[error("`{mode}` is not a power mode of this device; its modes are: {known}")]
    UnknownMode {
        /// the mode as written
        mode: String,
        /// the device's modes
        known: String,
    },
    /// There are power modes, and none is the default.
    #[error("with power modes, `default_power_mode` must say which one the peaks and clocks are stated for")]
    NoDefaultMode,
    /// The default power mode contradicts the backend.
    #[error(
        "the default power mode must agree with the backend: {mode_mhz:.0} MHz here, {backend_mhz:.0} MHz in `backends.{backend}.clock`"
    )]
    DefaultModeClock {
        /// the backend
        backend: BackendKind,
        /// clock in the mode, MHz
        mode_mhz: f64,
        /// clock of the backend, MHz
        backend_mhz: f64,
    },
    /// A power mode turns on more cores than there are.
    #[error("{on} cores cannot be on where `backends.cpu.cores` says {cores}")]
    TooManyCores {
        /// cores on in the mode
        on: u64,
        /// cores of the CPU
        cores: u64,
    },
    /// A fraction that must lie in (0, 1] does not.
    #[error("{value} is not a utilization; it must be above 0 and at most 1")]
    NotAUtilization {
        /// the number as written
        value: f64,
    },
    /// A price is not an amount of money.
    #[error("{amount} is not a price; it must be a finite number of zero or more")]
    NotAPrice {
        /// the number as written
        amount: f64,
    },
    /// A currency is not a code of three letters.
    #[error("`{currency}` is not a currency code such as `USD`")]
    NotACurrency {
        /// the code as written
        currency: String,
    },
    /// The date of a price is not a year, or year and month.
    #[error("`{date}` is not a date; write a year, or year and month as `2025-03`")]
    NotADate {
        /// the date as written
        date: String,
    },
}

/// `2025` or `2025-03`.
fn is_date(text: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('-') {
        Some((year, month)) => digits(year, 4) && digits(month, 2) && ("01"..="12").contains(&month),
        None => digits(text, 4),
    }
}

fn gib(bytes: Bytes) -> f64 {
    bytes.get() / f64::from(1 << 30)
}

impl Device {
    /// Holds the device to every rule that the shape of its file cannot express; the first breach is the error.
    ///
    /// # Errors
    /// [`Fault`]: the rule and the key at which it is broken.
    pub fn validate(&self) -> Result<(), Fault> {
        self.validate_names()?;
        self.validate_numbers()?;
        self.validate_backends()?;
        self.validate_power_modes()?;
        self.validate_paper()?;
        self.validate_sources()
    }

    fn validate_names(&self) -> Result<(), Fault> {
        require(!self.name.trim().is_empty(), &["name"], || FaultKind::Empty)?;
        for (index, alias) in self.aliases.iter().enumerate() {
            let path = ["aliases", &index.to_string()];
            require(!alias.is_empty(), &path, || FaultKind::Empty)?;
            let proper = *alias == alias.to_lowercase() && alias.trim() == alias;
            require(proper, &path, || FaultKind::NotLowerCase { name: alias.clone() })?;
        }
        require(self.like.as_ref().is_none_or(|id| !id.is_empty()), &["like"], || {
            FaultKind::Empty
        })?;
        for (index, text) in self.detect.iter().enumerate() {
            require(!text.trim().is_empty(), &["detect", &index.to_string()], || {
                FaultKind::Empty
            })?;
        }
        if let Some(price) = &self.price {
            let amount = price.amount;
            require(amount.is_finite() && amount >= 0.0, &["price", "amount"], || {
                FaultKind::NotAPrice { amount }
            })?;
            let is_code = price.currency.len() == 3 && price.currency.bytes().all(|b| b.is_ascii_uppercase());
            require(is_code, &["price", "currency"], || FaultKind::NotACurrency {
                currency: price.currency.clone(),
            })?;
            let date = price.date.as_deref();
            require(date.is_none_or(is_date), &["price", "date"], || FaultKind::NotADate {
                date: date.unwrap_or_default().to_owned(),
            })?;
        }
        Ok(())
    }

    /// Capacities, rates, clocks and counts are above zero; energies and powers may be zero.
    fn validate_numbers(&self) -> Result<(), Fault> {
        for fact in self.facts() {
            let may_be_zero = matches!(fact.unit, "W" | "J/FLOP" | "J/B");
            require(may_be_zero || fact.value > 0.0, &fact.path, || FaultKind::Zero)?;
        }
        let memories = self.backends.iter().filter_map(|(kind, backend)| {
            Some((
                vec!["backends", kind.name(), "memory", "usable"],
                backend.memory.as_ref()?,
            ))
        });
        for (path, memory) in std::iter::once((vec!["memory", "usable"], &self.memory)).chain(memories) {
            let (usable, capacity) = (memory.usable.value, memory.capacity.value);
            require(usable <= capacity, &path, || FaultKind::UsableAboveCapacity {
                usable,
                capacity,
            })?;
        }
        Ok(())
    }

    fn validate_backends(&self) -> Result<(), Fault> {
        require(!self.backends.is_empty(), &["backends"], || FaultKind::NoBackend)?;
        self.require_backend(self.default_backend, &["default_backend"])?;
        for (kind, backend) in &self.backends {
            let name = kind.name();
            require(!backend.class.trim().is_empty(), &["backends", name, "class"], || {
                FaultKind::Empty
            })?;
            require(
                backend.peaks.contains_key(&Arithmetic::Fp32),
                &["backends", name, "peaks"],
                || FaultKind::NoPeak,
            )?;
            let (own, copied) = (backend.memory.is_some(), backend.host_to_device.is_some());
            require(!own || copied, &["backends", name], || FaultKind::NoHostToDevice)?;
            let reads_in_place = *kind == BackendKind::Cpu && self.paper.is_none();
            require(
                !copied || !reads_in_place,
                &["backends", name, "host_to_device"],
                || FaultKind::NothingToCopy,
            )?;
        }
        Ok(())
    }

    fn require_backend(&self, backend: BackendKind, path: &[&str]) -> Result<(), Fault> {
        require(self.backends.contains_key(&backend), path, || {
            FaultKind::UnknownBackend {
                backend,
                known: list(self.backends.keys().map(|kind| kind.name())),
            }
        })
    }

    fn validate_power_modes(&self) -> Result<(), Fault> {
        match &self.default_power_mode {
            None => require(self.power_modes.is_empty(), &["power_modes"], || {
                FaultKind::NoDefaultMode
            })?,
            Some(mode) => {
                require(self.power_modes.contains_key(mode), &["default_power_mode"], || {
                    FaultKind::UnknownMode {
                        mode: mode.clone(),
                        known: list(self.power_modes.keys().map(String::as_str)),
                    }
                })?;
            }
        }
        for (mode, settings) in &self.power_modes {
            let is_default = self.default_power_mode.as_ref() == Some(mode);
            for (&backend, clock) in &settings.clocks {
                let path = ["power_modes", mode, "clocks", backend.name()];
                self.require_backend(backend, &path)?;
                let stated = self.backends.get(&backend).and_then(|backend| backend.clock.as_ref());
                if let (true, Some(stated)) = (is_default, stated) {
                    require(clock.value == stated.value, &path, || FaultKind::DefaultModeClock {
                        backend,
                        mode_mhz: clock.value.get() / 1e6,
                        backend_mhz: stated.value.get() / 1e6,
                    })?;
                }
            }
            for (&backend, on) in &settings.cores {
                let path = ["power_modes", mode, "cores", backend.name()];
                self.require_backend(backend, &path)?;
                let (on, cores) = (on.value, self.backends[&backend].cores.value);
                require(on <= cores, &path, || FaultKind::TooManyCores { on, cores })?;
            }
        }
        Ok(())
    }

    fn validate_paper(&self) -> Result<(), Fault> {
        let Some(paper) = &self.paper else { return Ok(()) };
        for (key, value) in [
            ("compute_utilization", paper.compute_utilization),
            ("memory_utilization", paper.memory_utilization),
            ("storage_utilization", paper.storage_utilization),
            ("host_to_device_utilization", paper.host_to_device_utilization),
            ("network_utilization", paper.network_utilization),
        ] {
            require(value > 0.0 && value <= 1.0, &["paper", key], || {
                FaultKind::NotAUtilization { value }
            })?;
        }
        Ok(())
    }

    /// Every number cites a listed source and every listed source is cited.
    fn validate_sources(&self) -> Result<(), Fault> {
        let mut cited: Vec<(Vec<&str>, &str)> = self.facts().into_iter().map(|fact| (fact.path, fact.source)).collect();
        cited.extend(self.price.iter().map(|price| (vec!["price"], price.source.as_str())));
        cited.extend(self.paper.iter().map(|paper| (vec!["paper"], paper.source.as_str())));
        for (mut path, key) in cited.iter().cloned() {
            path.push("source");
            require(self.sources.contains_key(key), &path, || FaultKind::UnknownSource {
                source_key: key.to_owned(),
                known: list(self.sources.keys().map(String::as_str)),
            })?;
        }
        for (key, source) in &self.sources {
            let path = ["sources", key];
            require(cited.iter().any(|(_, cited)| cited == key), &path, || {
                FaultKind::UnusedSource
            })?;
            require(!source.text.trim().is_empty(), &["sources", key, "text"], || {
                FaultKind::Empty
            })?;
        }
        Ok(())
    }
}

fn require(holds: bool, path: &[&str], otherwise: impl FnOnce() -> FaultKind) -> Result<(), Fault> {
    if holds {
        return Ok(());
    }
    Err(Fault {
        path: path.iter().map(|&key| key.to_owned()).collect(),
        kind: otherwise(),
    })
}

/// Names for an error text, or a word for none.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
