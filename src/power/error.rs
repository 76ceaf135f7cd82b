//! What can be wrong with a sensor or a log.

use super::NAMES;
use std::path::PathBuf;

/// Why there is no power to be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PowerError {
    /// A name that is no sensor's.
    #[error("`{name}` is no power sensor; name auto, none or one of {}", NAMES.join(", "))]
    Unknown {
        /// the name
        name: String,
    },
    /// The machine lacks it.
    #[error("this machine has no {name} sensor; `edgeprof calibrate --probe` lists those it has")]
    NotThere {
        /// the sensor
        name: &'static str,
    },
    /// It is there, and this user may not read it.
    #[error("{name} may not be read by this user ({}); {cure}", path.display())]
    Denied {
        /// the sensor
        name: &'static str,
        /// what was to be read
        path: PathBuf,
        /// what to do
        cure: &'static str,
    },
    /// It cannot be read, or says nothing that is a power.
    #[error("{name} cannot be read: {reason}")]
    Unreadable {
        /// the sensor
        name: &'static str,
        /// what is wrong
        reason: String,
    },
    /// A battery that is not what feeds the machine.
    #[error("the battery is {status}: what it draws is not the machine's power; unplug the charger")]
    NotDischarging {
        /// what it says of itself
        status: String,
    },
    /// The file of a log cannot be read.
    #[error("cannot read the power log {}: {source}", path.display())]
    File {
        /// the file
        path: PathBuf,
        /// what the system says
        source: std::io::Error,
    },
    /// A log without a column that is needed.
    #[error("the power log {} has no column of {what}; it has {has}; name one {example}", path.display())]
    NoColumn {
        /// the file
        path: PathBuf,
        /// what is missing
        what: &'static str,
        /// the columns there are
        has: String,
        /// names that are understood
        example: &'static str,
    },
    /// A line of a log that says nothing.
    #[error("line {line} of the power log {}: `{text}` is no {what}", path.display())]
    Line {
        /// the file
        path: PathBuf,
        /// counted from 1
        line: u64,
        /// the cell
        text: String,
        /// what it should be
        what: &'static str,
    },
    /// A log that holds nothing.
    #[error("the power log {} holds fewer than two readings", path.display())]
    Empty {
        /// the file
        path: PathBuf,
    },
}

impl PowerError {
    /// The sensor that it is about, if it is about one.
    #[must_use]
    pub const fn sensor(&self) -> Option<&'static str> {
        match self {
            Self::NotThere { name } | Self::Denied { name, .. } | Self::Unreadable { name, .. } => Some(name),
            Self::NotDischarging { .. } => Some("battery"),
            _ => None,
        }
    }

    /// The error of reading a sensor's file.
    pub(super) fn reading(name: &'static str, path: PathBuf, cure: &'static str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Self::Denied { name, path, cure },
            _ => Self::Unreadable {
                name,
                reason: format!("{}: {error}", path.display()),
            },
        }
    }
}
