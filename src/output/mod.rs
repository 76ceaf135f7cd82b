//! Text from figures: numbers with their units for people, records for programs, and tables as text, Markdown, LaTeX and CSV.

mod columns;
mod grid;
mod latex;
mod notes;
pub mod number;
mod record;
mod sheet;

pub use columns::{Better, COLUMNS, Column, Compared, Value, Values, compared, comparison, csv, quality};
pub use grid::{Align, Grid, Setting};
pub use notes::{MISFIT, estimated, notes};
pub use record::{BasisRecord, BoundRecord, PaperQuestion, QualityRecord, Record, SCHEMA, WorkloadRecord};
pub use sheet::Sheet;
