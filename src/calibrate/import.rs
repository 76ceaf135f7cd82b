//! Measurements from files: llama-bench's outputs and the table of published measurements.

mod llama_bench;
mod map;
mod published;
mod recognise;
mod records;
mod summary;

pub use summary::Summary;

use super::measurement::Measurements;
use crate::device::Device;
use crate::model::Model;
use std::path::{Path, PathBuf};

/// The models and devices that rows are matched with; a row about any other is left out.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Models, by whose parameters and sizes files are recognised.
    pub models: &'a [&'a Model],
    /// Devices, by id, name or alias.
    pub devices: &'a [&'a Device],
}

impl<'a> Known<'a> {
    /// The id of the device of this id, name or alias, whatever its case.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<&'a str> {
        let is = |text: &String| text.eq_ignore_ascii_case(name.trim());
        self.devices
            .iter()
            .find(|device| is(&device.id) || is(&device.name) || device.aliases.iter().any(is))
            .map(|device| device.id.as_str())
    }
}

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
    /// A file names one model and holds another.
    #[error("line {line}: {reason}; measure again, or name the file after what it holds")]
    Contradiction {
        /// Line of the file.
        line: u64,
        /// What contradicts what.
        reason: String,
    },
    /// The file has no rows.
    #[error("{name} holds no measurements")]
    Empty {
        /// The file.
        name: String,
    },
    /// The shipped translation of the published table is broken.
    #[error("the map of the published table does not read ({message}); this is an error of edgeprof")]
    Map {
        /// What the TOML reader says.
        message: String,
    },
}

/// Why a row does not become a measurement: the row is left out, or the whole file is refused.
enum Rejection {
    Row(String),
    File(ImportError),
}

impl From<ImportError> for Rejection {
    fn from(error: ImportError) -> Self {
        Self::File(error)
    }
}

impl ImportError {
    fn csv(error: &csv::Error) -> Self {
        Self::Malformed {
            line: error.position().map_or(0, csv::Position::line),
            what: error.to_string(),
        }
    }
}

/// Reads a file of measurements, whatever its format.
///
/// # Errors
/// If the file cannot be read, is of no known format, or names one model and holds another.
pub fn read(path: &Path, known: Known) -> Result<Measurements, ImportError> {
    let text = std::fs::read_to_string(path).map_err(|error| ImportError::Io {
        path: path.to_owned(),
        error,
    })?;
    parse(&text, &path.display().to_string(), known)
}

/// Reads measurements from text; `name` is what messages and rows call its source.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, name: &str, known: Known) -> Result<Measurements, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    let first_line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim();
    let has_column = |column: &str| {
        first_line
            .split(',')
            .any(|cell| cell.trim().trim_matches('"') == column)
    };
    let measurements = if published::COLUMNS.into_iter().all(has_column) {
        published::read(text, known)?
    } else {
        let records = if first_line.starts_with('[') {
            records::json(text)?
        } else if first_line.starts_with('{') {
            records::jsonl(text)?
        } else if has_column("build_commit") {
            records::csv(text)?
        } else if text.lines().any(|line| line.trim_start().starts_with("INSERT INTO")) {
            records::sql(text)?
        } else if text
            .lines()
            .any(|line| line.trim_start().starts_with('|') && line.contains("t/s"))
        {
            records::markdown(text)?
        } else {
            return Err(ImportError::UnknownFormat { name: name.to_owned() });
        };
        llama_bench::read(records, name, known)?
    };
    if measurements.rows() == 0 {
        return Err(ImportError::Empty { name: name.to_owned() });
    }
    Ok(measurements)
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
