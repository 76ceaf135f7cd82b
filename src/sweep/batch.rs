//! Rows as typed columns: no text per row.

use crate::output::{Column, Record, Values};

/// Stands for none among codes of names.
pub const NO_CODE: u32 = u32::MAX;
/// Stands for none among counts.
pub const NO_COUNT: u64 = u64::MAX;
/// Stands for none among truths, of which 0 is false and 1 true.
pub const NO_TRUTH: u8 = 2;

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Names by their codes: places in `names`, or [`NO_CODE`].
    Text {
        /// One a row.
        codes: Vec<u32>,
        /// Each once, in the order in which they came.
        names: Vec<String>,
    },
    /// Figures; NaN is none.
    Number(Vec<f64>),
    /// Counts, or [`NO_COUNT`].
    Whole(Vec<u64>),
    /// 1, 0, or [`NO_TRUTH`].
    Truth(Vec<u8>),
}

/// Some rows as columns.
#[derive(Debug, Clone)]
pub struct Batch {
    columns: Vec<(&'static Column, Data)>,
    rows: usize,
}

/// The code of a name: that of the last row, most often.
fn code(codes: &[u32], names: &mut Vec<String>, name: &str) -> u32 {
    let last = codes.last().copied().unwrap_or(NO_CODE);
    if names.get(last as usize).is_some_and(|known| known == name) {
        return last;
    }
    let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    u32::try_from(at).unwrap_or(NO_CODE)
}

impl Batch {
    /// No rows yet, of these columns.
    #[must_use]
    pub fn new(columns: &[&'static Column], capacity: usize) -> Self {
        let empty = |column: &&'static Column| {
            let data = match column.values {
                Values::Text(_) => Data::Text {
                    codes: Vec::with_capacity(capacity),
                    names: Vec::new(),
                },
                Values::Number(_) => Data::Number(Vec::with_capacity(capacity)),
                Values::Whole(_) => Data::Whole(Vec::with_capacity(capacity)),
                Values::Truth(_) => Data::Truth(Vec::with_capacity(capacity)),
            };
            (*column, data)
        };
        Self {
            columns: columns.iter().map(empty).collect(),
            rows: 0,
        }
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The columns and their values.
    #[must_use]
    pub fn columns(&self) -> &[(&'static Column, Data)] {
        &self.columns
    }

    /// The columns and their values, taken out.
    #[must_use]
    pub fn into_columns(self) -> Vec<(&'static Column, Data)> {
        self.columns
    }

    /// Adds a row.
    pub fn push(&mut self, record: &Record) {
        for (column, data) in &mut self.columns {
            match (column.values, data) {
                (Values::Number(get), Data::Number(values)) => values.push(get(record).unwrap_or(f64::NAN)),
                (Values::Whole(get), Data::Whole(values)) => values.push(get(record).unwrap_or(NO_COUNT)),
                (Values::Truth(get), Data::Truth(values)) => values.push(get(record).map_or(NO_TRUTH, u8::from)),
                (Values::Text(get), Data::Text { codes, names }) => {
                    let code = get(record).map_or(NO_CODE, |name| code(codes, names, name));
                    codes.push(code);
                }
                // `new` made the data of the column.
                _ => {}
            }
        }
        self.rows += 1;
    }

    /// Adds the rows of another batch of the same columns.
    pub fn append(&mut self, other: Self) {
        for ((_, mine), (_, theirs)) in self.columns.iter_mut().zip(other.columns) {
            match (mine, theirs) {
                (Data::Number(mine), Data::Number(theirs)) => mine.extend(theirs),
                (Data::Whole(mine), Data::Whole(theirs)) => mine.extend(theirs),
                (Data::Truth(mine), Data::Truth(theirs)) => mine.extend(theirs),
                (
                    Data::Text { codes, names },
                    Data::Text {
                        codes: theirs,
                        names: their_names,
                    },
                ) => {
                    let new: Vec<u32> = their_names.iter().map(|name| code(&[], names, name)).collect();
                    codes.extend(
                        theirs
                            .iter()
                            .map(|&at| new.get(at as usize).copied().unwrap_or(NO_CODE)),
                    );
                }
                _ => {}
            }
        }
        self.rows += other.rows;
    }
}
