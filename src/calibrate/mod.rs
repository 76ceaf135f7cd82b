//! From measurements to the factors that a device's predictions are scaled by.

pub mod bench;
pub mod collect;
pub mod device;
pub mod energy;
pub mod fit;
pub mod import;
pub mod leave_out;
pub mod measure;
pub mod measurement;
pub mod plan;
pub mod probe;
pub mod probed;
pub mod publish;
pub mod quiet;
pub mod synthetic;
pub mod validate;

pub use measurement::{Engine, Measurement, Phase};
