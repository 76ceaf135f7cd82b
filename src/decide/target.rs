//! A device as it is set: which backend computes, in which power mode, under which calibration.

use crate::calibration::Calibration;
use crate::catalog::{Catalog, CatalogError, Choice, Entry};
use crate::device::{BackendKind, DerivedError, Device};
use crate::economy::{Economy, Terms, Work};
use crate::model::Model;
use crate::output::{self, Record};
use crate::perf::sums::ModelSums;
use crate::perf::{Parts, Prediction};
use crate::quant::Precision;
use crate::scenario::{Scenario, ScenarioError, Workload, backend_of, power_mode_of};
use crate::units::Hertz;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A target by name: `pi5`, `orin-nano-super:cpu`, `orin-nano-super@15W`, `orin-nano-super:cuda@15W`, `pi5@1.5GHz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The device's name or path.
    pub device: String,
    /// What computes; the device's own choice if none.
    pub backend: Option<BackendKind>,
    /// The power mode, or a clock; the mode it ships in if none.
    pub power_mode: Option<String>,
}

/// Why a text names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    /// No backend of this name.
    #[error(
        "`{name}` in `{text}` is not a backend; it is one of cpu, cuda, metal, vulkan, opencl, as in `orin-nano-super:cpu`"
    )]
    NotABackend {
        /// as written
        name: String,
        /// all of it
        text: String,
    },
    /// A part is empty.
    #[error("`{text}` lacks a name; write DEVICE[:BACKEND][@POWER-MODE], as in `orin-nano-super:cuda@15W`")]
    Empty {
        /// as written
        text: String,
    },
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let (rest, power_mode) = match text.rsplit_once('@') {
            Some((rest, mode)) => (rest, Some(mode.trim())),
            None => (text, None),
        };
        let (device, backend) = match rest.rsplit_once(':') {
            Some((device, backend)) => (device, Some(backend.trim())),
            None => (rest, None),
        };
        let device = device.trim();
        if device.is_empty() || power_mode == Some("") || backend == Some("") {
            return Err(SelectorError::Empty { text: text.to_owned() });
        }
        let backend = backend
            .map(|name| {
                BackendKind::ALL
                    .into_iter()
                    .find(|kind| kind.name().eq_ignore_ascii_case(name))
                    .ok_or_else(|| SelectorError::NotABackend {
                        name: name.to_owned(),
                        text: text.to_owned(),
                    })
            })
            .transpose()?;
        Ok(Self {
            device: device.to_owned(),
            backend,
            power_mode: power_mode.map(str::to_owned),
        })
    }
}

/// Why a target cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The device or its calibration is not there.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The device has no such backend or power mode.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// It runs at no such clock, or sits in no such machine.
    #[error(transparent)]
    Derived(#[from] DerivedError),
}

/// What runs a model, ready to be asked of any model and work.
#[derive(Debug, Clone)]
pub struct Target {
    device: Arc<Entry<Device>>,
    backend: BackendKind,
    power_mode: Option<String>,
    calibration: Arc<Entry<Calibration>>,
    /// That of the CPU which computes what a GPU leaves to it; none if this is a CPU, or the device states none.
    host_calibration: Option<Arc<Entry<Calibration>>>,
}

impl Target {
    /// The target that `selector` names.
    ///
    /// # Errors
    /// [`TargetError`]: a name that is not there, with the nearest that are.
    pub fn find(catalog: &Catalog, selector: &Selector, choice: &Choice) -> Result<Self, TargetError> {
        let device = catalog.device(&selector.device)?;
        let mode = selector.power_mode.as_deref();
        let clock = mode
            .filter(|mode| power_mode_of(&device, Some(mode)).is_err())
            .and_then(|mode| mode.parse::<Hertz>().ok());
        match clock {
            Some(clock) => Ok(Self::new(catalog, device, selector.backend, None, choice)?.at_clock(clock)?),
            None => Self::new(catalog, device, selector.backend, mode, choice),
        }
    }

    /// A device with this backend (its own choice if none), in this power mode (the one it ships in if none).
    ///
    /// # Errors
    /// [`TargetError`]: the device has no such backend or mode, or there is no calibration.
    pub fn new(
        catalog: &Catalog,
        device: Arc<Entry<Device>>,
        backend: Option<BackendKind>,
        power_mode: Option<&str>,
        choice: &Choice,
    ) -> Result<Self, TargetError> {
        let (backend, _) = backend_of(&device, backend)?;
        let power_mode = power_mode_of(&device, power_mode)?.map(|(name, _)| name.to_owned());
        let calibration = catalog.calibration_for(&device, backend, choice)?;
        let host_calibration = if backend == BackendKind::Cpu || !device.backends.contains_key(&BackendKind::Cpu) {
            None
        } else {
            Some(host_calibration(catalog, &device, choice)?)
        };
        Ok(Self {
            device,
            backend,
            power_mode,
            calibration,
            host_calibration,
        })
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What computes on it.
    #[must_use]
    pub const fn backend(&self) -> BackendKind {
        self.backend
    }

    /// The power mode in force, if it has several.
    #[must_use]
    pub fn power_mode(&self) -> Option<&str> {
        self.power_mode.as_deref()
    }

    /// The same device in another of its power modes.
    ///
    /// # Errors
    /// [`ScenarioError::NoPowerMode`]
    pub fn in_mode(&self, mode: &str) -> Result<Self, ScenarioError> {
        let power_mode = power_mode_of(&self.device, Some(mode))?.map(|(name, _)| name.to_owned());
        Ok(Self {
            power_mode,
            ..self.clone()
        })
    }

    /// The same with the backend at another clock than the power mode sets.
    ///
    /// # Errors
    /// [`DerivedError`]: the backend states no clock, or the clock is none.
    pub fn at_clock(&self, clock: Hertz) -> Result<Self, DerivedError> {
        let (device, mode) = self.device.at_clock(self.backend, self.power_mode.as_deref(), clock)?;
        let note = "at another clock arithmetic and fixed costs follow the clock, the energy of an operation follows the voltage, and the \
                    memory's bandwidth stays; idle power is still that of the clock that the device states"
            .to_owned();
        Ok(Self {
            device: self.entry(device, note),
            power_mode: Some(mode),
            ..self.clone()
        })
    }

    /// A card in the machine `host`, whose CPU computes the layers that the card leaves to it.
    ///
    /// # Errors
    /// [`TargetError`]: this is no card, or the machine has no CPU or no calibration for it.
    pub fn in_host(&self, catalog: &Catalog, host: &Device, choice: &Choice) -> Result<Self, TargetError> {
        let device = self.device.in_host(self.backend, host)?;
        let note = format!("in {} ({}): its CPU, its memory, its storage", host.name, host.id);
        Ok(Self {
            device: self.entry(device, note),
            host_calibration: Some(host_calibration(catalog, host, choice)?),
            ..self.clone()
        })
    }

    /// The device's entry with another value and one more note.
    fn entry(&self, value: Device, note: String) -> Arc<Entry<Device>> {
        let mut entry = Entry {
            value,
            ..(*self.device).clone()
        };
        entry.notes.push(note);
        Arc::new(entry)
    }

    /// Cores that compute: those of the backend which the power mode leaves on.
    #[must_use]
    pub fn cores(&self) -> u64 {
        let mode = self
            .power_mode
            .as_ref()
            .and_then(|mode| self.device.power_modes.get(mode));
        let online = mode.and_then(|mode| mode.cores.get(&self.backend));
        let all = self.device.backends.get(&self.backend).map(|backend| &backend.cores);
        online.or(all).map_or(1, |cores| cores.value)
    }

    /// The work with as many threads as the calibration used, unless it says otherwise.
    #[must_use]
    pub fn own_threads(&self, mut workload: Workload) -> Workload {
        if self.backend == BackendKind::Cpu {
            workload.threads = workload.threads.or(self.calibration.file.threads);
        }
        workload
    }

    /// The scenario of a model's sums and a piece of work; as many threads as the calibration used, unless the work says otherwise.
    ///
    /// # Errors
    /// [`ScenarioError`]: what cannot be asked.
    pub fn scenario<'a>(
        &'a self,
        sums: &'a ModelSums,
        precision: Precision,
        workload: Workload,
    ) -> Result<Scenario<'a>, ScenarioError> {
        let mode = self.power_mode.as_deref();
        let workload = self.own_threads(workload);
        Scenario::new(sums, &self.device, Some(self.backend), precision, mode, workload)
    }

    /// The prediction of a scenario of this target.
    #[must_use]
    pub fn predict<'a>(&'a self, scenario: &Scenario<'a>) -> Prediction<'a> {
        self.parts(scenario).predict(scenario)
    }

    /// The parts of a model in a scenario of this target, which predict it and those that they [serve](Parts::serve).
    #[must_use]
    pub fn parts<'a>(&'a self, scenario: &Scenario<'a>) -> Parts<'a> {
        let host = self.host_calibration.as_deref().map(|entry| &entry.value);
        Parts::new(scenario, &self.calibration, host)
    }

    /// [`Target::scenario`] and [`Target::predict`].
    ///
    /// # Errors
    /// [`ScenarioError`]: what cannot be asked.
    pub fn ask<'a>(
        &'a self,
        sums: &'a ModelSums,
        precision: Precision,
        workload: Workload,
    ) -> Result<(Scenario<'a>, Prediction<'a>), ScenarioError> {
        let scenario = self.scenario(sums, precision, workload)?;
        let prediction = self.predict(&scenario);
        Ok((scenario, prediction))
    }

    /// What a reader of the prediction should know.
    #[must_use]
    pub fn notes(&self, model: &Model, scenario: &Scenario<'_>, prediction: &Prediction<'_>) -> Vec<String> {
        let mut notes = output::notes(model, scenario, prediction);
        notes.extend(self.device.notes.iter().cloned());
        notes
    }

    /// The prediction as a record under the reader's terms.
    ///
    /// # Errors
    /// [`ScenarioError`]: what cannot be asked.
    pub fn record(
        &self,
        model: &Model,
        sums: &ModelSums,
        precision: Precision,
        workload: Workload,
        terms: &Terms,
    ) -> Result<Record, ScenarioError> {
        let (scenario, prediction) = self.ask(sums, precision, workload)?;
        Ok(Record {
            economy: Economy::of(&Work::of(&scenario.workload, &prediction), &terms.on(&self.device)),
            ..Record::exact(model, &scenario, &prediction, self.notes(model, &scenario, &prediction))
        })
    }
}

/// The calibration of the CPU that hosts a GPU; one that was named is the GPU's.
fn host_calibration(
    catalog: &Catalog,
    host: &Device,
    choice: &Choice,
) -> Result<Arc<Entry<Calibration>>, CatalogError> {
    let choice = match choice {
        Choice::Named(_) => &Choice::Best,
        choice => choice,
    };
    catalog.calibration_for(host, BackendKind::Cpu, choice)
}

impl fmt::Display for Target {
    /// As a [`Selector`] names it, with what is the device's own choice left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.device.id)?;
        if self.backend != self.device.default_backend {
            write!(f, ":{}", self.backend)?;
        }
        match &self.power_mode {
            Some(mode) => write!(f, "@{mode}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_device_with_what_is_set_on_it() {
        let parts = |text: &str| {
            let selector: Selector = text.parse().ok()?;
            Some((selector.device, selector.backend, selector.power_mode))
        };
        let (cuda, mode) = (Some(BackendKind::Cuda), Some("15W".to_owned()));
        assert_eq!(parts("pi5"), Some(("pi5".to_owned(), None, None)));
        assert_eq!(parts("orin:CUDA@15W"), Some(("orin".to_owned(), cuda, mode.clone())));
        assert_eq!(parts("./a/my.toml@15W"), Some(("./a/my.toml".to_owned(), None, mode)));
        for text in ["", ":cpu", "pi5:", "pi5@", "@15W"] {
            assert!(
                matches!(text.parse::<Selector>(), Err(SelectorError::Empty { .. })),
                "{text}"
            );
        }
        assert!(matches!(
            "pi5:npu".parse::<Selector>(),
            Err(SelectorError::NotABackend { .. })
        ));
    }

    #[test]
    fn it_is_shown_as_it_is_named() {
        let catalog = Catalog::builtin();
        for (text, shown) in [
            ("PI5", "pi5"),
            ("orin-nano-super", "orin-nano-super@MAXN"),
            ("orin-nano-super:cpu@15w", "orin-nano-super:cpu@15W"),
        ] {
            let target = text
                .parse()
                .map_err(|error: SelectorError| error.to_string())
                .and_then(|selector| {
                    Target::find(&catalog, &selector, &Choice::Best).map_err(|error| error.to_string())
                });
            assert_eq!(target.map(|target| target.to_string()), Ok(shown.to_owned()));
        }
    }
}
