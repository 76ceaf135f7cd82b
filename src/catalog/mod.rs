//! The catalogue: every model, device and calibration that has a name, shipped or the user's own.
//!
//! The shipped files are compiled in. A folder of the user's with `models/`, `hardware/` and `calibration/` in it lies over them:
//! an entry there replaces the shipped one of the same id, and is read by the same parser with the same checks. Nothing is read or
//! parsed before it is asked for, and nothing twice.
//!
//! Architecture Invariant: this module is the only one that turns a name into a file.

mod error;
mod folders;
mod origin;
mod shelf;
mod suggest;

pub use error::{CatalogError, Kind};
pub use folders::{NewFile, user_folder, write_atomically};
pub use origin::Origin;
pub use shelf::Entry;
pub(crate) use suggest::nearest as nearest_names;

use crate::calibration::Calibration;
use crate::device::{BackendKind, Device, PaperConstants, host, llmfit};
use crate::model::{Model, ModelFile};
use include_dir::{Dir, include_dir};
use shelf::{Fault, Shelf};
use std::path::Path;
use std::sync::Arc;

static MODELS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/models");
static HARDWARE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/hardware");
static CALIBRATION: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/calibration");

/// The entry whose constants the paper's formulas take for a device that has none of its own.
const PAPER_DEVICE: &str = "edgeprofiler-pi4";

/// Which calibration a prediction should rest on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// The device's own, the user's before the shipped one; else that of its class.
    #[default]
    Best,
    /// That of the class of the device.
    Class,
    /// The one of this id, or in this file.
    Named(String),
}

/// Every named model, device and calibration.
#[derive(Debug)]
pub struct Catalog {
    models: Shelf<Model>,
    devices: Shelf<Device>,
    calibrations: Shelf<Calibration>,
}

