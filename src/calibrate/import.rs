//! Measurements from files: llama-bench's outputs and the table of published measurements.

mod map;
mod published;

use super::measurement::Measurements;
use std::path::{Path, PathBuf};

/// Why a file of measurements cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The text is none of the formats.
    #[error(
        "{name} is neither llama-bench output (json, jsonl, csv, md, sql) nor a table with the columns of published.csv; \
         write one with `llama-bench -o json`"
    )]
    UnknownFormat {
        /// The file.
        name: String,
    },
    /// A row lacks what it must have.
    #[error("line {line} has no `{field}`; give the file as the program wrote it")]
    MissingField {
        /// Line of the file.
        line: u64,
        /// The missing column or key.
        field: String,
    },
    /// A row cannot be understood.
    #[error("line {line}: {what}")]
    Malformed {
        /// Line of the file.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// The shipped translation of the published table is broken.
    #[error("the map of the published table does not read ({message}); this is an error of edgeprof")]
    Map {
        /// What the TOML reader says.
        message: String,
    },
}

impl ImportError {
    fn csv(error: csv::Error) -> Self {
        Self::Malformed {
            line: error.position().map_or(0, csv::Position::line),
            what: error.to_string(),
        }
    }
}

/// Reads a file of measurements, whatever its format.
///
/// # Errors
/// If the file cannot be read, is of no known format, or contradicts itself.
pub fn read(path: &Path) -> Result<Measurements, ImportError> {
    let text = std::fs::read_to_string(path).map_err(|error| ImportError::Io {
        path: path.to_owned(),
        error,
    })?;
    parse(&text, &path.display().to_string())
}

/// Reads measurements from text; `name` is what messages and rows call its source.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, name: &str) -> Result<Measurements, ImportError> {
    let first_line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if published::COLUMNS
        .iter()
        .all(|column| first_line.split(',').any(|cell| cell.trim() == *column))
    {
        return published::read(text);
    }
    Err(ImportError::UnknownFormat { name: name.to_owned() })
}

/// The first date of a text (`2025-08 onward`, `<=2025-12-18`), as precise as it stands there.
fn text_date(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let date: String = text[start..]
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '-')
        .take(10)
        .collect();
    let date = date.trim_end_matches('-');
    let plausible = matches!(date.len(), 4 | 7 | 10) && date.split('-').next().is_some_and(|year| year.len() == 4);
    plausible.then(|| date.to_owned())
}

#[cfg(test)]
mod tests {
    use super::text_date;

    #[test]
    fn dates_are_cut_to_what_sorts() {
        assert_eq!(text_date("2025-08 onward").as_deref(), Some("2025-08"));
        assert_eq!(text_date("<=2025-12-18").as_deref(), Some("2025-12-18"));
        assert_eq!(text_date("2023").as_deref(), Some("2023"));
        assert_eq!(text_date("soon"), None);
        assert_eq!(text_date("12 May"), None);
    }
}
