//! Was the machine quiet? What else ran, whether clocks dropped, whether a Pi throttled, whether memory was swapped.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// Something that makes measurements less trustworthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Warning {
    /// Other programs were running when the measurement began.
    Busy {
        /// load average over the last minute
        load: f64,
        /// CPU cores
        cores: u64,
    },
    /// The host gave this virtual machine less than its cores.
    Stolen {
        /// share of the time, 0 to 1
        share: f64,
    },
    /// The cores run slower at the end than at the beginning.
    ClockDropped {
        /// mean clock before, hertz
        before: f64,
        /// mean clock after, hertz
        after: f64,
    },
    /// The firmware throttles, or did since boot (`vcgencmd get_throttled`).
    Throttled {
        /// what it says, in words
        reason: String,
    },
    /// Memory went to swap or came from it.
    Swapped {
        /// pages in and out
        pages: u64,
    },
    /// The samples of one test scatter; it was measured again and did not get better.
    Scattered {
        /// model and test
        test: String,
        /// half of the 95 % interval relative to the median
        half_width: f64,
    },
    /// A test was given up because the samples said nothing.
    LeftOut {
        /// model and test
        test: String,
        /// half of the 95 % interval relative to the median
        half_width: f64,
    },
    /// More tests were given up than kept.
    MostLeftOut {
        /// how many were given up
        left_out: u64,
        /// of how many
        tests: u64,
    },
    /// A probe could not be measured; the others were.
    Failed {
        /// the probe
        model: String,
        /// the error
        reason: String,
    },
    /// A test did not fit into the time budget.
    OverBudget {
        /// how many tests
        tests: u64,
        /// the budget, seconds
        budget_s: f64,
    },
    /// No power was read, or not to the end.
    NoPower {
        /// why
        reason: String,
    },
    /// edgeprof itself was built without optimisation, so that its own probes are too slow.
    Unoptimised,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Busy { load, cores } => write!(
                f,
                "other programs were running when the measurement began (load average {load:.2} on {cores} cores); close them and \
                 calibrate again"
            ),
            Self::Stolen { share } => write!(
                f,
                "the host took {:.0} % of this virtual machine's CPU time during the measurement",
                share * 100.0
            ),
            Self::ClockDropped { before, after } => write!(
                f,
                "the clock fell from {:.2} to {:.2} GHz during the measurement; improve cooling or power and calibrate again",
                before / 1e9,
                after / 1e9
            ),
            Self::Throttled { reason } => write!(f, "the firmware reports: {reason}"),
            Self::Swapped { pages } => write!(f, "{pages} pages were swapped during the measurement; free some memory"),
            Self::Scattered { test, half_width } => {
                write!(
                    f,
                    "{test} scatters by ±{:.0} %, even when measured again",
                    half_width * 100.0
                )
            }
            Self::LeftOut { test, half_width } => {
                write!(
                    f,
                    "{test} is left out: its samples scatter by ±{:.0} %",
                    half_width * 100.0
                )
            }
            Self::MostLeftOut { left_out, tests } => write!(
                f,
                "{left_out} of {tests} tests are left out because this machine is not quiet: the factors rest on the few others and on \
                 its class; calibrate again when nothing else runs"
            ),
            Self::OverBudget { tests, budget_s } => {
                write!(
                    f,
                    "{tests} tests did not fit into the budget of {budget_s:.0} s; raise it with --budget"
                )
            }
            Self::Failed { model, reason } => write!(f, "{model} could not be measured: {reason}"),
            Self::NoPower { reason } => write!(f, "no power is measured: {reason}"),
            Self::Unoptimised => f.write_str(
                "this is a build without optimisation: the bandwidth probe is too slow; build with --release",
            ),
        }
    }
}

/// What the machine says of itself at one moment. What it does not say is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// Load average over the last minute.
    pub load: Option<f64>,
    /// Mean of the cores' current clocks, hertz.
    pub clock: Option<f64>,
    /// Pages swapped in and out since boot.
    pub swapped_pages: Option<u64>,
    /// Time that all CPUs together spent, and how much of it the host stole, ticks.
    pub ticks: Option<(u64, u64)>,
    /// The firmware's throttling bits (`vcgencmd get_throttled`).
    pub throttled: Option<u64>,
}

impl Snapshot {
    /// The machine as it is now.
    #[must_use]
    pub fn take() -> Self {
        Self {
            throttled: firmware_throttling(),
            ..Self::read(Path::new("/"))
        }
    }

