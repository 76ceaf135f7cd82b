//! Sweeps.

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
pub use run::{CHUNK, Chunk, Done, Run, RunError, in_order};
pub use shard::{Shard, ShardError};
pub use skipped::{Reason, Skipped};
pub use space::{Space, SpaceError};
pub use text::{Text, TextFormat, write};
pub use walk::{Rows, Walk, WalkError};
