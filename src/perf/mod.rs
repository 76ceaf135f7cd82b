//! The closed forms: pure functions, no I/O.

mod bound;
pub mod energy;
mod interval;
pub mod latency;
pub mod memory;
mod paging;
pub mod paper;
mod part;
mod prediction;
mod ratio;
pub mod sensitivity;
pub mod sums;
mod trust;

pub use bound::Bound;
pub(crate) use interval::QUANTILE_90;
pub use interval::{Interval, Intervals, LogNormal, Uncertain};
pub use part::{Part, Parts};
pub use prediction::{Basis, Prediction, predict, predict_in_ample_memory, predict_split};
pub use ratio::{Predicted, ratio_sigma};
pub use trust::Trust;
