//! What `--plan` and `--probe` say before anything is measured.

use super::Failure;
use edgeprof::calibrate::plan::Plan;
use edgeprof::calibrate::probe::Probes;
use edgeprof::output::{Align, Grid, SCHEMA, Sheet, number};
use edgeprof::power::{self, Info};
use edgeprof::units::Watts;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// What a program that was built without optimisation finds out about memory.
pub const UNOPTIMISED: Option<&str> = if cfg!(debug_assertions) {
    Some(
        "this edgeprof is built without optimisation, so what it says of memory is far too little; build it with --release, or by scripts/install.sh",
    )
} else {
    None
};

/// `--plan` for a reader, with what would measure or why nothing can.
pub fn plan(plan: &Plan, build: &Result<String, String>) -> Sheet {
    let mut sheet = plan.sheet();
    sheet.paragraph(match build {
        Ok(build) => format!("with {build}"),
        Err(reason) => format!("cannot be measured yet: {reason}"),
    });
    sheet
}

/// `--plan` for a program.
pub fn plan_json(plan: &Plan, build: &Result<String, String>) -> Result<String, Failure> {
    let rates = &plan.options.rates;
    let probes = plan.probes.iter().map(|probe| {
        let tests = probe.tests.iter().map(|test| {
            json!({
                "phase": test.phase,
                "tokens": test.tokens,
                "depth": test.depth,
                "threads": test.threads,
                "expected_s": rates.test_seconds(probe, test),
            })
        });
        json!({
            "model": probe.model.id,
            "precision": probe.precision(),
            "weight_bytes": probe.weight_bytes,
            "for": probe.purpose.to_string(),
            "tests": tests.collect::<Vec<Value>>(),
        })
    });
    let document = json!({
        "schema": SCHEMA,
        "probes": probes.collect::<Vec<Value>>(),
        "expected_s": plan.expected_s(),
        "budget_s": plan.options.budget_s,
        "disk_bytes": plan.disk(),
        "memory_bytes": plan.memory(),
        "build": build.as_ref().ok(),
        "cannot_measure": build.as_ref().err(),
    });
    Ok(serde_json::to_string_pretty(&document).map_err(Failure::new)? + "\n")
}

/// Rates of the machine.
pub fn rates(probes: &Probes) -> Grid {
    let mut grid = Grid::new([("", Align::Left), ("rate", Align::Right), ("", Align::Left)]);
    let rate = |value: f64| number::quantity(value, "B/s");
    let threads = format!("{} threads", probes.threads);
    grid.row(["memory, read", &rate(probes.read_bandwidth), &threads]);
    grid.row(["memory, read", &rate(probes.core_read_bandwidth), "1 thread"]);
    grid.row(["memory, triad", &rate(probes.triad_bandwidth), &threads]);
    grid.row(["memory, triad", &rate(probes.core_triad_bandwidth), "1 thread"]);
    grid.row(["clock", &number::quantity(probes.clock, "Hz"), &threads]);
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
    grid
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

    fn grid(&self) -> Grid {
        let mut grid = Grid::new([
            ("sensor", Align::Left),
            ("rail", Align::Left),
            ("power", Align::Right),
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
        grid
    }
}

/// `--probe` for a reader.
pub fn probes(probes: &Probes, build: &Result<String, String>, sensors: &Sensors, written: Option<&Path>) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.table("Probed", rates(probes));
    if sensors.found.is_empty() {
        sheet.paragraph("no power sensor is found; `calibrate --power-log FILE.csv` takes a meter's");
    } else {
        sheet.table("Power", sensors.grid());
    }
    let (Ok(build) | Err(build)) = build;
    let mut items = vec![format!("engine: {build}")];
    items.extend(UNOPTIMISED.map(|warning| format!("warning: {warning}")));
    items.extend(written.map(|path| format!("written: {}", path.display())));
    sheet.items(items);
    sheet
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
        "warnings": UNOPTIMISED.as_slice(),
        "written": written,
    });
    Ok(serde_json::to_string_pretty(&document).map_err(Failure::new)? + "\n")
}
