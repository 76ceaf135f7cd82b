//! Units behind numbers in a condition.

use crate::units::{
    ByteRate, Bytes, FlopRate, Flops, Grams, Hertz, Joules, JoulesPerByte, JoulesPerFlop, Seconds, WattHours, Watts,
};

/// Seconds of an hour, joules of a watt-hour.
const HOUR: f64 = 3600.0;
/// Masses of a table are in kilograms.
const KILOGRAM: f64 = 1000.0;

/// What a number is a number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Bytes,
    Seconds,
    Joules,
    Watts,
    Operations,
    BytesPerSecond,
    OperationsPerSecond,
    Hertz,
    JoulesPerByte,
    JoulesPerOperation,
    Kilograms,
    TokensPerSecond,
}

impl Dimension {
    /// As the rest of a sentence.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Bytes => "a number of bytes",
            Self::Seconds => "a number of seconds",
            Self::Joules => "a number of joules",
            Self::Watts => "a number of watts",
            Self::Operations => "a number of operations",
            Self::BytesPerSecond => "a number of bytes per second",
            Self::OperationsPerSecond => "a number of operations per second",
            Self::Hertz => "a number of hertz",
            Self::JoulesPerByte => "a number of joules per byte",
            Self::JoulesPerOperation => "a number of joules per operation",
            Self::Kilograms => "a number of kilograms",
            Self::TokensPerSecond => "a number of tokens per second",
        }
    }

    /// That of a column, whose name says its unit; none if it is a count or a ratio. What is per token is of what there is per token.
    pub fn of_column(name: &str) -> Option<Self> {
        let name = name
            .strip_suffix("_low")
            .or_else(|| name.strip_suffix("_high"))
            .unwrap_or(name);
        let name = name.strip_suffix("_per_token").unwrap_or(name);
        let name = name.strip_suffix("_per_million_tokens").unwrap_or(name);
        let units = [
            ("_tokens_per_s", Some(Self::TokensPerSecond)),
            ("_j_s", None),
            ("_bytes", Some(Self::Bytes)),
            ("_s", Some(Self::Seconds)),
            ("_j", Some(Self::Joules)),
            ("flops", Some(Self::Operations)),
            ("_kg", Some(Self::Kilograms)),
        ];
        units.into_iter().find(|(suffix, _)| name.ends_with(suffix))?.1
    }
}

/// How much one of a unit is in the unit of the columns, and of what; none if there is no such unit.
pub(super) fn value(unit: &str) -> Option<(f64, Option<Dimension>)> {
    match unit {
        "%" => return Some((0.01, None)),
        "min" => return Some((60.0, Some(Dimension::Seconds))),
        "h" => return Some((HOUR, Some(Dimension::Seconds))),
        "tokens" => return Some((1.0, None)),
        "tokens/s" => return Some((1.0, Some(Dimension::TokensPerSecond))),
        _ => {}
    }
    let one = format!("1 {unit}");
    let one = one.as_str();
    let of = |dimension| move |value| (value, Some(dimension));
    None.or_else(|| one.parse().map(Bytes::get).map(of(Dimension::Bytes)).ok())
        .or_else(|| one.parse().map(Seconds::get).map(of(Dimension::Seconds)).ok())
        .or_else(|| one.parse().map(Joules::get).map(of(Dimension::Joules)).ok())
        .or_else(|| one.parse().map(Watts::get).map(of(Dimension::Watts)).ok())
        .or_else(|| {
            let energy = one.parse().map(|energy: WattHours| energy.get() * HOUR);
            energy.map(of(Dimension::Joules)).ok()
        })
        .or_else(|| one.parse().map(Flops::get).map(of(Dimension::Operations)).ok())
        .or_else(|| one.parse().map(ByteRate::get).map(of(Dimension::BytesPerSecond)).ok())
        .or_else(|| {
            one.parse()
                .map(FlopRate::get)
                .map(of(Dimension::OperationsPerSecond))
                .ok()
        })
        .or_else(|| one.parse().map(Hertz::get).map(of(Dimension::Hertz)).ok())
        .or_else(|| {
            one.parse()
                .map(JoulesPerByte::get)
                .map(of(Dimension::JoulesPerByte))
                .ok()
        })
        .or_else(|| {
            one.parse()
                .map(JoulesPerFlop::get)
                .map(of(Dimension::JoulesPerOperation))
                .ok()
        })
        .or_else(|| {
            let mass = one.parse().map(|mass: Grams| mass.get() / KILOGRAM);
            mass.map(of(Dimension::Kilograms)).ok()
        })
}

#[cfg(test)]
mod tests {
    use super::{Dimension, value};
    use crate::output::{COLUMNS, Values};

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
            let (found, _) = value(unit).unwrap_or((f64::NAN, None));
            assert!((found / expected - 1.0).abs() < 1e-12, "{unit}: {found}");
        }
        assert_eq!(value("furlong"), None);
        assert_eq!(value(""), None);
    }

    /// The names of the columns are what their dimensions are taken from, so each that says a unit must have been understood.
    #[test]
    fn columns_say_their_dimension() {
        let of = |dimension| {
            let columns = COLUMNS
                .iter()
                .filter(|column| !matches!(column.values, Values::Text(_)));
            let names = columns.filter(|column| Dimension::of_column(column.name) == dimension);
            names.map(|column| column.name).collect::<Vec<_>>().join(" ")
        };
        insta::assert_snapshot!(format!(
            "bytes: {}\n\nseconds: {}\n\njoules: {}\n\noperations: {}\n\nkilograms: {}\n\ntokens/s: {}\n\nnone: {}",
            of(Some(Dimension::Bytes)),
            of(Some(Dimension::Seconds)),
            of(Some(Dimension::Joules)),
            of(Some(Dimension::Operations)),
            of(Some(Dimension::Kilograms)),
            of(Some(Dimension::TokensPerSecond)),
            of(None)
        ));
    }
}
