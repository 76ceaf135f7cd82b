//! Columns by name.

use crate::catalog::nearest_names;
use crate::output::{COLUMNS, Column};

/// A name that no column has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no column `{name}`{}", meant(nearest))]
pub struct NoColumn {
    /// as written
    pub name: String,
    /// those it may have been meant to be
    pub nearest: Vec<String>,
}

/// The column of this name.
///
/// # Errors
/// [`NoColumn`], with the nearest names that there are.
pub fn column(name: &str) -> Result<&'static Column, NoColumn> {
    Column::named(name).ok_or_else(|| NoColumn {
        name: name.to_owned(),
        nearest: nearest(name),
    })
}

/// Names of columns that this one may have been meant to be.
pub(super) fn nearest(name: &str) -> Vec<String> {
    nearest_names(name, COLUMNS.iter().map(|column| (column.name, column.name)))
}

/// The question whether one of these names was meant, as the rest of a sentence.
pub(super) fn meant(nearest: &[String]) -> String {
    if nearest.is_empty() {
        "; the columns are those of `predict --format csv`".to_owned()
    } else {
        let names: Vec<String> = nearest.iter().map(|name| format!("`{name}`")).collect();
        format!("; did you mean {}?", names.join(" or "))
    }
}
