//! Power over time.

use crate::units::Watts;

/// Readings further apart than this leave a gap that nothing is said of, seconds.
pub(super) const MOST_GAP_S: f64 = 5.0;

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Seconds since 1970 (UTC).
    pub at_s: f64,
    /// Power at that time.
    pub watts: Watts,
}

/// Readings in the order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    samples: Vec<Sample>,
}

impl Trace {
    /// The trace of readings in any order; those that are no numbers are left out.
    #[must_use]
    pub fn new(mut samples: Vec<Sample>) -> Self {
        samples.retain(|sample| sample.at_s.is_finite() && sample.watts.get().is_finite());
        samples.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        samples.dedup_by(|later, earlier| later.at_s <= earlier.at_s);
        Self { samples }
    }

    /// The readings.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The mean power from one time to another, seconds since 1970: the integral of the straight lines between readings over the length.
    /// None where the readings do not cover it, or are too far apart.
    #[must_use]
    pub fn mean(&self, from_s: f64, to_s: f64) -> Option<Watts> {
        // The readings from the last before the beginning to the first after the end.
        let first = self
            .samples
            .partition_point(|sample| sample.at_s <= from_s)
            .checked_sub(1)?;
        let last = self.samples.partition_point(|sample| sample.at_s < to_s);
        let around = self.samples.get(first..=last)?;
        let mut joules = 0.0;
        for pair in around.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            if b.at_s - a.at_s > MOST_GAP_S {
                return None;
            }
            let line = |at: f64| {
                let share = (at - a.at_s) / (b.at_s - a.at_s);
                a.watts.get() + share * (b.watts.get() - a.watts.get())
            };
            let (begin, end) = (a.at_s.max(from_s), b.at_s.min(to_s));
            joules += (end - begin) * f64::midpoint(line(begin), line(end));
        }
        let mean = joules / (to_s - from_s);
        (to_s > from_s && mean.is_finite()).then_some(Watts(mean))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn trace(samples: &[(f64, f64)]) -> Trace {
        let sample = |&(at_s, watts): &(f64, f64)| Sample {
            at_s,
            watts: Watts(watts),
        };
        Trace::new(samples.iter().map(sample).collect())
    }

    #[test]
    fn the_mean_is_the_integral_over_the_length() {
        let trace = trace(&[(2.0, 30.0), (0.0, 10.0), (1.0, 10.0), (3.0, 30.0)]);
        // 10 W for half a second, the slope from 10 to 30 W, 30 W for half a second: (5 + 20 + 15) J in 2 s.
        assert!((trace.mean(0.5, 2.5).unwrap().get() - 20.0).abs() < 1e-12);
        assert!((trace.mean(1.25, 1.75).unwrap().get() - 20.0).abs() < 1e-12);
        assert!((trace.mean(0.0, 3.0).unwrap().get() - 20.0).abs() < 1e-12);
    }

    #[test]
    fn what_the_readings_do_not_cover_is_not_known() {
        let trace = trace(&[(0.0, 1.0), (1.0, 1.0), (20.0, 1.0), (21.0, f64::NAN)]);
        for (from, to) in [
            (-1.0, 0.5),
            (0.5, 1.5),
            (19.0, 21.0),
            (0.5, 0.5),
            (0.9, 0.1),
            (f64::NAN, 1.0),
        ] {
            assert_eq!(trace.mean(from, to), None, "{from} {to}");
        }
        assert_eq!(trace.samples().len(), 3);
        assert_eq!(Trace::default().mean(0.0, 1.0), None);
    }
}
