//! The families: how dimensions become tensors.

/// Placeholder.
#[derive(Debug)]
pub struct Dimensions;
/// Placeholder.
#[derive(Debug)]
pub struct Family;
