//! The energy in a battery.

use crate::units::{AmpereHours, Joules, QuantityError, Volts, WattHours};
use std::str::FromStr;

/// The energy in a charged battery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Battery(pub Joules);

/// Why a text is no energy of a battery.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BatteryError {
    /// A charge without the voltage that makes it an energy.
    #[error("`{text}` is a charge; its energy needs the nominal voltage, as in `5000 mAh @ 3.85 V`")]
    NoVoltage {
        /// as written
        text: String,
    },
    /// Neither an energy nor a charge at a voltage.
    #[error("`{text}` is no energy of a battery; write it as for example `18.84 Wh`, `67.8 kJ` or `5000 mAh @ 3.85 V`")]
    NotABattery {
        /// as written
        text: String,
    },
    /// An empty battery.
    #[error("the energy of a battery must be above zero")]
    Empty,
    /// The charge or the voltage is not one.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
}

impl FromStr for Battery {
    type Err = BatteryError;

    fn from_str(text: &str) -> Result<Self, BatteryError> {
        let text = text.trim();
        let energy = if let Some((charge, voltage)) = text.split_once('@') {
            Joules::from(charge.parse::<AmpereHours>()? * voltage.parse::<Volts>()?)
        } else if let Ok(energy) = text.parse::<WattHours>() {
            energy.into()
        } else if let Ok(energy) = text.parse::<Joules>() {
            energy
        } else if text.parse::<AmpereHours>().is_ok() {
            return Err(BatteryError::NoVoltage { text: text.to_owned() });
        } else {
            return Err(BatteryError::NotABattery { text: text.to_owned() });
        };
        match energy.get() {
            joules if joules > 0.0 && joules.is_finite() => Ok(Self(energy)),
            _ => Err(BatteryError::Empty),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joules(text: &str) -> f64 {
        text.parse::<Battery>().map_or(f64::NAN, |battery| battery.0.get())
    }

    #[test]
    fn watt_hours_joules_and_charges_at_a_voltage_are_energies() {
        // A Galaxy S24 Ultra: 18.84 Wh · 3600 s/h = 67 824 J (arXiv 2503.09114, section 6.2)
        assert!((joules("18.84Wh") - 67_824.0).abs() < 1e-6);
        assert!((joules("67.824 kJ") - 67_824.0).abs() < 1e-6);
        // 5 Ah · 3.85 V = 19.25 Wh
        assert!((joules("5000 mAh @ 3.85 V") - 69_300.0).abs() < 1e-6);
        assert!((joules("5000mAh@3.85V") - 69_300.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_energy_says_what_is_missing() {
        let wrong = |text: &str| text.parse::<Battery>().err();
        assert!(matches!(wrong("5000 mAh"), Some(BatteryError::NoVoltage { .. })));
        assert!(matches!(wrong("18.84"), Some(BatteryError::NotABattery { .. })));
        assert!(matches!(wrong(""), Some(BatteryError::NotABattery { .. })));
        assert!(matches!(wrong("0 Wh"), Some(BatteryError::Empty)));
        assert!(matches!(wrong("5 Ah @ fast"), Some(BatteryError::Quantity(_))));
        assert!(matches!(wrong("1e308 kJ"), Some(BatteryError::NotABattery { .. })));
    }
}
