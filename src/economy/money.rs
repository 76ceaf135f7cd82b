//! Amounts of money, and prices of energy and of tokens.

use crate::units::{Joules, WattHours};
use std::fmt;
use std::str::FromStr;

/// A currency by its ISO 4217 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of a code of three letters, whatever their case.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// An amount of money, in whole units of its currency (a cent is 0.01).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Money {
    /// The amount.
    pub amount: f64,
    /// The currency; none if it was not said.
    pub currency: Option<Currency>,
}

/// The price of energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnergyPrice {
    /// Money for a joule.
    pub per_joule: f64,
    /// The currency; none if it was not said.
    pub currency: Option<Currency>,
}

/// What a service takes for tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApiPrice {
    /// Money for a million input tokens.
    pub input: f64,
    /// Money for a million output tokens.
    pub output: f64,
    /// The currency; none if it was not said.
    pub currency: Option<Currency>,
}

/// Why a text is not money, or not a price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// No number, or more around it than a currency.
    #[error("`{text}` is not an amount of money; write it as for example `0.20`, `$0.20`, `0.20 EUR` or `20 cents`")]
    NotMoney {
        /// as written
        text: String,
    },
    /// A currency by no sign or code that is known.
    #[error("`{name}` is not a currency; use its code of three letters such as `EUR`, one of $ € £ ¥, or `cents`")]
    NotACurrency {
        /// as written
        name: String,
    },
    /// An amount without the energy that it buys.
    #[error("`{text}` does not say for how much energy; write it as for example `0.20 EUR/kWh` or `20 cents/kWh`")]
    NoEnergy {
        /// as written
        text: String,
    },
    /// The energy has no unit of energy.
    #[error("`{unit}` is not a unit of energy; write the price as for example `0.20 EUR/kWh`")]
    NotEnergy {
        /// as written
        unit: String,
    },
    /// Not a price of input and one of output tokens.
    #[error(
        "`{text}` is not two prices; write those of a million input and of a million output tokens as for example `0.15,0.60`"
    )]
    NotTwo {
        /// as written
        text: String,
    },
    /// Prices in two currencies.
    #[error("{first} and {second} are two currencies, and edgeprof knows no rate of exchange; state all prices in one")]
    TwoCurrencies {
        /// the one
        first: Currency,
        /// the other
        second: Currency,
    },
}

/// The one currency of two amounts, where what has none goes with any.
pub(crate) fn common(first: Option<Currency>, second: Option<Currency>) -> Result<Option<Currency>, MoneyError> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => Err(MoneyError::TwoCurrencies { first, second }),
        (first, second) => Ok(first.or(second)),
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let not_money = || MoneyError::NotMoney {
            text: text.trim().to_owned(),
        };
        let part_of_number = |c: char| c.is_ascii_digit() || c == '.';
        let first = text.find(part_of_number).ok_or_else(not_money)?;
        let length = text[first..].find(|c| !part_of_number(c)).unwrap_or(text.len() - first);
        let number: f64 = text[first..first + length].parse().map_err(|_| not_money())?;
        let name = match [text[..first].trim(), text[first + length..].trim()] {
            [name, ""] | ["", name] => name,
            _ => return Err(not_money()),
        };
        let (unit, currency) = match name.to_lowercase().as_str() {
            "" => (1.0, None),
            "cent" | "cents" | "ct" | "c" | "¢" => (0.01, None),
            "$" => (1.0, Currency::from_code("USD")),
            "€" => (1.0, Currency::from_code("EUR")),
            "£" => (1.0, Currency::from_code("GBP")),
            "¥" => (1.0, Currency::from_code("JPY")),
            code => match Currency::from_code(code) {
                None if code.contains(|c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | '+')) => {
                    return Err(not_money());
                }
                None => return Err(MoneyError::NotACurrency { name: name.to_owned() }),
                currency => (1.0, currency),
            },
        };
        Some(number * unit)
            .filter(|amount| amount.is_finite())
            .map(|amount| Self { amount, currency })
            .ok_or_else(not_money)
    }
}

