//! What was measured, fitted and left out, for readers and for programs.

use super::{Failure, Target};
use edgeprof::calibrate::bench::Bench;
use edgeprof::calibrate::collect::Power;
use edgeprof::calibrate::device::Calibrated;
use edgeprof::calibrate::measurement::LeftOut;
use edgeprof::calibrate::probe::Probes;
use edgeprof::calibration::{Calibration, FactorId, Phase, PowerFactors};
use edgeprof::output::{Align, Grid, SCHEMA, number};
use edgeprof::power::{self, Info};
use edgeprof::units::Watts;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Rows that are listed one by one; of more, the reasons are counted.
const MOST_LINES: usize = 60;

/// What happened beside the fit.
#[derive(Default)]
pub struct Report {
    /// Time that measuring took, seconds.
    pub seconds: Option<f64>,
    /// The machine's rates.
    pub probes: Option<Probes>,
    /// Where power was read.
    pub power: Option<Power>,
    /// What could not be trusted, and what was not used.
    pub warnings: Vec<String>,
    /// Rows that cannot be fitted.
    pub left_out: Vec<LeftOut>,
    /// Files that were written.
    pub written: Vec<PathBuf>,
}

impl Report {
    /// The report for a reader.
    pub fn text(&self, target: &Target, bench: &Bench, calibrated: &Calibrated, class: &Calibration) -> String {
        let file = &calibrated.file;
        let mut text = format!(
            "Calibration of {} ({}), {}, class {}\n",
            target.device.id, target.device.name, target.backend, file.class
        );
        // Writing to a String cannot fail.
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<9} {value}");
        };
        if let Some(machine) = &file.machine {
            line("machine", machine);
        }
        if let Some(build) = &file.build {
            line("build", build);
        }
        if let Some(threads) = file.threads {
            line("threads", &threads.to_string());
        }
        if let Some(seconds) = self.seconds {
            line("took", &number::seconds(seconds));
        }
        if let Some(probes) = &self.probes {
            let _ = write!(text, "\n{}", rates(probes));
        }
        if let Some(power) = &self.power {
            let _ = write!(text, "\n{}", power_text(power));
        }
        let _ = write!(text, "\n{}", measured(bench, calibrated));
        let _ = write!(text, "\n{}", factors(calibrated, class));
        for (phase, quality) in &file.quality {
            let error = quality
                .held_out_error
                .map_or_else(|| "not checked".to_owned(), number::percent);
            let _ = writeln!(
                text,
                "{}{phase}: {} points, scatter {}, median error on a model left out of the fit: {error}",
                if *phase == Phase::Prefill { "\n" } else { "" },
                quality.points,
                number::percent(quality.scatter)
            );
        }
        if let Some(power) = &file.power {
            text.push_str(&energy_text(power));
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &self.left_out {
            *reasons.entry(&row.reason).or_default() += 1;
        }
        for (reason, count) in reasons {
            let _ = writeln!(text, "left out: {count} rows: {reason}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        for path in &self.written {
            let _ = writeln!(text, "written: {}", path.display());
        }
        text
    }

    /// The report for a program.
    pub fn json(
        &self,
        target: &Target,
        bench: &Bench,
        calibrated: &Calibrated,
        class: &Calibration,
    ) -> Result<String, Failure> {
        let file = &calibrated.file;
        let measured: Vec<Value> = bench
            .rows
            .iter()
            .zip(&file.points)
            .map(|(row, point)| {
                let mut value = serde_json::to_value(&row.measurement).unwrap_or_default();
                if let Value::Object(object) = &mut value {
                    object.insert("test".to_owned(), json!(point.test));
                    object.insert(
                        "fitted_tokens_per_s".to_owned(),
                        json!(point.tokens_per_s * point.residual.exp()),
                    );
                    object.insert("residual".to_owned(), json!(point.residual));
                }
                value
            })
            .collect();
        let fitted: serde_json::Map<String, Value> = file
            .factors
            .iter()
            .map(|(name, factor)| {
                let class_value = class.file.factors.get(name).map(|factor| factor.value);
                let value = json!({
                    "value": factor.value,
                    "error": factor.error,
                    "class_value": class_value,
                    "determined": !factor.from_class,
                });
                (name.clone(), value)
            })
            .collect();
        let document = json!({
            "schema": SCHEMA,
            "device": target.device.id,
            "backend": target.backend.name(),
            "class": file.class,
            "machine": file.machine,
            "build": file.build,
            "date": file.date,
            "threads": file.threads,
            "seconds": self.seconds,
            "probes": self.probes,
            "power": self.power,
            "energy": file.power,
            "measured": measured,
            "factors": fitted,
            "quality": file.quality,
            "left_out": self.left_out,
            "warnings": self.warnings,
            "written": self.written,
        });
        Ok(serde_json::to_string_pretty(&document).map_err(Failure::new)? + "\n")
    }
}

