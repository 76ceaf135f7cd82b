//! Text from figures: numbers with their units for people, and tables as text, Markdown and CSV.

mod grid;
pub mod number;

pub use grid::{Align, Grid};
