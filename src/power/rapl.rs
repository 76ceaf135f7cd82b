//! RAPL: counters of energy of a package and its memory (Intel, and AMD since Zen), through Linux's powercap.

use super::host::{Host, number, text};
use super::{Found, Info, PowerError, Sensor};
use crate::device::Rail;
use crate::units::Watts;
use std::path::PathBuf;
use std::time::Instant;

const NAME: &str = "rapl";
const FOLDER: &str = "sys/class/powercap";
const CURE: &str =
    "allow it until the next start with `sudo chmod a+r /sys/class/powercap/*/energy_uj`, or run as root";

/// A counter that starts anew after its range.
#[derive(Debug)]
struct Zone {
    energy: PathBuf,
    /// Microjoules that it counts to.
    range: f64,
    last: f64,
}

/// The counters of a machine.
#[derive(Debug)]
struct Rapl {
    info: Info,
    zones: Vec<Zone>,
    at: Option<Instant>,
}

/// The packages and their memory. `psys`, where it is, feeds more than the processor and is read instead: the whole platform.
pub(super) fn find(host: &Host) -> Option<Found> {
    let mut packages = Vec::new();
    let mut memory = Vec::new();
    let mut platform = Vec::new();
    for folder in host.entries(FOLDER) {
        let Ok(name) = text(&folder.join("name")) else { continue };
        match name.as_str() {
            "psys" => platform.push(folder),
            "dram" => memory.push(folder),
            name if name.starts_with("package") => packages.push(folder),
            _ => {}
        }
    }
    let (rail, what, folders) = if !platform.is_empty() {
        (Rail::Platform, "RAPL, the whole platform (psys)", platform)
    } else if !memory.is_empty() && !packages.is_empty() {
        packages.append(&mut memory);
        (Rail::PackageDram, "RAPL, processor packages and memory", packages)
    } else if !packages.is_empty() {
        (Rail::Package, "RAPL, processor packages", packages)
    } else {
        return None;
    };
    let zones = folders
        .into_iter()
        .map(|folder| zone(&folder))
        .collect::<Result<_, _>>();
    Some(zones.map(|zones| {
        let info = Info {
            name: NAME,
            rail,
            what: what.to_owned(),
        };
        Box::new(Rapl { info, zones, at: None }) as Box<dyn Sensor>
    }))
}

fn zone(folder: &std::path::Path) -> Result<Zone, PowerError> {
    let read = |file: &str| {
        let path = folder.join(file);
        number(&path).map_err(|error| PowerError::reading(NAME, path, CURE, &error))
    };
    Ok(Zone {
        last: read("energy_uj")?,
        range: read("max_energy_range_uj")?,
        energy: folder.join("energy_uj"),
    })
}

/// Microjoules from one reading of a counter to the next, which may have started anew in between.
fn counted(before: f64, after: f64, range: f64) -> f64 {
    if after >= before {
        after - before
    } else {
        after - before + range
    }
}

impl Sensor for Rapl {
    fn info(&self) -> &Info {
        &self.info
    }

    fn sample(&mut self) -> Result<Option<Watts>, PowerError> {
        let mut microjoules = 0.0;
        let now = Instant::now();
        for zone in &mut self.zones {
            let energy =
                number(&zone.energy).map_err(|error| PowerError::reading(NAME, zone.energy.clone(), CURE, &error))?;
            microjoules += counted(zone.last, energy, zone.range);
            zone.last = energy;
        }
        let seconds = self.at.replace(now).map(|before| (now - before).as_secs_f64());
        Ok(seconds
            .filter(|seconds| *seconds > 0.0)
            .map(|seconds| Watts(1e-6 * microjoules / seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_counter_that_starts_anew_goes_on() {
        // The range of a desktop's package: 262143.328850 J.
        let range = 262_143_328_850.0;
        assert!((counted(262_143_000_000.0, 671_150.0, range) - 1_000_000.0).abs() < 1e-3);
        assert!((counted(5.0, 7.0, range) - 2.0).abs() < f64::EPSILON);
    }
}
