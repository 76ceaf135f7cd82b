//! Numbers as people read them. Prefixes exist only here: everywhere else values are in base SI units.

use crate::economy::Currency;
use std::io::Write as _;

/// A number with its prefix and unit, to four significant digits.
fn scaled(value: f64, unit: &str, prefixes: &[(&str, f64)]) -> String {
    let Some(&last) = prefixes.last() else {
        return format!("{value} {unit}");
    };
    // The first prefix under which four digits show at least one before the point.
    let (prefix, factor) = prefixes
        .iter()
        .copied()
        .find(|&(_, factor)| value.abs() >= 0.9995 * factor)
        .unwrap_or(last);
    format!("{} {prefix}{unit}", significant(value / factor, 4))
}

/// From here on digits in full are no longer read: a number has an exponent.
const ASTRONOMIC: f64 = 1e18;

/// A number to so many significant digits, without an exponent unless it is astronomic.
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if value.abs() >= ASTRONOMIC {
        return format!("{value:.*e}", digits.saturating_sub(1));
    }
    #[allow(clippy::cast_possible_truncation)] // the exponent of a finite f64
    let exponent = value.abs().log10().floor() as i64;
    let decimals = usize::try_from(digits as i64 - 1 - exponent).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    // Rounding may have carried into a further digit: 9.9996 is 10.000, which has one digit too many.
    let shown = text
        .chars()
        .filter(char::is_ascii_digit)
        .skip_while(|&digit| digit == '0')
        .count();
    if shown > digits && decimals > 0 {
        format!("{value:.*}", decimals - 1)
    } else {
        text
    }
}

const DECIMAL: [(&str, f64); 9] = [
    ("P", 1e15),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("", 1.0),
    ("m", 1e-3),
    ("µ", 1e-6),
    ("n", 1e-9),
];
const LARGE: [(&str, f64); 6] = [("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0)];
const SMALL: [(&str, f64); 5] = [("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9), ("p", 1e-12)];
const BINARY: [(&str, f64); 5] = [
    ("Ti", 1_099_511_627_776.0),
    ("Gi", 1_073_741_824.0),
    ("Mi", 1_048_576.0),
    ("Ki", 1024.0),
    ("", 1.0),
];

/// An amount of memory: `636.2 MiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else {
        scaled(value, "B", &BINARY)
    }
}

/// A duration: `15.45 s`, `3.214 ms`, `12.30 min`.
#[must_use]
pub fn seconds(value: f64) -> String {
    if value == 0.0 {
        return "0 s".to_owned();
    }
    if value >= 600.0 {
        return format!("{} min", significant(value / 60.0, 4));
    }
    scaled(value, "s", &SMALL)
}

/// A rate of tokens to three digits: `18.3`, or as a whole number: `1 024`.
#[must_use]
pub fn rate(value: f64) -> String {
    if value < 1000.0 {
        significant(value, 3)
    } else {
        count(value)
    }
}

/// An energy: `1.210 J`.
#[must_use]
pub fn joules(value: f64) -> String {
    scaled(value, "J", &DECIMAL)
}

/// A mass: `316.7 g`, `1.200 kg`.
#[must_use]
pub fn kilograms(value: f64) -> String {
    if value == 0.0 {
        "0 g".to_owned()
    } else {
        scaled(1000.0 * value, "g", &DECIMAL)
    }
}

/// An amount of money, to the hundredth from one on and to three digits below: `97.00 USD`, `0.158 USD`.
#[must_use]
pub fn money(amount: f64, currency: Option<&Currency>) -> String {
    let text = match amount.abs() {
        size if size >= 1000.0 => count(amount),
        size if size >= 1.0 => format!("{amount:.2}"),
        _ => significant(amount, 3),
    };
    currency.map_or_else(|| text.clone(), |currency| format!("{text} {currency}"))
}

/// Seconds of a year of 365.25 days.
pub const YEAR_S: f64 = 31_557_600.0;

/// A long time in the unit that suits it: `33.60 s`, `12.30 min`, `3.40 h`, `2.10 days`, `14.9 years`.
#[must_use]
pub fn long_time(seconds: f64) -> String {
    const UNITS: [(&str, f64); 4] = [("years", YEAR_S), ("days", 86_400.0), ("h", 3600.0), ("min", 60.0)];
    match UNITS.iter().find(|(_, unit)| seconds >= 2.0 * unit) {
        Some((name, unit)) if seconds / unit < 1000.0 => format!("{} {name}", significant(seconds / unit, 3)),
        Some((name, unit)) => format!("{} {name}", count(seconds / unit)),
        None => self::seconds(seconds),
    }
}

/// A number of operations: `2.235 GFLOP`.
#[must_use]
pub fn flops(value: f64) -> String {
    scaled(value, "FLOP", &LARGE)
}

/// A value in a base unit, with the prefixes that go with it: `17.10 GB/s`, `2.400 GHz`, `8.000 GiB`, `60.00 pJ/B`; a count has no
/// unit.
#[must_use]
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "B" => bytes(value),
        "" => count(value),
        "s" => seconds(value),
        "J/B" | "J/FLOP" => scaled(value, unit, &SMALL),
        "J" | "W" => scaled(value, unit, &DECIMAL),
        _ => scaled(value, unit, &LARGE),
    }
}

