#![allow(clippy::unwrap_used)]
use super::*;
use crate::device::Rail;
use std::path::PathBuf;
use std::time::Duration;

/// A machine of `tests/data/power`.
fn host(name: &str) -> Host {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/power")
        .join(name);
    Host::at(folder.clone(), vec![folder.join("bin")])
}

fn only(name: &str) -> Box<dyn Sensor> {
    let mut found = find(&host(name));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0).unwrap()
}

fn watts(name: &str) -> f64 {
    only(name).sample().unwrap().unwrap().get()
}

#[test]
fn a_jetson_is_its_modules_rail_or_the_sum_of_those_it_has() {
    // 5.024 V · 0.936 A; and 19.192 · 0.208 + 19.2 · 0.064 + 5.024 · 0.772, of which VDDQ is a part.
    assert!((watts("orin-nano") - 4.702_464).abs() < 1e-9);
    assert!((watts("agx-orin") - 9.099_264).abs() < 1e-9);
    let info = only("orin-nano").info().clone();
    assert_eq!(
        (info.name, info.rail.name(), info.what.as_str()),
        ("ina3221", "module", "INA3221, VDD_IN")
    );
    assert_eq!(
        only("agx-orin").info().what,
        "INA3221, VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"
    );
}

#[test]
fn a_battery_counts_while_it_feeds_the_machine() {
    assert!((watts("unplugged") - 9.31).abs() < 1e-12);
    let found = find(&host("charging")).remove(0);
    let error = found.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the battery is charging: what it draws is not the machine's power; unplug the charger"
    );
    // 11.85 V · 1.204 A, from the laptop's battery and not from the mouse's.
    let battery = Choice::Named("battery");
    let chosen = choose(&host("laptop"), &battery, false).unwrap();
    assert!((chosen.sensor.unwrap().sample().unwrap().unwrap().get() - 14.2674).abs() < 1e-9);
}

#[cfg(unix)]
#[test]
fn a_pi_adds_its_rails_and_an_older_one_has_no_sensor() {
    let expected = 0.097_593_75 * 3.705_121
        + 0.064_411_88 * 3.308_673
        + 0.181_524_4 * 1.792_914
        + 0.028_302_2 * 1.108_057
        + 0.186_404_1 * 1.105_127
        + 0.370_863 * 0.801_465
        + 2.124 * 0.848_900_8
        + 0.000_305_25 * 3.306_779
        + 0.003_968_25 * 0.799_145_5
        + 0.014_896_2 * 5.130_12;
    assert!((watts("pi5") - expected).abs() < 1e-9);
    assert!(find(&host("pi4")).is_empty());
}

#[cfg(unix)]
#[test]
fn a_gpus_board_is_followed_as_its_program_prints() {
    let mut sensor = only("gpu");
    assert_eq!((sensor.info().name, sensor.info().rail.name()), ("nvml", "board"));
    let last = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        sensor.sample().unwrap().filter(|watts| *watts == Watts(251.3))
    });
    assert!(last.is_some());
    // Its board is the rail of a run on it only.
    assert!(choose(&host("gpu"), &Choice::Auto, false).unwrap().sensor.is_none());
    assert!(choose(&host("gpu"), &Choice::Auto, true).unwrap().sensor.is_some());
}

