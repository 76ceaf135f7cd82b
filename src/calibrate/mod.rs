//! From measurements to the factors that a device's predictions are scaled by.

pub mod import;
pub mod measurement;
pub mod synthetic;

pub use measurement::{Engine, Measurement, Phase};
