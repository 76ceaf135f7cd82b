//! Stand-in until the memory forms land.
use crate::model::Model;
/// Stand-in.
#[derive(Debug, Clone, PartialEq)]
pub struct MemorySums;
impl MemorySums {
    /// Stand-in.
    #[must_use]
    pub fn new(_model: &Model) -> Self {
        Self
    }
}

/// Stand-in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Footprint {
    /// a
    pub weights: f64,
    /// a
    pub kv_cache: f64,
    /// a
    pub activations: f64,
    /// a
    pub repacked: f64,
    /// a
    pub runtime: f64,
}
impl Footprint {
    /// a
    pub fn total(&self) -> f64 {
        self.weights + self.kv_cache + self.activations + self.repacked + self.runtime
    }
}
impl crate::scenario::Scenario<'_> {
    /// a
    pub fn memory(&self) -> Footprint {
        Footprint::default()
    }
}
