//! Text from figures: numbers with their units for people, records for programs, and tables as text, Markdown and CSV.

mod columns;
mod grid;
mod notes;
pub mod number;
mod record;

pub use columns::{comparison, csv};
pub use grid::{Align, Grid};
pub use notes::{estimated, notes};
pub use record::{BasisRecord, BoundRecord, PaperQuestion, Record, SCHEMA, WorkloadRecord};
