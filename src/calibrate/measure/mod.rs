//! Timing llama.cpp itself: in this process, or through an installed `llama-bench`.

mod timing;

pub use timing::{LEAVE_OUT_ABOVE, REPEAT_ABOVE, Test, Timing};
