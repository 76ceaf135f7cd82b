//! Predictions by the million: every combination of many values.
//!
//! ```text
//! Asked ─> Space ─> Rows (numbers) ─> Walk (on each thread) ─> Record ─> Filter, Order, Goal ─> Text, Batch (then `table`)
//!          (names looked up, what        (in chunks, whose results
//!           cannot be asked left out)     come in the order of the rows)
//! ```
//!
//! A row is a number, so parts of a sweep are ranges of numbers ([`Shard`]), and a selection of rows is a list of numbers. Nothing grows
//! with the number of rows but such a list.

mod asked;
mod batch;
mod filter;
mod layout;
mod named;
mod numbers;
mod order;
mod pareto;
mod run;
mod shard;
mod skipped;
mod space;
mod text;
mod walk;

pub use asked::{Asked, Caches, Pick};
pub use batch::{Batch, Data, NO_CODE, NO_COUNT, NO_TRUTH};
pub use filter::{Filter, FilterError};
pub use named::{NoColumn, column};
pub use numbers::{MOST_NUMBERS, Numbers, NumbersError};
pub use order::{Order, sorted};
pub use pareto::{Goal, GoalError, front};
pub use run::{CHUNK, Chunk, Done, Intervals, Run, RunError, in_chunks_of, in_order};
pub use shard::{Shard, ShardError};
pub use skipped::{Reason, Skipped};
pub use space::{Space, SpaceError};
pub use text::{Text, TextFormat, write};
pub use walk::{Row, Rows, Walk, WalkError};
