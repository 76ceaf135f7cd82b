//! Lists of whole numbers as a command line has them: `512`, `128,512`, `128..8192*2`, `0..4096+512`, and several of these.

use std::str::FromStr;

/// The most numbers that one axis of a sweep can have.
pub const MOST_NUMBERS: usize = 1_000_000;

/// Whole numbers, each once, in the order in which they were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers(pub Vec<u64>);

/// Why a text is no list of whole numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumbersError {
    /// A part is not a whole number.
    #[error("`{text}` is not a whole number; write for example `512`, `128,512`, `128..8192*2` or `0..4096+512`")]
    NotANumber {
        /// the part as written
        text: String,
    },
    /// A range does not say how it goes on.
    #[error("`{text}` does not say how it goes on; `{text}*2` doubles, `{text}+512` adds 512")]
    NoStep {
        /// the range as written
        text: String,
    },
    /// A range ends before it begins.
    #[error("`{text}` ends before it begins")]
    Backwards {
        /// the range as written
        text: String,
    },
    /// A range never reaches its end.
    #[error("`{text}` never ends: {cure}")]
    Endless {
        /// the range as written
        text: String,
        /// what would
        cure: &'static str,
    },
    /// More numbers than an axis can have.
    #[error("`{text}` has more than {MOST_NUMBERS} numbers; take a larger step")]
    TooMany {
        /// the part as written
        text: String,
    },
}

impl FromStr for Numbers {
    type Err = NumbersError;

    fn from_str(text: &str) -> Result<Self, NumbersError> {
        let mut numbers = Vec::new();
        for part in text.split(',') {
            numbers.extend(self::part(part.trim())?);
            if numbers.len() > MOST_NUMBERS {
                return Err(NumbersError::TooMany { text: text.to_owned() });
            }
        }
        Ok(Self(each_once(numbers)))
    }
}

/// The items without those that came before.
pub(super) fn each_once<T: Clone + Eq + std::hash::Hash>(items: Vec<T>) -> Vec<T> {
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    items.into_iter().filter(|item| seen.insert(item.clone())).collect()
}

fn whole(text: &str) -> Result<u64, NumbersError> {
    let digits = text.trim().replace('_', "");
    // A sign would be no digit of a whole number, though `parse` takes a plus.
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain
        .then(|| digits.parse().ok())
        .flatten()
        .ok_or_else(|| NumbersError::NotANumber { text: text.to_owned() })
}

fn part(text: &str) -> Result<Vec<u64>, NumbersError> {
    let Some((first, rest)) = text.split_once("..") else {
        return Ok(vec![whole(text)?]);
    };
    let named = || text.to_owned();
    let Some(at) = rest.find(['*', '+']) else {
        return Err(match (whole(first), whole(rest)) {
            (Ok(_), Ok(_)) => NumbersError::NoStep { text: named() },
            _ => NumbersError::NotANumber { text: named() },
        });
    };
    let (first, last, step) = (whole(first)?, whole(&rest[..at])?, whole(&rest[at + 1..])?);
    if last < first {
        return Err(NumbersError::Backwards { text: named() });
    }
    let cure = match (&rest[at..=at], step) {
        ("+", 0) => Some("add at least 1"),
        ("*", 0 | 1) => Some("multiply by at least 2"),
        ("*", _) if first == 0 => Some("begin at 1 or more, and write `0,` before it if 0 is wanted"),
        _ => None,
    };
    if let Some(cure) = cure {
        return Err(NumbersError::Endless { text: named(), cure });
    }
    let next = |number: &u64| match &rest[at..=at] {
        "+" => number.checked_add(step),
        _ => number.checked_mul(step),
    };
    let numbers: Vec<u64> = std::iter::successors(Some(first), next)
        .take_while(|number| *number <= last)
        .take(MOST_NUMBERS + 1)
        .collect();
    if numbers.len() > MOST_NUMBERS {
        return Err(NumbersError::TooMany { text: named() });
    }
    Ok(numbers)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(text: &str) -> Result<Vec<u64>, NumbersError> {
        text.parse().map(|Numbers(numbers)| numbers)
    }

    #[test]
    fn ranges_multiply_or_add_and_end_with_their_end() {
        assert_eq!(numbers("512"), Ok(vec![512]));
        assert_eq!(numbers("128..1024*2"), Ok(vec![128, 256, 512, 1024]));
        assert_eq!(numbers("128..1000*2"), Ok(vec![128, 256, 512]));
        assert_eq!(numbers("0..1024+512"), Ok(vec![0, 512, 1024]));
        assert_eq!(numbers("0, 1..100*10 ,7,100"), Ok(vec![0, 1, 10, 100, 7]));
        assert_eq!(numbers("1_000..1_000+1"), Ok(vec![1000]));
        let top = u64::MAX - 1;
        assert_eq!(
            numbers(&format!("{top}..{}+1", u64::MAX)),
            Ok(vec![top, u64::MAX]),
            "no overflow"
        );
    }

    #[test]
    fn what_is_no_list_says_why() {
        for text in [
            "",
            ",",
            "a",
            "-1",
            "+1",
            "1.5",
            "1..",
            "..1",
            "1..2*",
            "1..*2",
            "1..2*x",
            "1..2..3",
            "99999999999999999999",
        ] {
            assert!(
                matches!(numbers(text), Err(NumbersError::NotANumber { .. })),
                "{text}: {:?}",
                numbers(text)
            );
        }
        assert!(matches!(numbers("1..8"), Err(NumbersError::NoStep { .. })));
        assert!(matches!(numbers("8..1+1"), Err(NumbersError::Backwards { .. })));
        for text in ["1..8+0", "1..8*1", "1..8*0", "0..8*2"] {
            assert!(matches!(numbers(text), Err(NumbersError::Endless { .. })), "{text}");
        }
        assert!(matches!(numbers("0..4294967296+1"), Err(NumbersError::TooMany { .. })));
        let many = ["1..900000+1"; 2].join(",");
        assert!(matches!(numbers(&many), Err(NumbersError::TooMany { .. })));
    }

    proptest! {
        #[test]
        fn an_arithmetic_range_is_what_counting_gives(first in 0..1000_u64, more in 0..5000_u64, step in 1..700_u64) {
            let last = first + more;
            let expected: Vec<u64> = (first..=last).filter(|number| (number - first) % step == 0).collect();
            prop_assert_eq!(numbers(&format!("{first}..{last}+{step}")).unwrap(), expected);
        }

        #[test]
        fn a_geometric_range_is_what_powers_give(first in 1..1000_u64, more in 0..1_000_000_u64, factor in 2..9_u64) {
            let last = first + more;
            let expected: Vec<u64> = (0..40).map_while(|power| factor.checked_pow(power)?.checked_mul(first)).filter(|&n| n <= last).collect();
            prop_assert_eq!(numbers(&format!("{first}..{last}*{factor}")).unwrap(), expected);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.,*+ a_-]{0,24}") {
            let _ = numbers(&text);
        }
    }
}
