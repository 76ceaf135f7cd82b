//! edgeprof: will this model run on that board, how fast, with how much memory, for how many joules?

pub mod calibrate;
pub mod device;
pub mod excerpt;
pub mod model;
pub mod quant;
pub mod units;