/// A copy of the laptop whose counters can be moved.
fn counters() -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/power/laptop/sys/class/powercap");
    for zone in std::fs::read_dir(from).unwrap() {
        let zone = zone.unwrap().path();
        let to = folder.path().join("sys/class/powercap").join(zone.file_name().unwrap());
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(zone).unwrap() {
            let file = file.unwrap().path();
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    let host = Host::at(folder.path().to_owned(), Vec::new());
    (folder, host)
}

#[test]
fn rapl_is_what_package_and_memory_counted_since_the_last_reading() {
    let (folder, host) = counters();
    let mut sensor = find(&host).remove(0).unwrap();
    assert_eq!(
        (sensor.info().name, sensor.info().rail.name()),
        ("rapl", "package+dram")
    );
    assert_eq!(sensor.sample().unwrap(), None);
    // The package counts 3 J on; the memory's counter, 65.713 kJ long, starts anew and counts 1 J: 65712.999613 - 8438.7 + x.
    let zone = |name: &str| folder.path().join("sys/class/powercap").join(name).join("energy_uj");
    std::fs::write(zone("intel-rapl:0"), "21441700000\n").unwrap();
    std::fs::write(zone("intel-rapl:0:2"), "8438700000\n").unwrap();
    let start = std::time::Instant::now();
    std::thread::sleep(Duration::from_millis(30));
    let watts = sensor.sample().unwrap().unwrap().get();
    // 3 J in the time since the first reading, which is a little longer than since `start`.
    assert!(
        watts > 0.0 && watts <= 3.0 / start.elapsed().as_secs_f64().min(0.03),
        "{watts}"
    );
    std::fs::write(zone("intel-rapl:0"), "500000000\n").unwrap();
    assert!(sensor.sample().unwrap().unwrap().get() > 0.0);
    std::fs::write(zone("intel-rapl:0"), "soon\n").unwrap();
    assert!(sensor.sample().unwrap_err().to_string().contains("`soon` is no number"));
}

#[test]
fn what_may_not_be_read_says_the_cure() {
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = PowerError::reading("rapl", PathBuf::from("/sys/x/energy_uj"), "run as root", &denied);
    assert_eq!(
        error.to_string(),
        "rapl may not be read by this user (/sys/x/energy_uj); run as root"
    );
    assert_eq!(error.sensor(), Some("rapl"));
}

#[test]
fn a_choice_that_cannot_be_met_says_why() {
    let nowhere = Host::at(PathBuf::from("/nonexistent"), Vec::new());
    assert!(find(&nowhere).is_empty());
    let chosen = choose(&nowhere, &Choice::Auto, true).unwrap();
    assert!(chosen.sensor.is_none() && chosen.refused.is_empty());
    let error = choose(&nowhere, &Choice::Named("rapl"), false).unwrap_err();
    assert!(error.to_string().contains("no rapl sensor"), "{error}");
    let chosen = choose(&host("charging"), &Choice::Auto, false).unwrap();
    assert!(chosen.sensor.is_none() && chosen.refused.len() == 1);
    assert!(choose(&host("charging"), &Choice::Named("battery"), false).is_err());
    assert_eq!("RAPL".parse::<Choice>().unwrap(), Choice::Named("rapl"));
    assert!(
        "wattmeter"
            .parse::<Choice>()
            .unwrap_err()
            .to_string()
            .contains("ina3221")
    );
}

/// So many watts each time.
#[derive(Debug)]
struct Steady(Info, Vec<f64>);

impl Sensor for Steady {
    fn info(&self) -> &Info {
        &self.0
    }

    fn sample(&mut self) -> Result<Option<Watts>, PowerError> {
        let unreadable = PowerError::Unreadable {
            name: "rapl",
            reason: "gone".to_owned(),
        };
        self.1.pop().map(|watts| Some(Watts(watts))).ok_or(unreadable)
    }
}

#[test]
fn a_sampler_reads_beside_the_run_and_ends_with_its_value_or_its_sensor() {
    let info = Info {
        name: "rapl",
        rail: Rail::Package,
        what: String::new(),
    };
    let sampler = Sampler::every(Duration::from_millis(2), Box::new(Steady(info, vec![7.0; 4])));
    let ended = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(2));
        sampler.error().is_some()
    });
    assert!(ended && sampler.error().unwrap().contains("gone"));
    let trace = sampler.trace();
    assert_eq!(trace.samples().len(), 4);
    let (first, last) = (trace.samples()[0].at_s, trace.samples()[3].at_s);
    assert_eq!(trace.mean(first, last), Some(Watts(7.0)));
    let (seconds, share) = sampler.overhead();
    assert!(seconds >= 0.0 && (0.0..=1.0).contains(&share));
}
