//! What a file of measurements holds, counted.

use crate::calibrate::measurement::{Measurements, Phase};
use std::collections::BTreeMap;
use std::fmt;

/// Rows kept by device, backend and phase, and rows left out by device and reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Number of rows by device, backend and phase.
    pub kept: BTreeMap<(String, &'static str, Phase), usize>,
    /// Number of rows by device and reason.
    pub left_out: BTreeMap<(String, String), usize>,
}

impl Summary {
    /// Counts the rows.
    #[must_use]
    pub fn of(measurements: &Measurements) -> Self {
        let mut summary = Self::default();
        for row in &measurements.kept {
            let key = (row.device.clone(), row.backend.name(), row.phase);
            *summary.kept.entry(key).or_default() += 1;
        }
        for row in &measurements.left_out {
            *summary
                .left_out
                .entry((row.device.clone(), row.reason.clone()))
                .or_default() += 1;
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "kept: {}", self.kept.values().sum::<usize>())?;
        for ((device, backend, phase), count) in &self.kept {
            writeln!(f, "{count:5}  {device} {backend} {phase}")?;
        }
        writeln!(f, "left out: {}", self.left_out.values().sum::<usize>())?;
        for ((device, reason), count) in &self.left_out {
            writeln!(f, "{count:5}  {device}: {reason}")?;
        }
        Ok(())
    }
}