impl Catalog {
    /// The shipped catalogue alone.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            models: Shelf::new(Kind::Model, &MODELS, parse_model),
            devices: Shelf::new(Kind::Device, &HARDWARE, parse_device),
            calibrations: Shelf::new(Kind::Calibration, &CALIBRATION, parse_calibration),
        }
    }

    /// The shipped catalogue, the user's data folder ([`user_folder`]) over it, and each of `folders` over that, the last on top.
    ///
    /// # Errors
    /// If one of `folders` is not a folder, or a folder cannot be listed. The user's data folder need not exist.
    pub fn open<P: AsRef<Path>>(folders: &[P]) -> Result<Self, CatalogError> {
        let mut catalog = Self::builtin();
        if let Some(folder) = user_folder() {
            catalog.overlay(&folder)?;
        }
        for folder in folders {
            let folder = folder.as_ref();
            if !folder.is_dir() {
                return Err(CatalogError::NotAFolder {
                    path: folder.to_owned(),
                });
            }
            catalog.overlay(folder)?;
        }
        Ok(catalog)
    }

    fn overlay(&mut self, folder: &Path) -> Result<(), CatalogError> {
        self.models.overlay(&folder.join(Kind::Model.folder()))?;
        self.devices.overlay(&folder.join(Kind::Device.folder()))?;
        self.calibrations.overlay(&folder.join(Kind::Calibration.folder()))
    }

    /// Ids of the models, in order.
    pub fn model_ids(&self) -> impl Iterator<Item = &str> {
        self.models.ids()
    }

    /// Ids of the devices, in order.
    pub fn device_ids(&self) -> impl Iterator<Item = &str> {
        self.devices.ids()
    }

    /// Ids of the calibrations, in order.
    pub fn calibration_ids(&self) -> impl Iterator<Item = &str> {
        self.calibrations.ids()
    }

    /// The model of this id or alias, whatever its case, or in this file: a `.toml`, a `.gguf`, a `config.json` or its folder.
    ///
    /// # Errors
    /// If there is no such model, or its file is not one.
    pub fn model(&self, name: &str) -> Result<Arc<Entry<Model>>, CatalogError> {
        match folders::as_path(name) {
            Some(path) => self.model_at(path),
            None => self.models.get(name).or_else(|unknown| {
                // A name that nothing has may still be a folder of a model beside.
                let path = Path::new(name);
                let is_model = matches!(unknown, CatalogError::Unknown { .. }) && path.join("config.json").is_file();
                if is_model { self.model_at(path) } else { Err(unknown) }
            }),
        }
    }

    /// The device of this id or alias, whatever its case, or in this file: a `.toml`, or a `.json` that is a hardware profile of llmfit; `host` is the machine that this runs on, unless
    /// the user has a file of that name.
    ///
    /// # Errors
    /// If there is no such device, or its file is not one.
    pub fn device(&self, name: &str) -> Result<Arc<Entry<Device>>, CatalogError> {
        match folders::as_path(name) {
            Some(path)
                if path
                    .extension()
                    .is_some_and(|ending| ending.eq_ignore_ascii_case("json")) =>
            {
                self.profile(path)
            }
            Some(path) => self.devices.read(path),
            None if name.eq_ignore_ascii_case(host::ID) && self.devices.find(host::ID).is_none() => self.host(),
            None => self.devices.get(name),
        }
    }

    /// The calibration of this id, or in this `.toml` file.
    ///
    /// # Errors
    /// If there is no such calibration, or its file is not one.
    pub fn calibration(&self, name: &str) -> Result<Arc<Entry<Calibration>>, CatalogError> {
        match folders::as_path(name) {
            Some(path) => self.calibrations.read(path),
            None => self.calibrations.get(name),
        }
    }

    /// The calibration for a backend of a device.
    ///
    /// # Errors
    /// If a named one cannot be had, or neither the device nor its class has one.
    pub fn calibration_for(
        &self,
        device: &Device,
        backend: BackendKind,
        choice: &Choice,
    ) -> Result<Arc<Entry<Calibration>>, CatalogError> {
        if let Choice::Named(name) = choice {
            return self.calibration(name);
        }
        let own = match choice {
            Choice::Best => std::iter::once(&device.id)
                .chain(&device.like)
                .find_map(|id| self.calibrations.find(&format!("{id}-{backend}"))),
            _ => None,
        };
        let class = device
            .backends
            .get(&backend)
            .map_or("none", |backend| backend.class.as_str());
        own.or_else(|| self.calibrations.find(&format!("class-{class}")))
            .unwrap_or_else(|| {
                Err(CatalogError::NoCalibration {
                    device: device.id.clone(),
                    backend: backend.name(),
                    class: class.to_owned(),
                    classes: self
                        .calibrations
                        .ids()
                        .filter_map(|id| id.strip_prefix("class-"))
                        .map(str::to_owned)
                        .collect(),
                })
            })
    }

    /// The constants of the paper's formulas for a device: its own, or those that the paper used for all of its devices.
    ///
    /// # Errors
    /// If the catalogue's entry with the paper's constants is not there.
    pub fn paper_constants(&self, device: &Device) -> Result<PaperConstants, CatalogError> {
        let default = || Ok(self.device(PAPER_DEVICE)?.paper.clone());
        device
            .paper
            .clone()
            .map_or_else(default, |paper| Ok(Some(paper)))?
            .ok_or_else(|| CatalogError::Unknown {
                kind: Kind::Device,
                name: PAPER_DEVICE.to_owned(),
                nearest: Vec::new(),
            })
    }

    /// The machine that this runs on, among the catalogue's devices if it is one of them.
    fn host(&self) -> Result<Arc<Entry<Device>>, CatalogError> {
        // An entry that does not parse is no reason not to know this machine.
        let known: Vec<_> = self.device_ids().filter_map(|id| self.device(id).ok()).collect();
        let host = host::detect(known.iter().map(|entry| &entry.value)).map_err(|error| CatalogError::Invalid {
            kind: Kind::Device,
            origin: Origin::Detected.to_string(),
            source: Box::new(error),
        })?;
        Ok(Arc::new(Entry {
            value: host.device,
            aliases: Vec::new(),
            notes: host.notes,
            origin: Origin::Detected,
        }))
    }

    /// The machine that a hardware profile of llmfit describes, with the catalogue's facts where the profile has none.
    fn profile(&self, path: &Path) -> Result<Arc<Entry<Device>>, CatalogError> {
        let text = std::fs::read_to_string(path).map_err(|source| CatalogError::Read {
            path: path.to_owned(),
            source,
        })?;
        let origin = Origin::File(path.to_owned());
        let invalid = |source: Fault| CatalogError::Invalid {
            kind: Kind::Device,
            origin: origin.to_string(),
            source,
        };
        let profile = llmfit::Profile::parse(&text).map_err(|error| invalid(error.into()))?;
        let known: Vec<_> = self.device_ids().filter_map(|id| self.device(id).ok()).collect();
        let imported =
            llmfit::import(&profile, known.iter().map(|entry| &entry.value)).map_err(|error| invalid(error.into()))?;
        Ok(Arc::new(Entry {
            value: imported.device,
            aliases: Vec::new(),
            notes: imported.notes,
            origin,
        }))
    }

    fn model_at(&self, path: &Path) -> Result<Arc<Entry<Model>>, CatalogError> {
        if path.is_dir() {
            if path.join("config.json").is_file() {
                return found(path, crate::model::read_config(path));
            }
            let (kind, path) = (Kind::Model, path.to_owned());
            return Err(CatalogError::IsAFolder { kind, path });
        }
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        match ending.as_str() {
            "toml" => self.models.read(path),
            "gguf" => found(path, crate::model::gguf::read(path)),
            "json" => found(path, crate::model::read_config(path)),
            // A name with its owner before it, as Hugging Face has them, is no path, but near to one that is here.
            _ if !path.exists() => self.models.get(&path.to_string_lossy()),
            _ => Err(CatalogError::UnknownEnding {
                kind: Kind::Model,
                path: path.to_owned(),
                expected: "a model is a .toml, a .gguf, a config.json or the folder of one",
            }),
        }
    }
}

/// The model that was read from a file, or what is wrong with the file.
fn found(path: &Path, model: Result<Model, impl Into<Fault>>) -> Result<Arc<Entry<Model>>, CatalogError> {
    let origin = Origin::File(path.to_owned());
    match model {
        Ok(value) => Ok(Arc::new(Entry {
            value,
            aliases: Vec::new(),
            notes: Vec::new(),
            origin,
        })),
        Err(fault) => Err(CatalogError::Invalid {
            kind: Kind::Model,
            origin: origin.to_string(),
            source: fault.into(),
        }),
    }
}

fn parse_calibration(id: &str, text: &str) -> Result<(Calibration, Vec<String>), Fault> {
    Ok((Calibration::parse(id, text)?, Vec::new()))
}

fn parse_model(id: &str, text: &str) -> Result<(Model, Vec<String>), Fault> {
    let file = ModelFile::parse(text)?;
    Ok((file.model(id)?, file.aliases))
}

fn parse_device(id: &str, text: &str) -> Result<(Device, Vec<String>), Fault> {
    let device = Device::parse(id, text)?;
    let aliases = device.aliases.clone();
    Ok((device, aliases))
}
