//! From measurements to the factors that a device's predictions are scaled by.

pub mod import;
pub mod measure;
pub mod measurement;
<<<<<<< HEAD
pub mod synthetic;
=======
pub mod plan;
pub mod probe;
pub mod quiet;
>>>>>>> 02fe54d (Calibrate: the plan of probe models, memory and storage probes, robust timings, quiet-machine checks; feature llama)

pub use measurement::{Engine, Measurement, Phase};
