//! The closed forms: pure functions, no I/O.

pub mod energy;
pub mod latency;
pub mod memory;
pub mod paper;
mod prediction;
pub mod sensitivity;
pub mod sums;

pub use prediction::{Basis, Bound, HostLayers, Interval, Intervals, Prediction, predict, predict_split};
