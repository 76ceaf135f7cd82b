//! The power management chip of a Raspberry Pi 5, through the firmware's `vcgencmd pmic_read_adc`.
//!
//! It measures the rails that it makes, not the 5 V input: what the USB ports and the fan draw, and the chip's own losses, are not in it.

use super::host::{Host, output};
use super::{Found, Info, PowerError, Sensor};
use crate::device::Rail;
use crate::units::Watts;
use std::collections::BTreeMap;
use std::path::PathBuf;

const NAME: &str = "pmic";

#[derive(Debug)]
struct Pmic {
    info: Info,
    program: PathBuf,
}

/// A Pi that has one: earlier ones have the program, and no such command.
pub(super) fn find(host: &Host) -> Option<Found> {
    let program = host.program("vcgencmd")?;
    let text = output(&program, &["pmic_read_adc"]).ok()?;
    power(&text)?;
    let info = Info {
        name: NAME,
        rail: Rail::Pmic,
        what: "Raspberry Pi PMIC, the sum of its rails (without USB ports and losses)".to_owned(),
    };
    Some(Ok(Box::new(Pmic { info, program })))
}

/// The sum over rails of voltage times current, of lines like `VDD_CORE_A current(7)=2.1A` and `VDD_CORE_V volt(15)=0.87V`.
fn power(text: &str) -> Option<Watts> {
    let mut rails: BTreeMap<&str, [Option<f64>; 2]> = BTreeMap::new();
    for line in text.lines() {
        let Some((name, reading)) = line.trim().split_once(' ') else {
            continue;
        };
        let Some((_, value)) = reading.split_once('=') else {
            continue;
        };
        let (at, rail, value) = match (name.strip_suffix("_A"), name.strip_suffix("_V")) {
            (Some(rail), _) => (0, rail, value.strip_suffix('A')),
            (_, Some(rail)) => (1, rail, value.strip_suffix('V')),
            _ => continue,
        };
        let value = value.and_then(|value| value.parse::<f64>().ok());
        rails.entry(rail).or_default()[at] = value.filter(|value| value.is_finite());
    }
    let products: Vec<f64> = rails
        .values()
        .filter_map(|[current, voltage]| Some((*current)? * (*voltage)?))
        .collect();
    (!products.is_empty()).then(|| Watts(products.iter().sum()))
}

impl Sensor for Pmic {
    fn info(&self) -> &Info {
        &self.info
    }

    fn sample(&mut self) -> Result<Option<Watts>, PowerError> {
        let unreadable = |reason: String| PowerError::Unreadable { name: NAME, reason };
        let text = output(&self.program, &["pmic_read_adc"]).map_err(|error| unreadable(error.to_string()))?;
        let watts =
            power(&text).ok_or_else(|| unreadable("vcgencmd names no rail with voltage and current".to_owned()))?;
        Ok(Some(watts))
    }
}
