//! What one test took: medians over repeated runs, with an interval that does not believe in a normal distribution.

use crate::calibrate::Phase;
use serde::{Deserialize, Serialize};

/// Half-width of the 95 % interval, relative to the median, above which a test is measured again.
pub const REPEAT_ABOVE: f64 = 0.05;

/// Half-width of the 95 % interval, relative to the median, above which a test is left out.
pub const LEAVE_OUT_ABOVE: f64 = 0.20;

/// One test: a phase, its length, the depth it starts from and the threads it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Test {
    /// Prefill or decode.
    pub phase: Phase,
    /// Tokens read or generated.
    pub tokens: u64,
    /// Tokens in the KV cache before.
    pub depth: u64,
    /// CPU threads.
    pub threads: u64,
}

impl std::fmt::Display for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.phase {
            Phase::Prefill => "pp",
            Phase::Decode => "tg",
        };
        write!(f, "{name}{}", self.tokens)?;
        if self.depth > 0 {
            write!(f, " @ d{}", self.depth)?;
        }
        write!(
            f,
            ", {} thread{}",
            self.threads,
            if self.threads == 1 { "" } else { "s" }
        )
    }
}

/// The time that one token of a test took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The test.
    pub test: Test,
    /// Median seconds per token (decode: over the tokens; prefill: over the runs, each divided by its tokens).
    pub seconds_per_token: f64,
    /// Mean seconds per token, which is what `llama-bench` reports: above the median where other programs disturbed.
    pub mean: f64,
    /// Lower end of the 95 % interval of the median, seconds per token.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// Robust standard deviation of one sample relative to the median: the interquartile range over 1.349, which is what it would
    /// be for a normal distribution.
    pub dispersion: f64,
    /// Number of samples.
    pub samples: u64,
    /// When it was measured, warm-up apart: from and to, seconds since 1970 (UTC). None where that is not known of this test alone.
    #[serde(default)]
    pub window: Option<[f64; 2]>,
    /// Mean power of that time where a sensor read it, watts.
    #[serde(default)]
    pub watts: Option<f64>,
}

impl Timing {
    /// The timing that `seconds` show, one per token or per run divided by its tokens; none if there are no finite positive ones.
    #[must_use]
    pub fn from_seconds(test: Test, seconds: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = seconds.iter().copied().filter(|s| s.is_finite() && *s > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let median = quantile(&sorted, 0.5);
        let (low, high) =
            median_interval(sorted.len()).map_or((first, last), |(low, high)| (sorted[low], sorted[high]));
        Some(Self {
            test,
            seconds_per_token: median,
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            low,
            high,
            dispersion: (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / 1.349 / median,
            samples: sorted.len() as u64,
            window: None,
            watts: None,
        })
    }

    /// Tokens per second, `1 / seconds_per_token`.
    #[must_use]
    pub fn tokens_per_s(&self) -> f64 {
        1.0 / self.seconds_per_token
    }

    /// Standard deviation of the rate, tokens per second: `dispersion · tokens_per_s` to first order.
    #[must_use]
    pub fn tokens_per_s_deviation(&self) -> f64 {
        self.dispersion * self.tokens_per_s()
    }

    /// Half of the 95 % interval, relative to the median. A single sample says nothing of its own uncertainty: infinite.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        if self.samples < 2 {
            return f64::INFINITY;
        }
        (self.high - self.low) / (2.0 * self.seconds_per_token)
    }
}

/// The value below which the share `p` of the sorted values lies, interpolated linearly between them.
///
/// `sorted` must not be empty.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// Indices of the order statistics that enclose the median with at least 95 % confidence: the binomial interval, which asks nothing
/// of the distribution but independence. None below six samples, where even the extremes do not reach 95 %.
fn median_interval(n: usize) -> Option<(usize, usize)> {
    // P(B <= k) for B ~ Binomial(n, 1/2) must stay below 2.5 %; the interval is then [k + 1, n - k] counted from one.
    let mut probability = 0.5f64.powi(i32::try_from(n).ok()?);
    let mut cumulative = probability;
    if n < 6 || cumulative > 0.025 {
        return None;
    }
    let mut k = 0;
    loop {
        probability *= (n - k) as f64 / (k + 1) as f64;
        if cumulative + probability > 0.025 || k + 1 >= n / 2 {
            return Some((k, n - 1 - k));
        }
        cumulative += probability;
        k += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEST: Test = Test {
        phase: Phase::Decode,
        tokens: 10,
        depth: 0,
        threads: 1,
    };

    #[test]
    fn the_interval_of_ten_samples_is_that_of_the_binomial_table() {
        // n = 10: P(B <= 1) = 11 / 1024 = 1.07 %, P(B <= 2) = 5.5 %: the second and the ninth value.
        assert_eq!(median_interval(10), Some((1, 8)));
        assert_eq!(median_interval(6), Some((0, 5)));
        assert_eq!(median_interval(5), None);
        // n = 24: P(B <= 6) = 1.13 %, P(B <= 7) = 3.2 %: the seventh and the eighteenth.
        assert_eq!(median_interval(24), Some((6, 17)));
    }

    #[test]
    fn one_run_that_was_disturbed_moves_nothing() {
        let timing = Timing::from_seconds(TEST, &[1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.0, 25.0, 1.0]).unwrap();
        assert!((timing.seconds_per_token - 1.0).abs() < 1e-12);
        assert!(timing.half_width() < 0.03, "{timing:?}");
        assert!(timing.dispersion < 0.02);
        assert!((timing.mean - 3.4).abs() < 1e-12);
    }

    #[test]
    fn a_single_sample_is_no_evidence_of_its_own_precision() {
        let timing = Timing::from_seconds(TEST, &[2.0]).unwrap();
        assert_eq!((timing.low, timing.high), (2.0, 2.0));
        assert!(timing.half_width().is_infinite());
        assert!((timing.tokens_per_s() - 0.5).abs() < 1e-12);
        assert!(Timing::from_seconds(TEST, &[]).is_none());
        assert!(Timing::from_seconds(TEST, &[0.0, f64::NAN]).is_none());
    }

    #[test]
    fn tests_are_named_as_llama_bench_names_them() {
        assert_eq!(TEST.to_string(), "tg10, 1 thread");
        let deep = Test {
            phase: Phase::Prefill,
            tokens: 512,
            depth: 1024,
            threads: 4,
        };
        assert_eq!(deep.to_string(), "pp512 @ d1024, 4 threads");
    }
}
