//! Physical quantities as newtypes over `f64`, in base SI units (bytes, FLOPs, seconds, watts, joules).
//!
//! A data file states a quantity as text with its unit (`"17.1 GB/s"`, `"8 GiB"`, `"2.4 GHz"`); a bare number is an error.
//! Decimal prefixes (k, M, G, T, P) are powers of 1000 and binary ones (Ki, Mi, Gi, Ti) powers of 1024, without exception.

use serde::{Deserialize, Deserializer};
use std::fmt;
use std::ops::{Add, Div, Mul, Sub};

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantityError {
    /// The text has a number and no unit.
    #[error("`{text}` has no unit; write it as for example `{example}`")]
    MissingUnit {
        /// the text as written
        text: String,
        /// a well-formed quantity of the same kind
        example: &'static str,
    },
    /// The unit is not one of this quantity's.
    #[error("`{unit}` is not a unit of {kind}; write it as for example `{example}`")]
    WrongUnit {
        /// the unit as written
        unit: String,
        /// what is measured
        kind: &'static str,
        /// a well-formed quantity of the same kind
        example: &'static str,
    },
    /// The text does not begin with a number.
    #[error("`{text}` does not begin with a number; write it as for example `{example}`")]
    NotANumber {
        /// the text as written
        text: String,
        /// a well-formed quantity of the same kind
        example: &'static str,
    },
    /// The number is negative, infinite or not a number.
    #[error("`{text}` is not a finite number of zero or more")]
    OutOfRange {
        /// the text as written
        text: String,
    },
}

/// The power of ten and the power of 1024 of a unit prefix: decimal `k M G T P E`, binary `Ki Mi Gi Ti`, fractions `m u µ n p`, or none.
fn prefix_powers(prefix: &str) -> Option<(i32, i32)> {
    Some(match prefix {
        "" => (0, 0),
        "k" | "K" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 1),
        "Mi" => (0, 2),
        "Gi" => (0, 3),
        "Ti" => (0, 4),
        "m" => (-3, 0),
        "u" | "µ" => (-6, 0),
        "n" => (-9, 0),
        "p" => (-12, 0),
        _ => return None,
    })
}

/// `number · 10^power`, rounded once, so that `17.1 GB/s` is the very number `17.1e9`.
fn scale_decimal(number: &str, power: i32) -> Option<f64> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent = exponent.parse::<i32>().ok()?.checked_add(power)?;
    format!("{mantissa}e{exponent}").parse().ok()
}

/// The value in base units of a text such as `17.1 GB/s`, where `base_units` lists the accepted spellings of the unit itself.
fn parse_quantity(
    text: &str,
    base_units: &[&str],
    kind: &'static str,
    example: &'static str,
) -> Result<f64, QuantityError> {
    let text = text.trim();
    let split = text
        .char_indices()
        .find(|&(at, c)| {
            let exponent_sign = (c == '-' || c == '+') && at > 0 && text[..at].ends_with(['e', 'E']);
            let exponent = (c == 'e' || c == 'E')
                && text[at + 1..].starts_with(|d: char| d.is_ascii_digit() || d == '-' || d == '+');
            let leading_sign = at == 0 && (c == '-' || c == '+');
            !(c.is_ascii_digit() || c == '.' || c == '_' || exponent || exponent_sign || leading_sign)
        })
        .map_or(text.len(), |(at, _)| at);
    let (number, unit) = (text[..split].replace('_', ""), text[split..].trim());
    if number.parse::<f64>().is_err() {
        return Err(QuantityError::NotANumber {
            text: text.to_owned(),
            example,
        });
    }
    if unit.is_empty() {
        return Err(QuantityError::MissingUnit {
            text: text.to_owned(),
            example,
        });
    }
    let (ten, binary) = base_units
        .iter()
        .filter_map(|base| unit.strip_suffix(base))
        .find_map(prefix_powers)
        .ok_or_else(|| QuantityError::WrongUnit {
            unit: unit.to_owned(),
            kind,
            example,
        })?;
    scale_decimal(&number, ten)
        .map(|value| value * 1024_f64.powi(binary))
        .filter(|value| value.is_finite() && *value >= 0.0)
        .ok_or_else(|| QuantityError::OutOfRange { text: text.to_owned() })
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $units:expr, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl $name {
            /// The value in base units.
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }
        }
        impl std::str::FromStr for $name {
            type Err = QuantityError;
            fn from_str(text: &str) -> Result<Self, QuantityError> {
                parse_quantity(text, $units, $kind, $example).map(Self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        write!(f, "{} with its unit as text, for example \"{}\"", $kind, $example)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }
        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 {
                self.0 / other.0
            }
        }
        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                Self(items.map(|item| item.0).sum())
            }
        }
    };
}

