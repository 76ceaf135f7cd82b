//! What energy comes to: money, carbon, charges of a battery, and whether a reader has to wait. Closed forms over the figures of a
//! prediction and what the reader states ([`Terms`]).
//!
//! With `e` the energy of a token of a phase, `N` its tokens, `T` its seconds and `t = N / T` its rate:
//!
//! | figure | closed form | unit |
//! |---|---|---|
//! | action per token | `E / t = e · N / t = e · T` | J·s/token |
//! | cost of a million tokens | `10⁶ · e · price` | money |
//! | carbon of a million tokens | `10⁶ · e · intensity` | kg |
//! | energy of a request | `Σ_phase e · N` | J |
//! | requests of a battery | `charge / energy of a request` | |
//! | time of a battery | `requests · Σ_phase T` | s |
//! | break-even time | [`break_even`] | s |
//!
//! Action per token is the measure of Abstreiter, Tarkoma and Morabito (arXiv 2503.09114, section 6.1): the energy `E` of a whole
//! phase over its rate `t`. It is the lower the faster *and* the more frugal a setting is, and it grows with the length of the
//! phase, so that only phases of the same length compare.
//!
//! Architecture Invariant: pure, like [`perf`](crate::perf); the words of a command line become numbers here, and nothing else
//! knows currencies.

mod battery;
mod break_even;
mod carbon;
mod figures;
mod money;
mod reading;

pub use battery::{Battery, BatteryError};
pub use break_even::{BreakEven, Contender, Mix, MixError, break_even};
pub use carbon::{CarbonError, CarbonIntensity};
pub use figures::{Economy, Terms, Work};
pub(crate) use money::common;
pub use money::{ApiPrice, Currency, EnergyPrice, Money, MoneyError};
pub use reading::{ReadingSpeed, ReadingSpeedError};

/// Tokens that prices are stated for.
pub(crate) const MILLION: f64 = 1e6;
