//! What people decide: which of two devices, which setting of one, which model for it.
//!
//! | module | the question |
//! |---|---|
//! | [`target`](Target) | what is asked: a device, its backend and power mode, and the calibration that speaks for it |
//! | [`compare`] | which of two targets is better at what, and when the dearer one has paid for itself |
//! | [`recommend`] | what to run on a device, or on which device to run a model |
//! | [`tune`] | which setting of a target is best for a phase, and by how much |
//!
//! Every answer rests on [`perf::predict`](crate::perf::predict) and carries its intervals on: where those of two figures overlap, the
//! better one is named and said to be unsure.

pub mod compare;
pub mod recommend;
mod target;
pub mod tune;

pub use target::{Selector, SelectorError, Target, TargetError};
