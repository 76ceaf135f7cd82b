//! A part of a sweep.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The `k`-th of `n` parts, from 1: a run of neighbouring rows. The parts are disjoint, differ by at most one row, and one after the
/// other are the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: u64,
    of: u64,
}

/// Why a text names no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no part of a sweep; write `k/n` with k from 1 to n, for example `3/8`")]
pub struct ShardError {
    /// as written
    text: String,
}

impl Shard {
    /// The rows of this part of so many.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // no more than `rows`
    pub fn rows(&self, rows: u64) -> Range<u64> {
        let cut = |part: u64| (u128::from(rows) * u128::from(part) / u128::from(self.of)) as u64;
        cut(self.part - 1)..cut(self.part)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parts = text.split_once('/').and_then(|(part, of)| {
            let [part, of] = [part, of].map(|number| number.trim().parse::<u64>().ok());
            Some((part?, of?))
        });
        match parts {
            Some((part, of)) if part >= 1 && part <= of => Ok(Self { part, of }),
            _ => Err(ShardError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_part_is_a_run_of_rows() {
        let rows = |text: &str| text.parse::<Shard>().unwrap().rows(10);
        assert_eq!((rows("1/3"), rows("2/3"), rows("3/3")), (0..3, 3..6, 6..10));
        assert_eq!(rows("1/1"), 0..10);
        for text in ["", "0/3", "4/3", "1", "1/", "/3", "a/b", "1/0", "-1/3", "1/3/5"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_and_together_the_whole(rows in any::<u64>(), of in 1..200_u64) {
            let mut end = 0;
            for part in 1..=of {
                let shard = Shard { part, of };
                let range = shard.rows(rows);
                prop_assert_eq!(range.start, end);
                prop_assert!(range.end - range.start <= rows.div_ceil(of));
                end = range.end;
            }
            prop_assert_eq!(end, rows);
        }
    }
}
