//! Which rows of a sweep are wanted, and in which order.

use super::STOP;
use super::progress::Progress;
use crate::cli::failure::Failure;
use clap::Args;
use edgeprof::output::Record;
use edgeprof::sweep::{Filter, Goal, Intervals, Order, Rows, Run, Space, front, sorted};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;

/// The selection.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectArgs {
    /// Keep the rows of which this is true: `fits && decode_tokens_per_s > 5.3 && memory_bytes < 4GiB`, over the columns of the CSV,
    /// with units, texts in quotes, `none`, arithmetic, comparisons, && || ! and parentheses
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    condition: Option<Filter>,
    /// Keep the rows that no other row is better than in all of these: `decode_tokens_per_s,memory_bytes`, with `:min` or `:max`
    /// behind a column that does not say itself what is better
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pareto: Vec<Goal>,
    /// Sort by a column, the greatest first with a `-` before it
    #[arg(long, value_name = "[-]COLUMN", allow_hyphen_values = true)]
    sort: Option<Order>,
    /// Keep the first of the sorted rows
    #[arg(long, value_name = "N", requires = "sort")]
    top: Option<NonZeroUsize>,
}

/// What was selected.
pub struct Selected {
    /// The rows, if they had to be looked at before one can be written.
    pub picked: Option<Vec<u64>>,
    /// How many rows were looked at, if the search for them was interrupted.
    pub interrupted: Option<u64>,
    /// How many of those cannot be asked.
    pub refused: u64,
}

impl SelectArgs {
    /// Whether a row is kept.
    pub fn keeps(&self, record: &Record) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.keeps(record))
    }

    /// Whether rows are left out.
    pub const fn leaves_out(&self) -> bool {
        self.condition.is_some()
    }

    /// The columns that it is about.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        let goals = self.pareto.iter().map(|goal| goal.column().name);
        goals.chain(self.sort.iter().map(|order| order.column().name))
    }

    /// Which records must have intervals for it.
    pub fn intervals(&self) -> Intervals {
        let mut goals = self.pareto.iter().map(Goal::column);
        if self.condition.as_ref().is_some_and(Filter::asks_intervals) {
            Intervals::All
        } else if goals.any(|column| column.of_interval) || self.sort.is_some_and(|order| order.column().of_interval) {
            Intervals::Kept
        } else {
            Intervals::None
        }
    }

    /// Finds the rows, where that means to look at all of them.
    pub fn select(&self, space: &Space, run: &Run<'_>) -> Result<Selected, Failure> {
        let mut selected = Selected {
            picked: None,
            interrupted: None,
            refused: 0,
        };
        if !self.pareto.is_empty() {
            let progress = Progress::new(run.rows.len());
            let found = front(space, run, |record| self.keeps(record), &self.pareto, &mut |done| {
                progress.show(done.end);
            });
            progress.clear();
            let (rows, done) = found.map_err(Failure::new)?;
            selected.refused = done.refused;
            selected.note_interrupt(done.end, run.rows.len());
            selected.picked = Some(rows);
        }
        if let Some(order) = self.sort {
            let picked = selected.picked.take();
            let run = Run {
                rows: picked.as_deref().map_or_else(|| run.rows.clone(), Rows::Picked),
                ..run.clone()
            };
            let progress = Progress::new(run.rows.len());
            let top = self.top.map(NonZeroUsize::get);
            let keeps = |record: &Record| picked.is_some() || self.keeps(record);
            let found = sorted(space, &run, keeps, order, top, &mut |done| progress.show(done.end));
            progress.clear();
            let (rows, done) = found.map_err(Failure::new)?;
            selected.refused += done.refused;
            selected.note_interrupt(done.end, run.rows.len());
            selected.picked = Some(rows);
        }
        Ok(selected)
    }
}

impl Selected {
    /// Remembers an interrupt, and takes the flag down: what was found so far is still to be written.
    fn note_interrupt(&mut self, looked_at: u64, rows: u64) {
        if looked_at < rows {
            self.interrupted.get_or_insert(looked_at);
            STOP.store(false, Ordering::Relaxed);
        }
    }
}
