//! From measurements to the factors that a device's predictions are scaled by.

pub mod collect;
pub mod import;
pub mod measure;
pub mod measurement;
pub mod plan;
pub mod probe;
pub mod quiet;
pub mod synthetic;

pub use measurement::{Engine, Measurement, Phase};
