//! Why a name leads to no entry.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What a name can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Model,
    Device,
    Calibration,
}

impl Kind {
    /// Folder of the catalogue that holds its files.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Device => "hardware",
            Self::Calibration => "calibration",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Device => "device",
            Self::Calibration => "calibration",
        })
    }
}

/// Why a name leads to no entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// No entry goes by the name.
    #[error("no {kind} is called `{name}`")]
    Unknown {
        /// what was looked for
        kind: Kind,
        /// the name as written
        name: String,
        /// names that are near it, the nearest first
        nearest: Vec<String>,
    },
    /// A file is not what its place says.
    #[error("{origin} is not a usable {kind}")]
    Invalid {
        /// what it should be
        kind: Kind,
        /// the file
        origin: String,
        /// what is wrong with it
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// the file or folder
        path: PathBuf,
        /// what the system says
        source: io::Error,
    },
    /// A folder stands where a file should be.
    #[error("{} is a folder, not a {kind}", path.display())]
    IsAFolder {
        /// what it should be
        kind: Kind,
        /// the folder
        path: PathBuf,
    },
    /// A folder of the user's does not exist.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// as written
        path: PathBuf,
    },
    /// Neither a device nor its class has a calibration.
    #[error("there is no calibration for {device}'s {backend} backend, nor for its class `{class}`")]
    NoCalibration {
        /// the device
        device: String,
        /// the backend
        backend: &'static str,
        /// the backend's class
        class: String,
        /// the classes that have one
        classes: Vec<String>,
    },
    /// A file's ending says nothing that is known of its kind.
    #[error("{} is no file of a {kind}; {expected}", path.display())]
    UnknownEnding {
        /// what it should be
        kind: Kind,
        /// the file
        path: PathBuf,
        /// the endings that are known
        expected: &'static str,
    },
}

impl CatalogError {
    /// What to try instead, if that can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { kind, nearest, name } => {
                let list = match kind {
                    Kind::Model => "edgeprof list models",
                    Kind::Device => "edgeprof list hardware",
                    Kind::Calibration => "edgeprof list calibrations",
                };
                Some(if std::path::Path::new(name).exists() {
                    format!("there is a file of that name here; write ./{name} to mean it")
                } else if nearest.is_empty() {
                    format!("`{list}` shows those there are; a path to a file works too")
                } else {
                    let quoted: Vec<String> = nearest.iter().map(|name| format!("`{name}`")).collect();
                    format!("did you mean {}? `{list}` shows them all", quoted.join(" or "))
                })
            }
            Self::IsAFolder { kind: Kind::Model, .. } => {
                Some("a model's folder must hold a `config.json`; name the file itself otherwise".to_owned())
            }
            Self::NoCalibration { class, .. } if class == "none" => {
                Some("this device exists only in a paper; ask with `--formulas edgeprofiler`".to_owned())
            }
            Self::NoCalibration { classes, .. } => Some(format!(
                "name a calibration with --calibration; the classes are {}",
                classes.join(", ")
            )),
            Self::NotAFolder { .. } => {
                Some("--data takes a folder with `models/`, `hardware/` or `calibration/` in it".to_owned())
            }
            _ => None,
        }
    }
}