/// A whole number with its digits in groups of three: `1 100 048 384`.
#[must_use]
pub fn count(value: f64) -> String {
    if value.abs() >= ASTRONOMIC {
        return significant(value, 4);
    }
    let digits = format!("{:.0}", value.abs());
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0.0 {
        grouped.push('-');
    }
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number as a program reads it: to twelve digits, which no order of additions changes, in base units and without a prefix.
#[must_use]
pub fn plain(value: f64) -> String {
    let mut text = Vec::with_capacity(24);
    write_plain(&mut text, value);
    String::from_utf8(text).unwrap_or_default()
}

/// Writes [`plain`], for tables of millions of rows.
pub fn write_plain(text: &mut Vec<u8>, value: f64) {
    let mut scientific = [0_u8; 32];
    let mut rest = &mut scientific[..];
    // It is at most `-1.23456789012e-308`, and writing to memory does not fail.
    let _ = write!(rest, "{value:.11e}");
    let left = rest.len();
    let written = &scientific[..scientific.len() - left];
    let Some(at) = written.iter().position(|&byte| byte == b'e') else {
        // Infinite, or no number.
        text.extend_from_slice(written);
        return;
    };
    let exponent = std::str::from_utf8(&written[at + 1..]).unwrap_or_default();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let mut digits = [0_u8; 12];
    let mut len = 0;
    for &byte in &written[..at] {
        if byte.is_ascii_digit() && len < digits.len() {
            digits[len] = byte;
            len += 1;
        } else if byte == b'-' {
            text.push(b'-');
        }
    }
    while len > 1 && digits[len - 1] == b'0' {
        len -= 1;
    }
    let digits = &digits[..len];
    // Digits before the point.
    match usize::try_from(exponent + 1) {
        Ok(0) | Err(_) => {
            text.extend_from_slice(b"0.");
            text.resize(text.len() + usize::try_from(-1 - exponent).unwrap_or_default(), b'0');
            text.extend_from_slice(digits);
        }
        Ok(whole) if whole >= len => {
            text.extend_from_slice(digits);
            text.resize(text.len() + whole - len, b'0');
        }
        Ok(whole) => {
            text.extend_from_slice(&digits[..whole]);
            text.push(b'.');
            text.extend_from_slice(&digits[whole..]);
        }
    }
}

/// A number of parameters to three digits, as models are named by it: `1.24B`, `494M`.
#[must_use]
pub fn parameters(value: f64) -> String {
    let (unit, name) = if value >= 999.5e6 { (1e9, "B") } else { (1e6, "M") };
    format!("{}{name}", significant(value / unit, 3))
}

/// A share as a percentage: `12.3 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_leave_one_to_three_digits_before_the_point() {
        assert_eq!(bytes(667_078_656.0), "636.2 MiB");
        assert_eq!(bytes(8_589_934_592.0), "8.000 GiB");
        assert_eq!(seconds(0.003_214), "3.214 ms");
        assert_eq!(seconds(15.4481), "15.45 s");
        assert_eq!(quantity(17.1e9, "B/s"), "17.10 GB/s");
        assert_eq!(quantity(60e-12, "J/B"), "60.00 pJ/B");
        assert_eq!(flops(2.2351e9), "2.235 GFLOP");
    }

    #[test]
    fn money_mass_and_long_times_are_told_as_people_tell_them() {
        assert_eq!(money(0.158_333, Currency::from_code("usd").as_ref()), "0.158 USD");
        assert_eq!(
            (money(598.8, None), money(12_345.6, None)),
            ("598.80".to_owned(), "12 346".to_owned())
        );
        assert_eq!(
            (kilograms(0.316_667), kilograms(0.0)),
            ("316.7 g".to_owned(), "0 g".to_owned())
        );
        // 15 · 365.25 days; 3391.2 s = 56.52 min
        assert_eq!(long_time(473_364_000.0), "15.0 years");
        assert_eq!(long_time(3391.2), "56.5 min");
        assert_eq!(long_time(33.6), "33.60 s");
        assert_eq!(long_time(3.6e12), "114 077 years");
    }

    #[test]
    fn rounding_never_shows_a_digit_too_many() {
        assert_eq!(significant(9.9996, 4), "10.00");
        assert_eq!(significant(999.96, 4), "1000");
        assert_eq!(significant(0.099_999, 3), "0.100");
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(123_456.0, 3), "123456");
    }

    #[test]
    fn parameters_are_told_as_models_are_named() {
        assert_eq!(parameters(1_235_814_432.0), "1.24B");
        assert_eq!(parameters(494_032_768.0), "494M");
        assert_eq!(parameters(999_885_952.0), "1.00B");
    }

    #[test]
    fn plain_numbers_have_twelve_digits_and_no_exponent() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1 + 0.2, "0.3"),
            (667_078_656.0, "667078656"),
            (-1.25e-7, "-0.000000125"),
            (1.0 / 3.0, "0.333333333333"),
            (9.999_999_999_999_9, "10"),
            (1e15, "1000000000000000"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(plain(value), shown);
        }
        assert_eq!(plain(f64::NAN), "NaN");
    }

    proptest::proptest! {
        #[test]
        fn a_plain_number_is_the_shortest_text_of_its_twelve_digits(value in proptest::num::f64::ANY) {
            let rounded: f64 = format!("{value:.11e}").parse().unwrap_or(value);
            proptest::prop_assert_eq!(plain(value), rounded.to_string());
        }
    }

    #[test]
    fn what_is_astronomic_has_an_exponent() {
        assert_eq!(count(2.5e20), "2.500e20");
        assert_eq!(count(9.99e17), "999 000 000 000 000 000");
        assert_eq!(joules(3.6e303), "3.600e288 PJ");
        assert_eq!(long_time(YEAR_S * 1e30), "1.000e30 years");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(1_100_048_384.0), "1 100 048 384");
        assert_eq!(count(512.0), "512");
        assert_eq!(count(0.0), "0");
    }
}
