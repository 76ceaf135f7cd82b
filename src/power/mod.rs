//! Power meters: what a machine draws, read from whatever sensor it has.
//!
//! A [`Sensor`] gives watts of one rail; [`find`] looks for all of them. A [`Sampler`] reads one on a thread of its own while something
//! else runs, and gives the [`Trace`] of it; a wall meter's log ([`log::read`]) is a trace as well. The energy of a stretch of time is then
//! its mean power times its length.
//!
//! Rails differ: a package draws less than its board, a board less than the wall. Each sensor names its own, and nothing here converts one
//! to another.

mod battery;
mod error;
mod host;
mod ina3221;
pub mod log;
mod nvidia_smi;
mod pmic;
mod powermetrics;
mod rapl;
mod sampler;
mod stream;
mod trace;

pub use error::PowerError;
pub use host::Host;
pub use sampler::{Sampler, now_s};
pub use trace::{Sample, Trace};

use crate::device::Rail;
use crate::units::Watts;
use std::fmt;

/// What a sensor is called, and whose power it reads.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Info {
    /// What can be asked for: `rapl`, `ina3221`, `pmic`, `nvml`, `battery`, `powermetrics`.
    pub name: &'static str,
    /// Where it reads.
    pub rail: Rail,
    /// What is read, in words.
    pub what: String,
}

/// Something that says how much power is drawn.
pub trait Sensor: Send + fmt::Debug {
    /// What it is.
    fn info(&self) -> &Info;

    /// The power now; of a counter of energy, the mean since the last call. None while there is nothing to say yet.
    ///
    /// # Errors
    /// [`PowerError`] if it cannot be read.
    fn sample(&mut self) -> Result<Option<Watts>, PowerError>;
}

/// A sensor that is there, or why it cannot be read.
pub type Found = Result<Box<dyn Sensor>, PowerError>;

/// The names that [`find`] knows, in the order in which `auto` prefers them: the more of the machine a rail feeds, the better, and a GPU's
/// own before the others where it computes.
pub const NAMES: [&str; 6] = ["nvml", "ina3221", "pmic", "rapl", "powermetrics", "battery"];

/// Every sensor of a machine, in the order of [`NAMES`]. What is not there is not listed; what is there and cannot be read says why.
#[must_use]
pub fn find(host: &Host) -> Vec<Found> {
    [
        nvidia_smi::find(host),
        ina3221::find(host),
        pmic::find(host),
        rapl::find(host),
        powermetrics::find(host),
        battery::find(host),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Which sensor is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// The first that can be read; none is no error.
    #[default]
    Auto,
    /// None.
    None,
    /// This one.
    Named(&'static str),
}

impl std::str::FromStr for Choice {
    type Err = PowerError;

    fn from_str(text: &str) -> Result<Self, PowerError> {
        let text = text.trim().to_ascii_lowercase();
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            name => NAMES
                .into_iter()
                .find(|known| *known == name)
                .map(Self::Named)
                .ok_or(PowerError::Unknown { name: text }),
        }
    }
}

/// The sensor of a choice.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The sensor, if there is one to be read.
    pub sensor: Option<Box<dyn Sensor>>,
    /// For `auto` without one: why those that are there cannot be read.
    pub refused: Vec<PowerError>,
}

/// The sensor of a choice. `gpu` is whether a GPU computes: its board is the rail of such a run only.
///
/// # Errors
/// [`PowerError`] if the one that was named is not there or cannot be read.
pub fn choose(host: &Host, choice: &Choice, gpu: bool) -> Result<Chosen, PowerError> {
    let chosen = |sensor| Chosen {
        sensor: Some(sensor),
        refused: Vec::new(),
    };
    let mut refused = Vec::new();
    match choice {
        Choice::None => {}
        Choice::Auto => {
            for found in find(host) {
                match found {
                    Ok(sensor) if gpu || sensor.info().name != "nvml" => return Ok(chosen(sensor)),
                    Ok(_) => {}
                    Err(error) => refused.push(error),
                }
            }
        }
        Choice::Named(name) => {
            let is_it = |found: &Found| match found {
                Ok(sensor) => sensor.info().name == *name,
                Err(error) => error.sensor() == Some(*name),
            };
            let found = find(host).into_iter().find(is_it);
            return found.ok_or(PowerError::NotThere { name })?.map(chosen);
        }
    }
    Ok(Chosen { sensor: None, refused })
}

#[cfg(test)]
mod tests;
