//! A battery, through Linux's power_supply: what it gives while nothing charges it.

use super::host::{Host, number, text};
use super::{Found, Info, PowerError, Sensor};
use crate::device::Rail;
use crate::units::Watts;
use std::path::{Path, PathBuf};

const NAME: &str = "battery";
const CURE: &str = "run as root";

#[derive(Debug)]
struct Battery {
    info: Info,
    folders: Vec<PathBuf>,
}

/// Every battery that feeds the machine.
pub(super) fn find(host: &Host) -> Option<Found> {
    let is_battery = |folder: &PathBuf| {
        let says = |file: &str| text(&folder.join(file)).unwrap_or_default();
        // A mouse's or a headset's has the scope Device.
        says("type") == "Battery" && says("scope") != "Device"
    };
    let folders: Vec<PathBuf> = host
        .entries("sys/class/power_supply")
        .into_iter()
        .filter(is_battery)
        .collect();
    if folders.is_empty() {
        return None;
    }
    let info = Info {
        name: NAME,
        rail: Rail::Battery,
        what: "battery, the whole machine with its screen".to_owned(),
    };
    let mut sensor = Battery { info, folders };
    Some(match sensor.sample() {
        Ok(_) => Ok(Box::new(sensor)),
        Err(error) => Err(error),
    })
}

/// `power_now` in microwatts, or `voltage_now` times `current_now` in microvolts and microamperes, which some make negative.
fn watts(folder: &Path) -> Result<f64, PowerError> {
    let read = |file: &str| {
        let path = folder.join(file);
        number(&path).map_err(|error| PowerError::reading(NAME, path, CURE, &error))
    };
    if folder.join("power_now").exists() {
        return Ok(1e-6 * read("power_now")?.abs());
    }
    Ok(1e-12 * read("voltage_now")? * read("current_now")?.abs())
}

impl Sensor for Battery {
    fn info(&self) -> &Info {
        &self.info
    }

    fn sample(&mut self) -> Result<Option<Watts>, PowerError> {
        let mut sum = 0.0;
        for folder in &self.folders {
            let status = text(&folder.join("status")).unwrap_or_default();
            if status != "Discharging" {
                return Err(PowerError::NotDischarging {
                    status: if status.is_empty() {
                        "in an unknown state".to_owned()
                    } else {
                        status.to_lowercase()
                    },
                });
            }
            sum += watts(folder)?;
        }
        Ok(Some(Watts(sum)))
    }
}
