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
pub use folders::{user_folder, write_atomically};
pub use origin::Origin;
pub use shelf::Entry;

use crate::device::Device;
use crate::model::{Model, ModelFile};
use include_dir::{Dir, include_dir};
use shelf::{Fault, Shelf};
use std::path::Path;
use std::sync::Arc;

static MODELS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/models");
static HARDWARE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/hardware");

/// Every named model, device and calibration.
#[derive(Debug)]
pub struct Catalog {
    models: Shelf<Model>,
    devices: Shelf<Device>,
}

impl Catalog {
    /// The shipped catalogue alone.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            models: Shelf::new(Kind::Model, &MODELS, parse_model),
            devices: Shelf::new(Kind::Device, &HARDWARE, parse_device),
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
        self.devices.overlay(&folder.join(Kind::Device.folder()))
    }

    /// Ids of the models, in order.
    pub fn model_ids(&self) -> impl Iterator<Item = &str> {
        self.models.ids()
    }

    /// Ids of the devices, in order.
    pub fn device_ids(&self) -> impl Iterator<Item = &str> {
        self.devices.ids()
    }

    /// The model of this id or alias, whatever its case, or in this file: a `.toml`, a `.gguf`, a `config.json` or its folder.
    ///
    /// # Errors
    /// If there is no such model, or its file is not one.
    pub fn model(&self, name: &str) -> Result<Arc<Entry<Model>>, CatalogError> {
        match folders::as_path(name) {
            Some(path) => self.models.read(path),
            None => self.models.get(name),
        }
    }

    /// The device of this id or alias, whatever its case, or in this `.toml` file.
    ///
    /// # Errors
    /// If there is no such device, or its file is not one.
    pub fn device(&self, name: &str) -> Result<Arc<Entry<Device>>, CatalogError> {
        match folders::as_path(name) {
            Some(path) => self.devices.read(path),
            None => self.devices.get(name),
        }
    }
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