    /// The part of it that the files below `root` tell (`/`, or a folder of a test).
    fn read(root: &Path) -> Self {
        let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        Self {
            load: text("proc/loadavg")
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok()),
            clock: mean_clock(&root.join("sys/devices/system/cpu")),
            swapped_pages: swapped_pages(&text("proc/vmstat")),
            ticks: cpu_ticks(&text("proc/stat")),
            throttled: None,
        }
    }

    /// What happened between this moment and a `later` one that measurements should not have seen.
    #[must_use]
    pub fn warnings_until(&self, later: &Self, cores: u64) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let Some(load) = self.load.filter(|load| *load > 0.5 * cores as f64) {
            warnings.push(Warning::Busy { load, cores });
        }
        if let (Some((all, stolen)), Some((all_later, stolen_later))) = (self.ticks, later.ticks) {
            let share = stolen_later.saturating_sub(stolen) as f64 / all_later.saturating_sub(all).max(1) as f64;
            if share > 0.02 {
                warnings.push(Warning::Stolen { share });
            }
        }
        if let (Some(before), Some(after)) = (self.clock, later.clock)
            && after < 0.9 * before
        {
            warnings.push(Warning::ClockDropped { before, after });
        }
        if let Some(reason) = later.throttled.and_then(throttling_reason) {
            warnings.push(Warning::Throttled { reason });
        }
        if let (Some(before), Some(after)) = (self.swapped_pages, later.swapped_pages)
            && after > before
        {
            warnings.push(Warning::Swapped { pages: after - before });
        }
        warnings
    }
}

/// Pages swapped in and out since boot, of /proc/vmstat.
fn swapped_pages(vmstat: &str) -> Option<u64> {
    let count = |name: &str| {
        let line = vmstat.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u64>().ok()
    };
    Some(count("pswpin ")? + count("pswpout ")?)
}

/// All ticks and the stolen ones, of the first line of /proc/stat (`cpu user nice system idle iowait irq softirq steal ...`).
fn cpu_ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .filter_map(|word| word.parse().ok())
        .collect();
    Some((ticks.iter().sum(), *ticks.get(7)?))
}

/// Mean of `cpuN/cpufreq/scaling_cur_freq`, hertz.
fn mean_clock(cpus: &Path) -> Option<f64> {
    let clocks: Vec<f64> = std::fs::read_dir(cpus)
        .ok()?
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("cpufreq/scaling_cur_freq")).ok())
        .filter_map(|kilohertz| kilohertz.trim().parse::<f64>().ok())
        .collect();
    (!clocks.is_empty()).then(|| 1e3 * clocks.iter().sum::<f64>() / clocks.len() as f64)
}

/// `vcgencmd get_throttled`, where that command exists (Raspberry Pi).
fn firmware_throttling() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let output = std::process::Command::new("vcgencmd")
        .arg("get_throttled")
        .output()
        .ok()?;
    throttling_bits(std::str::from_utf8(&output.stdout).ok()?)
}

/// The bits of `throttled=0x50005`.
fn throttling_bits(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("throttled=0x")?, 16).ok()
}

/// The bits in words; none if nothing is wrong. Bits 0 to 3 hold now, 16 to 19 since boot.
fn throttling_reason(bits: u64) -> Option<String> {
    let names = [
        "under-voltage",
        "the clock is capped",
        "throttling",
        "the soft temperature limit is active",
    ];
    let said = |shift: usize, when: &str| {
        let said: Vec<_> = (0..4)
            .filter(|bit| bits >> (bit + shift) & 1 == 1)
            .map(|bit| names[bit])
            .collect();
        (!said.is_empty()).then(|| format!("{} ({when})", said.join(", ")))
    };
    said(0, "now").or_else(|| said(16, "since boot"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pi_that_throttles_says_so() {
        assert_eq!(throttling_bits("throttled=0x50005\n"), Some(0x50005));
        assert_eq!(throttling_reason(0x50005).unwrap(), "under-voltage, throttling (now)");
        assert_eq!(throttling_reason(0x20000).unwrap(), "the clock is capped (since boot)");
        assert_eq!(throttling_reason(0), None);
        assert_eq!(throttling_bits("error=1"), None);
    }

    #[test]
    fn proc_files_are_read() {
        assert_eq!(swapped_pages("nr_free_pages 1\npswpin 3\npswpout 4\n"), Some(7));
        assert_eq!(cpu_ticks("cpu  10 1 2 80 3 0 1 5 0 0\ncpu0 1\n"), Some((102, 5)));
        assert_eq!(swapped_pages(""), None);
        assert_eq!(Snapshot::read(Path::new("/nonexistent")), Snapshot::default());
    }

    #[test]
    fn each_disturbance_has_its_warning() {
        let before = Snapshot {
            load: Some(3.0),
            clock: Some(2.4e9),
            swapped_pages: Some(5),
            ticks: Some((1000, 0)),
            throttled: Some(0),
        };
        let after = Snapshot {
            clock: Some(1.5e9),
            swapped_pages: Some(9),
            ticks: Some((2000, 100)),
            throttled: Some(4),
            ..before.clone()
        };
        let warnings = before.warnings_until(&after, 4);
        assert_eq!(warnings.len(), 5, "{warnings:?}");
        assert!(warnings.contains(&Warning::Swapped { pages: 4 }));
        assert!(
            warnings
                .iter()
                .any(|w| matches!(w, Warning::Stolen { share } if (share - 0.1).abs() < 1e-12))
        );
        assert!(warnings.iter().all(|warning| !warning.to_string().is_empty()));
        let quiet = Snapshot {
            load: Some(0.1),
            ..before
        };
        assert_eq!(quiet.warnings_until(&quiet, 4), []);
    }
}
