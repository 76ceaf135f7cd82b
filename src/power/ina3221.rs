//! The INA3221 monitors of a Jetson: voltage and current of named rails, through Linux's hwmon (JetPack 5 and later).

use super::host::{Host, number, text};
use super::{Found, Info, PowerError, Sensor};
use crate::device::Rail;
use crate::units::Watts;
use std::path::PathBuf;

const NAME: &str = "ina3221";
const CURE: &str = "run as root";
const CHANNELS: std::ops::RangeInclusive<u32> = 1..=3;

/// Rails that feed the whole module, by the board's device tree.
const MODULE: [&str; 3] = ["VDD_IN", "POM_5V_IN", "5V_IN"];
/// A rail behind another that is read as well (AGX Orin: behind VIN_SYS_5V0).
const BEHIND_ANOTHER: &str = "VDDQ_VDD2_1V8AO";

/// One channel of a monitor.
#[derive(Debug)]
struct Channel {
    label: String,
    /// Millivolts.
    voltage: PathBuf,
    /// Milliamperes.
    current: PathBuf,
}

#[derive(Debug)]
struct Ina3221 {
    info: Info,
    channels: Vec<Channel>,
}

/// The module's own rail, or the sum of those there are.
pub(super) fn find(host: &Host) -> Option<Found> {
    let mut channels = Vec::new();
    for chip in host.entries("sys/class/hwmon") {
        if text(&chip.join("name")).ok().as_deref() != Some(NAME) {
            continue;
        }
        for channel in CHANNELS {
            let Ok(label) = text(&chip.join(format!("in{channel}_label"))) else {
                continue;
            };
            // A channel that the board does not use.
            if !label.is_empty() && label != "NC" {
                channels.push(Channel {
                    label,
                    voltage: chip.join(format!("in{channel}_input")),
                    current: chip.join(format!("curr{channel}_input")),
                });
            }
        }
    }
    if channels.iter().any(|channel| MODULE.contains(&channel.label.as_str())) {
        channels.retain(|channel| MODULE.contains(&channel.label.as_str()));
    } else {
        channels.retain(|channel| channel.label != BEHIND_ANOTHER);
    }
    if channels.is_empty() {
        return None;
    }
    let labels: Vec<&str> = channels.iter().map(|channel| channel.label.as_str()).collect();
    let info = Info {
        name: NAME,
        rail: Rail::Module,
        what: format!("INA3221, {}", labels.join(" + ")),
    };
    let mut sensor = Ina3221 { info, channels };
    Some(match sensor.sample() {
        Ok(_) => Ok(Box::new(sensor)),
        Err(error) => Err(error),
    })
}

impl Sensor for Ina3221 {
    fn info(&self) -> &Info {
        &self.info
    }

    fn sample(&mut self) -> Result<Option<Watts>, PowerError> {
        let mut watts = 0.0;
        for channel in &self.channels {
            let read =
                |path: &PathBuf| number(path).map_err(|error| PowerError::reading(NAME, path.clone(), CURE, &error));
            watts += read(&channel.voltage)? * 1e-3 * read(&channel.current)? * 1e-3;
        }
        Ok(Some(Watts(watts)))
    }
}
