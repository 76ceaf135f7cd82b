//! edgeprof: will this model run on that board, how fast, with how much memory, for how many joules?

pub mod calibrate;
pub mod calibration;
pub mod catalog;
pub mod device;
pub mod excerpt;
pub mod gguf;
pub mod model;
pub mod output;
pub mod perf;
pub mod quant;
pub mod scenario;
pub mod units;
