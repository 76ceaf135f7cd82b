//! The closed forms: pure functions, no I/O.

pub mod energy;
pub mod latency;
pub mod memory;
pub mod paper;
mod prediction;
mod ratio;
pub mod sensitivity;
pub mod sums;

pub(crate) use prediction::QUANTILE_90;
pub use prediction::{Basis, Bound, HostLayers, Interval, Intervals, Prediction, predict, predict_split};
pub use ratio::{Predicted, ratio_sigma};