/// Where power was read, and what reading it cost.
fn power_text(power: &Power) -> String {
    let mut text = format!("Power     {} (rail {})", power.what, power.rail);
    if let Some(idle) = power.idle_watts {
        let _ = write!(text, ", idle {:.2} W", idle.get());
    }
    if let (Some(seconds), Some(share)) = (power.reading_s, power.share_of_core) {
        let _ = write!(
            text,
            "; a reading takes {}, {} of one core",
            number::seconds(seconds),
            number::percent(share)
        );
    }
    text + "\n"
}

/// What was fitted to the power of the tests.
fn energy_text(power: &PowerFactors) -> String {
    let Some(measured) = &power.measured else {
        return String::new();
    };
    let range = measured.full_load_w - measured.idle_w;
    let watts = |value: f64| format!("{} W", number::significant(value, 3));
    let error = power
        .held_out_error
        .map_or_else(|| "not checked".to_owned(), number::percent);
    format!(
        "energy: {} stand on the rail {}, arithmetic draws {} beyond, streaming {}; {} points, median error on a model left out of the fit: {error}\n",
        watts(measured.idle_w * power.standing),
        measured.rail,
        watts(range * power.compute),
        watts(range * power.memory),
        power.points
    )
}

/// The points, measured and fitted.
fn measured(bench: &Bench, calibrated: &Calibrated) -> String {
    let power = bench.rows.iter().any(|row| row.measurement.watts.is_some());
    let mut columns = vec![
        ("Measured", Align::Left),
        ("precision", Align::Left),
        ("test", Align::Left),
        ("threads", Align::Right),
        ("tokens/s", Align::Right),
        ("fitted", Align::Right),
        ("error", Align::Right),
    ];
    columns.extend(power.then_some(("power", Align::Right)));
    let mut grid = Grid::new(columns);
    let points = &calibrated.file.points;
    for (row, point) in bench.rows.iter().zip(points).take(MOST_LINES) {
        let threads = row.measurement.threads.map(|threads| threads.to_string());
        let mut cells = vec![
            point.model.clone(),
            point.precision.clone(),
            point.test.clone(),
            threads.unwrap_or_default(),
            number::rate(point.tokens_per_s),
            number::rate(point.tokens_per_s * point.residual.exp()),
            format!("{:+.1} %", 100.0 * point.residual.exp_m1()),
        ];
        if power {
            let watts = row.measurement.watts;
            cells.push(watts.map(|watts| format!("{:.2} W", watts.get())).unwrap_or_default());
        }
        grid.row(cells);
    }
    let mut text = grid.text("");
    if points.len() > MOST_LINES {
        let _ = writeln!(text, "and {} more", points.len() - MOST_LINES);
    }
    text
}

/// The factors that the measurements determine beside the class's, and how many they do not.
fn factors(calibrated: &Calibrated, class: &Calibration) -> String {
    let mut grid = Grid::new([
        ("Factor", Align::Left),
        ("fitted", Align::Right),
        ("±", Align::Right),
        ("class's", Align::Right),
        ("", Align::Left),
    ]);
    let touched: std::collections::BTreeSet<FactorId> = calibrated.fit.estimate.factors.iter().copied().collect();
    let value = |factor: FactorId, value: f64| {
        if factor.is_utilization() {
            number::significant(value, 3)
        } else {
            number::seconds(value)
        }
    };
    let mut silent = 0;
    for factor in touched {
        let Some(fitted) = calibrated.file.factors.get(&factor.to_string()) else {
            continue;
        };
        let of_format = matches!(factor, FactorId::Compute(..));
        if fitted.from_class && of_format {
            silent += 1;
            continue;
        }
        grid.row([
            factor.to_string(),
            value(factor, fitted.value),
            number::percent(fitted.error),
            value(factor, class.factor(factor)),
            match (
                fitted.from_class,
                (fitted.value / class.factor(factor)).ln().abs() < 0.02,
            ) {
                (false, _) => "",
                _ if calibrated.fit.on_one_point.contains(&factor) => "one measurement alone speaks of it: its class's",
                (true, true) => "not determined: its class's",
                (true, false) => "little determined: moved from its class's",
            }
            .to_owned(),
        ]);
    }
    let mut text = grid.text("");
    if silent > 0 {
        let _ = writeln!(
            text,
            "{silent} factors of formats that these measurements do not determine are the class's, moved only as far as formats move together"
        );
    }
    text
}

