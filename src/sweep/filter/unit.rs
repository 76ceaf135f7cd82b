//! Units behind numbers in a condition.

use crate::units::{
    ByteRate, Bytes, FlopRate, Flops, Grams, Hertz, Joules, JoulesPerByte, JoulesPerFlop, Seconds, WattHours, Watts,
};

/// Seconds of an hour, joules of a watt-hour.
const HOUR: f64 = 3600.0;
/// Masses of a table are in kilograms.
const KILOGRAM: f64 = 1000.0;

/// How much one of a unit is in the unit of the columns; none if there is no such unit.
pub(super) fn value(unit: &str) -> Option<f64> {
    match unit {
        "%" => return Some(0.01),
        "min" => return Some(60.0),
        "h" => return Some(HOUR),
        "tokens" | "tokens/s" => return Some(1.0),
        _ => {}
    }
    let one = format!("1 {unit}");
    let one = one.as_str();
    None.or_else(|| one.parse().map(Bytes::get).ok())
        .or_else(|| one.parse().map(Seconds::get).ok())
        .or_else(|| one.parse().map(Joules::get).ok())
        .or_else(|| one.parse().map(Watts::get).ok())
        .or_else(|| one.parse().map(|energy: WattHours| energy.get() * HOUR).ok())
        .or_else(|| one.parse().map(Flops::get).ok())
        .or_else(|| one.parse().map(ByteRate::get).ok())
        .or_else(|| one.parse().map(FlopRate::get).ok())
        .or_else(|| one.parse().map(Hertz::get).ok())
        .or_else(|| one.parse().map(JoulesPerByte::get).ok())
        .or_else(|| one.parse().map(JoulesPerFlop::get).ok())
        .or_else(|| one.parse().map(|mass: Grams| mass.get() / KILOGRAM).ok())
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn units_are_those_of_the_columns() {
        for (unit, expected) in [
            ("GiB", 1_073_741_824.0),
            ("GB", 1e9),
            ("ms", 1e-3),
            ("min", 60.0),
            ("Wh", 3600.0),
            ("kWh", 3.6e6),
            ("mJ", 1e-3),
            ("g", 1e-3),
            ("kg", 1.0),
            ("GB/s", 1e9),
            ("%", 0.01),
        ] {
            let found = value(unit).unwrap_or(f64::NAN);
            assert!((found / expected - 1.0).abs() < 1e-12, "{unit}: {found}");
        }
        assert_eq!(value("furlong"), None);
        assert_eq!(value(""), None);
    }
}
