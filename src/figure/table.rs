//! The data of a figure.

use super::axis::Unit;
use crate::output::{Align, Grid, number};

/// A table of typed columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

/// A column: its key, as in predict's JSON where it is of there, and the unit of its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The key.
    pub key: String,
    /// The unit; none for words.
    pub unit: Option<Unit>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A name.
    Text(String),
    /// A number in its column's unit, without a prefix.
    Number(f64),
    /// What does not apply.
    None,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        if value.is_finite() {
            Self::Number(value)
        } else {
            Self::None
        }
    }
}

impl From<Option<f64>> for Value {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::None, Self::from)
    }
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn words(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            unit: None,
        }
    }

    /// A column of numbers.
    #[must_use]
    pub fn numbers(key: &str, unit: Unit) -> Self {
        Self {
            key: key.to_owned(),
            unit: Some(unit),
        }
    }
}

impl Table {
    /// A table with these columns and no rows.
    #[must_use]
    pub const fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row of as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<Value>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }

    /// The table as CSV, keys as the header: as in predict's JSON they end in their unit.
    #[must_use]
    pub fn csv(&self) -> String {
        let header = self.columns.iter().map(|column| (column.key.clone(), Align::Left));
        let mut grid = Grid::new(header);
        for row in &self.rows {
            grid.row(row.iter().map(|cell| match cell {
                Value::Text(text) => text.clone(),
                Value::Number(value) => number::plain(*value),
                Value::None => String::new(),
            }));
        }
        grid.csv()
    }
}
