//! The kinds of charts that the figures are drawn as. A chart holds what is drawn and computes nothing.

pub mod bars;
pub mod lines;
pub mod stack;

/// What a cross on a bar or a point says.
pub const CROSSED: &str = "does not fit in memory";

/// A value, and the ends of its interval where it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Low and high end.
    pub interval: Option<[f64; 2]>,
    /// Whether it is crossed out, as what does not fit in memory ([`CROSSED`]).
    pub crossed: bool,
}

impl Estimate {
    /// A value without an interval.
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self {
            value,
            interval: None,
            crossed: false,
        }
    }

    /// The value and the ends of its interval.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        std::iter::once(self.value).chain(self.interval.into_iter().flatten())
    }
}
