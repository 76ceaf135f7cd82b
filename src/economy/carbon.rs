//! The carbon that energy from a grid stands for.

use super::money::joules;
use crate::units::Grams;
use std::str::FromStr;

/// Carbon dioxide (or its equivalent) for energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarbonIntensity {
    /// Kilograms for a joule.
    pub kg_per_joule: f64,
}

/// Why a text is no carbon intensity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no carbon intensity; write it as for example `400 gCO2/kWh` or `0.4 kg/kWh`")]
pub struct CarbonError {
    /// as written
    text: String,
}

impl FromStr for CarbonIntensity {
    type Err = CarbonError;

    fn from_str(text: &str) -> Result<Self, CarbonError> {
        let read = || {
            let (mass, energy) = text.split_once('/')?;
            let mass = mass.trim();
            // What the mass is of, as people write it: CO2, CO₂, CO2e, CO2eq.
            let mass = match mass.find(['C', 'c']) {
                Some(at) => {
                    let gas = mass[at..].to_lowercase().replace('₂', "2");
                    matches!(gas.as_str(), "co2" | "co2e" | "co2eq" | "co2-eq").then(|| &mass[..at])?
                }
                None => mass,
            };
            let kilograms = mass.parse::<Grams>().ok()?.get() / 1000.0;
            Some(kilograms / joules(energy.trim())?.get())
        };
        read()
            .filter(|kg_per_joule| kg_per_joule.is_finite())
            .map(|kg_per_joule| Self { kg_per_joule })
            .ok_or_else(|| CarbonError {
                text: text.trim().to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grams_and_kilograms_a_kilowatt_hour_are_read() {
        // 0.4 kg / 3.6e6 J
        for text in [
            "400gCO2/kWh",
            "400 g/kWh",
            "0.4 kg CO2e/kWh",
            "400 gCO₂/kWh",
            "400 kgCO2eq/MWh",
        ] {
            let intensity: CarbonIntensity = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert!((intensity.kg_per_joule / 1.111_111_111e-7 - 1.0).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_an_error() {
        for text in [
            "",
            "400",
            "400 g",
            "g/kWh",
            "400 gCH4/kWh",
            "-1 g/kWh",
            "NaN g/kWh",
            "400 g/kW",
            "c/kWh",
            "€/kWh",
        ] {
            assert!(text.parse::<CarbonIntensity>().is_err(), "{text:?}");
        }
    }
}