impl FromStr for EnergyPrice {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (money, unit) = text.split_once('/').ok_or_else(|| MoneyError::NoEnergy {
            text: text.trim().to_owned(),
        })?;
        let (money, unit) = (money.parse::<Money>()?, unit.trim());
        let energy = joules(unit).ok_or_else(|| MoneyError::NotEnergy { unit: unit.to_owned() })?;
        Ok(Self {
            per_joule: money.amount / energy.get(),
            currency: money.currency,
        })
    }
}

/// The energy of one of a unit: `kWh`, `MWh`, `Wh`, `J`, `MJ`, in any case for the hours.
pub(super) fn joules(unit: &str) -> Option<Joules> {
    let one = format!("1 {unit}");
    let hours = if unit.eq_ignore_ascii_case("kwh") {
        "1 kWh"
    } else {
        &one
    };
    let energy = hours.parse::<WattHours>().map(Joules::from);
    energy.or_else(|_| one.parse::<Joules>()).ok()
}

impl FromStr for ApiPrice {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (input, output) = text.split_once(',').ok_or_else(|| MoneyError::NotTwo {
            text: text.trim().to_owned(),
        })?;
        let (input, output) = (input.parse::<Money>()?, output.parse::<Money>()?);
        Ok(Self {
            input: input.amount,
            output: output.amount,
            currency: common(input.currency, output.currency)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Option<(f64, Option<String>)> {
        let money = text.parse::<Money>().ok()?;
        Some((money.amount, money.currency.map(|currency| currency.to_string())))
    }

    #[test]
    fn money_is_read_with_its_sign_or_code_on_either_side() {
        let dollars = Some((0.2, Some("USD".to_owned())));
        for text in ["$0.20", "0.20$", "USD 0.20", "0.2 usd", " 0.20USD "] {
            assert_eq!(money(text), dollars, "{text}");
        }
        assert_eq!(money("20 cents"), Some((0.2, None)));
        assert_eq!(money("0.20"), Some((0.2, None)));
        assert_eq!(money("€3"), Some((3.0, Some("EUR".to_owned()))));
    }

    #[test]
    fn what_is_no_money_is_an_error() {
        for text in [
            "",
            "free",
            "$",
            "0,20 EUR",
            "1.2.3",
            "$1 USD",
            "-1",
            "1 2",
            "NaN",
            "inf",
            "1e9",
            "0.2 euros",
            "\u{661}",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text:?}");
        }
        assert!(
            format!("{}9", "9".repeat(400)).parse::<Money>().is_err(),
            "beyond a float"
        );
    }

    #[test]
    fn twenty_cents_a_kilowatt_hour_are_56_billionths_a_joule() {
        // 0.20 / 3.6e6 = 5.5556e-8
        for text in ["0.20/kWh", "20 cents/kWh", "$0.20/kWh", "0.20 EUR / kwh", "200 EUR/MWh"] {
            let price: EnergyPrice = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!((price.per_joule / 5.555_555_556e-8 - 1.0).abs() < 1e-9, "{text}");
        }
        let wrong = |text: &str| text.parse::<EnergyPrice>().err();
        assert!(matches!(wrong("0.20"), Some(MoneyError::NoEnergy { .. })));
        assert!(matches!(wrong("0.20/kW"), Some(MoneyError::NotEnergy { .. })));
        assert!(matches!(wrong("0.20/"), Some(MoneyError::NotEnergy { .. })));
        assert!(matches!(wrong("/kWh"), Some(MoneyError::NotMoney { .. })));
    }

    #[test]
    fn an_api_has_two_prices_in_one_currency() {
        let price: Result<ApiPrice, _> = "15 cents,60 cents".parse();
        assert_eq!(price.map(|price| (price.input, price.output)), Ok((0.15, 0.6)));
        assert!(matches!("0.15".parse::<ApiPrice>(), Err(MoneyError::NotTwo { .. })));
        assert!(matches!(
            "$0.15,€0.60".parse::<ApiPrice>(),
            Err(MoneyError::TwoCurrencies { .. })
        ));
    }
}
