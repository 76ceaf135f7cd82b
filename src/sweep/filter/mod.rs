//! Which rows are kept: a condition over the columns, such as `fits && decode_tokens_per_s > 5.3 && memory_bytes < 4GiB`.
//!
//! Numbers may have units, which have to be those of what they are compared with or added to, texts stand in quotes, and `none` is what
//! a column holds that does not apply. As in SQL, a comparison with what does not apply, or with a quotient by zero, is neither true nor
//! false, and only rows for which the condition is true are kept.

mod test;
#[cfg(test)]
mod tests;
mod tree;
mod unit;

use crate::excerpt::Excerpt;
use crate::output::Record;
use std::str::FromStr;
use test::Test;

/// A condition on a row.
#[derive(Debug, Clone)]
pub struct Filter {
    test: Test,
    asks_intervals: bool,
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// It does not go on as a condition does.
    #[error("expected {expected}{cure}\n{place}")]
    Syntax {
        /// what could stand there
        expected: &'static str,
        /// what may have been meant
        cure: &'static str,
        /// where
        place: Excerpt,
    },
    /// There is no such unit.
    #[error(
        "`{unit}` is no unit; there are B, s, J, W, Wh, FLOP, Hz and g with prefixes (GiB, GB, ms), B/s, min, h and %\n{place}"
    )]
    Unit {
        /// as written
        unit: String,
        /// where
        place: Excerpt,
    },
    /// There is no such column.
    #[error("there is no column `{name}`{}\n{place}", super::named::meant(nearest))]
    UnknownColumn {
        /// as written
        name: String,
        /// those it may have been meant to be
        nearest: Vec<String>,
        /// where
        place: Excerpt,
    },
    /// A name is compared with a text that is not one.
    #[error("a text stands in quotes: `'{text}'`\n{place}")]
    Unquoted {
        /// as written
        text: String,
        /// where
        place: Excerpt,
    },
    /// Something is not of the kind that its place wants.
    #[error("this is {found}, where {wanted} is wanted\n{place}")]
    Kind {
        /// what it is
        found: &'static str,
        /// what it should be
        wanted: &'static str,
        /// where
        place: Excerpt,
    },
    /// The text is too long.
    #[error("a condition can have at most {most} bytes")]
    TooLong {
        /// the most
        most: usize,
    },
    /// Too many parentheses, signs or sums.
    #[error("a condition can have at most {most} parentheses and signs, and sums of as many terms")]
    TooNested {
        /// the most
        most: usize,
    },
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (test, asks_intervals) = test::compile(text, &tree::parse(text)?)?;
        Ok(Self { test, asks_intervals })
    }
}

impl Filter {
    /// Whether it is about the ends of intervals.
    #[must_use]
    pub const fn asks_intervals(&self) -> bool {
        self.asks_intervals
    }

    /// Whether the row is kept.
    #[must_use]
    pub fn keeps(&self, record: &Record) -> bool {
        self.test.holds(record) == Some(true)
    }
}