quantity!(
    /// An amount of memory, bytes.
    Bytes, "an amount of memory", &["B", "bytes"], "8 GiB"
);
quantity!(
    /// A number of floating-point (or integer multiply-accumulate) operations; one multiply-add counts two.
    Flops, "a number of operations", &["FLOP", "OP"], "2 GFLOP"
);
quantity!(
    /// A duration, seconds.
    Seconds, "a duration", &["s"], "60 ms"
);
quantity!(
    /// A data rate, bytes per second.
    ByteRate, "a data rate", &["B/s"], "17.1 GB/s"
);
quantity!(
    /// A rate of operations, per second.
    FlopRate, "a rate of operations", &["FLOP/s", "FLOPS", "OP/s", "OPS"], "153.5 GFLOP/s"
);
quantity!(
    /// A frequency, hertz.
    Hertz, "a frequency", &["Hz"], "2.4 GHz"
);
quantity!(
    /// A power, watts.
    Watts, "a power", &["W"], "2.8 W"
);
quantity!(
    /// An energy, joules.
    Joules, "an energy", &["J"], "2.85 J"
);
quantity!(
    /// An energy as batteries and meters state it, watt-hours.
    WattHours, "an energy", &["Wh"], "18.84 Wh"
);
quantity!(
    /// A charge as batteries state it, ampere-hours.
    AmpereHours, "a charge", &["Ah"], "5000 mAh"
);
quantity!(
    /// A voltage, volts.
    Volts, "a voltage", &["V"], "3.85 V"
);
quantity!(
    /// A mass, grams: the unit that takes the prefixes.
    Grams, "a mass", &["g"], "400 g"
);
quantity!(
    /// Energy per operation, joules.
    JoulesPerFlop, "an energy per operation", &["J/FLOP", "J/OP"], "1 pJ/FLOP"
);
quantity!(
    /// Energy per byte moved, joules.
    JoulesPerByte, "an energy per byte", &["J/B"], "60 pJ/B"
);

/// Seconds of an hour: joules of a watt-hour.
const SECONDS_PER_HOUR: f64 = 3600.0;

impl From<WattHours> for Joules {
    fn from(energy: WattHours) -> Self {
        Self(energy.0 * SECONDS_PER_HOUR)
    }
}

macro_rules! ratio {
    ($numerator:ident / $denominator:ident = $quotient:ident) => {
        impl Div<$denominator> for $numerator {
            type Output = $quotient;
            fn div(self, other: $denominator) -> $quotient {
                $quotient(self.0 / other.0)
            }
        }
    };
}
ratio!(Bytes / ByteRate = Seconds);
ratio!(Flops / FlopRate = Seconds);

macro_rules! product {
    ($left:ident * $right:ident = $product:ident) => {
        impl Mul<$right> for $left {
            type Output = $product;
            fn mul(self, other: $right) -> $product {
                $product(self.0 * other.0)
            }
        }
    };
}
product!(Watts * Seconds = Joules);
product!(AmpereHours * Volts = WattHours);
product!(Flops * JoulesPerFlop = Joules);
product!(Bytes * JoulesPerByte = Joules);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_unit_is_read_in_base_units() {
        assert_eq!("17.1 GB/s".parse(), Ok(ByteRate(17.1e9)));
        assert_eq!("8 GiB".parse(), Ok(Bytes(8_589_934_592.0)));
        assert_eq!("2.4GHz".parse(), Ok(Hertz(2.4e9)));
        assert_eq!("60 pJ/B".parse(), Ok(JoulesPerByte(60e-12)));
        assert_eq!("1e-3 s".parse(), Ok(Seconds(1e-3)));
        assert_eq!("614 GOPS".parse(), Ok(FlopRate(614e9)));
    }

    #[test]
    fn a_bare_number_a_wrong_unit_and_nonsense_are_errors() {
        assert!(matches!(
            "17.1".parse::<ByteRate>(),
            Err(QuantityError::MissingUnit { .. })
        ));
        assert!(matches!(
            "17.1 GB".parse::<ByteRate>(),
            Err(QuantityError::WrongUnit { .. })
        ));
        assert!(matches!(
            "fast".parse::<ByteRate>(),
            Err(QuantityError::NotANumber { .. })
        ));
        assert!(matches!(
            "NaN GB/s".parse::<ByteRate>(),
            Err(QuantityError::NotANumber { .. })
        ));
        assert!(matches!(
            "-1 GB/s".parse::<ByteRate>(),
            Err(QuantityError::OutOfRange { .. })
        ));
        assert!(matches!(
            "1e400 GB/s".parse::<ByteRate>(),
            Err(QuantityError::OutOfRange { .. })
        ));
    }
}
