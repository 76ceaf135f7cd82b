//! What was measured on: enough that a reader of a calibration knows whether it is about their machine.

use crate::device::{BackendKind, Device};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The device as detected: a board's or a CPU's name.
    pub name: String,
    /// CPU cores that llama.cpp should run on.
    pub cores: u64,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Memory that was available when the measurement began, bytes.
    pub available_bytes: u64,
    /// Last-level cache of those cores, bytes; none if it is not stated.
    pub last_level_cache: Option<u64>,
    /// Operating system and kernel.
    pub system: String,
}

impl Machine {
    /// The machine of a detected device.
    #[must_use]
    pub fn of(device: &Device) -> Self {
        let cpu = device.backends.get(&BackendKind::Cpu);
        let fallback = || std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        Self {
            name: device.name.clone(),
            cores: cpu.map_or_else(fallback, |cpu| cpu.cores.value),
            memory_bytes: device.memory.capacity.value.get() as u64,
            available_bytes: device.memory.usable.value.get() as u64,
            last_level_cache: cpu.and_then(|cpu| Some(cpu.last_level_cache.as_ref()?.value.get() as u64)),
            system: system(),
        }
    }
}

/// `Debian GNU/Linux 12 (bookworm), Linux 6.12.0` or as much of it as files tell.
fn system() -> String {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let distribution = pretty_name(&text("/etc/os-release"));
    let kernel = text("/proc/sys/kernel/osrelease");
    match (distribution, kernel.trim()) {
        (Some(name), "") => name,
        (Some(name), kernel) => format!("{name}, Linux {kernel}"),
        (None, "") => format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        (None, kernel) => format!("Linux {kernel}"),
    }
}

/// `PRETTY_NAME` of /etc/os-release.
fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// Today, ISO 8601, in UTC.
#[must_use]
pub fn today() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    date(seconds / 86_400)
}

/// The date that is so many days after 1970-01-01.
fn date(mut days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_since_1970_become_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(11_017), "2000-03-01");
        assert_eq!(date(20_453), "2025-12-31");
        assert_eq!(date(20_454), "2026-01-01");
    }

    #[test]
    fn the_distribution_is_named_as_it_names_itself() {
        let name = pretty_name("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
        assert_eq!(name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(pretty_name(""), None);
    }
}
