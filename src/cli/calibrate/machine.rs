//! The device that is calibrated; for this machine, with its own probed rates.

use super::data_folder;
use crate::cli::failure::{CannotWrite, Failure};
use edgeprof::calibrate::collect::Machine;
use edgeprof::calibrate::measurement::Measurement;
use edgeprof::calibrate::probe::Probes;
use edgeprof::calibrate::probed;
use edgeprof::calibration::FactorId;
use edgeprof::catalog::{Catalog, Choice, Origin, write_atomically};
use edgeprof::device::{BackendKind, Device, host};
use std::path::{Path, PathBuf};

/// The device that is calibrated.
pub struct Target {
    /// The device.
    pub device: Device,
    /// The backend of it.
    pub backend: BackendKind,
    /// Whether it is this machine as detected, so that its file is edgeprof's to write.
    detected: bool,
    probed: bool,
}

/// A backend that the device lacks.
#[derive(Debug, thiserror::Error)]
#[error("{device} has no {backend} backend; it has {has}")]
struct NoBackend {
    device: String,
    backend: BackendKind,
    has: String,
}

impl Target {
    /// The device of a name. A file of this machine that edgeprof wrote is set aside and the machine looked at anew; one that the user
    /// wrote holds.
    pub fn find(catalog: &Catalog, name: &str, backend: Option<BackendKind>) -> Result<Self, Failure> {
        let entry = catalog.device(name.trim())?;
        let written = entry.id == host::ID && entry.sources.contains_key(probed::SOURCE);
        let (device, detected) = if written {
            let known: Vec<_> = catalog
                .device_ids()
                .filter(|id| *id != host::ID)
                .filter_map(|id| catalog.device(id).ok())
                .collect();
            let host = host::detect(known.iter().map(|entry| &entry.value)).map_err(Failure::new)?;
            (host.device, true)
        } else {
            (entry.value.clone(), entry.origin == Origin::Detected)
        };
        let mut target = Self {
            backend: device.default_backend,
            device,
            detected,
            probed: false,
        };
        if let Some(backend) = backend {
            target.choose(backend)?;
        }
        Ok(target)
    }

    /// Calibrates this backend.
    pub fn choose(&mut self, backend: BackendKind) -> Result<(), Failure> {
        if !self.device.backends.contains_key(&backend) {
            let has: Vec<&str> = self.device.backends.keys().map(|kind| kind.name()).collect();
            return Err(Failure::new(NoBackend {
                device: self.device.id.clone(),
                backend,
                has: has.join(", "),
            }));
        }
        self.backend = backend;
        Ok(())
    }

    /// Puts probed rates into this machine's numbers; any other device keeps what its file states.
    pub fn take(
        &mut self,
        catalog: &Catalog,
        probes: &Probes,
        rows: &[Measurement],
        date: &str,
    ) -> Result<(), Failure> {
        if !self.detected {
            return Ok(());
        }
        let class = catalog.calibration_for(&self.device, BackendKind::Cpu, &Choice::Class)?;
        let machine = Machine::of(&self.device);
        let share = class.factor(FactorId::Memory);
        let streamed = probed::streamed(&self.device, rows);
        let mut probes = probes.clone();
        if cfg!(debug_assertions) {
            // A build without optimisation reads slower than the memory does: it knows no bandwidth.
            probes.read_bandwidth = 0.0;
        }
        probed::take(&mut self.device, self.backend, &machine, &probes, streamed, share, date);
        self.probed = true;
        Ok(())
    }

    /// Writes this machine's numbers where `predict --hw host` finds them; nothing for any other device.
    pub fn store(&self) -> Result<Option<PathBuf>, Failure> {
        if !self.probed {
            return Ok(None);
        }
        let path = data_folder()?.join("hardware").join(format!("{}.toml", self.device.id));
        self.write(&path).map(Some)
    }

    /// Writes the device to a file.
    pub fn write(&self, path: &Path) -> Result<PathBuf, Failure> {
        let text = self.device.to_toml().map_err(Failure::new)?;
        write_atomically(path, &text).map_err(|error| CannotWrite::failure(path, error))?;
        Ok(path.to_owned())
    }
}