fn rates(probes: &Probes) -> String {
    let mut grid = Grid::new([("Probed", Align::Left), ("", Align::Right), ("", Align::Left)]);
    let rate = |value: f64| number::quantity(value, "B/s");
    let threads = format!("{} threads", probes.threads);
    grid.row(["memory, read", &rate(probes.read_bandwidth), &threads]);
    grid.row(["memory, read", &rate(probes.core_read_bandwidth), "1 thread"]);
    grid.row(["memory, triad", &rate(probes.triad_bandwidth), &threads]);
    grid.row(["memory, triad", &rate(probes.core_triad_bandwidth), "1 thread"]);
    if let Some(storage) = &probes.storage {
        let note = if storage.uncached {
            "past the page cache"
        } else {
            "perhaps from the page cache: not used"
        };
        grid.row(["storage, read", &rate(storage.bytes_per_s), note]);
    }
    if let Some(write) = probes.write_rate {
        grid.row(["storage, write", &rate(write), ""]);
    }
    if let Some(copy) = probes.host_to_device {
        grid.row([
            "host to device",
            &rate(copy),
            "from ordinary memory, as weights are loaded",
        ]);
    }
    grid.text("")
}

/// The power sensors of this machine.
#[derive(Serialize)]
pub struct Sensors {
    found: Vec<SensorState>,
}

/// A sensor and what it says now, or why it cannot be read.
#[derive(Serialize)]
struct SensorState {
    sensor: Option<Info>,
    watts: Option<Watts>,
    error: Option<String>,
}

impl Sensors {
    /// Those there are, each read for a moment.
    pub fn find() -> Self {
        let state = |found: power::Found| match found {
            Ok(mut sensor) => {
                let info = sensor.info().clone();
                let first = sensor.sample();
                std::thread::sleep(std::time::Duration::from_millis(250));
                let (watts, error) = match first.and_then(|_| sensor.sample()) {
                    Ok(watts) => (watts, None),
                    Err(error) => (None, Some(error.to_string())),
                };
                SensorState {
                    sensor: Some(info),
                    watts,
                    error,
                }
            }
            Err(error) => SensorState {
                sensor: None,
                watts: None,
                error: Some(error.to_string()),
            },
        };
        Self {
            found: power::find(&power::Host::this()).into_iter().map(state).collect(),
        }
    }

    fn text(&self) -> String {
        if self.found.is_empty() {
            return "no power sensor is found; `calibrate --power-log FILE.csv` takes a meter's\n".to_owned();
        }
        let mut grid = Grid::new([
            ("Power", Align::Left),
            ("rail", Align::Left),
            ("", Align::Right),
            ("", Align::Left),
        ]);
        for state in &self.found {
            let info = state.sensor.as_ref();
            grid.row([
                info.map_or("", |info| info.name).to_owned(),
                info.map_or(String::new(), |info| info.rail.to_string()),
                state
                    .watts
                    .map(|watts| format!("{:.2} W", watts.get()))
                    .unwrap_or_default(),
                state
                    .error
                    .clone()
                    .or(info.map(|info| info.what.clone()))
                    .unwrap_or_default(),
            ]);
        }
        grid.text("")
    }
}

/// `--probe` for a reader.
pub fn probes_text(
    probes: &Probes,
    build: &Result<String, String>,
    sensors: &Sensors,
    written: Option<&Path>,
) -> String {
    let (Ok(build) | Err(build)) = build;
    let mut text = format!("{}\nEngine  {build}\n\n{}", rates(probes), sensors.text());
    if let Some(path) = written {
        let _ = writeln!(text, "written: {}", path.display());
    }
    text
}

/// `--probe` for a program.
pub fn probes_json(
    probes: &Probes,
    build: &Result<String, String>,
    sensors: &Sensors,
    written: Option<&Path>,
) -> Result<String, Failure> {
    let document = json!({
        "schema": SCHEMA,
        "probes": probes,
        "build": build.as_ref().ok(),
        "cannot_measure": build.as_ref().err(),
        "power_sensors": sensors.found,
        "written": written,
    });
    Ok(serde_json::to_string_pretty(&document).map_err(Failure::new)? + "\n")
}
