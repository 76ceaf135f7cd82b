//! What was measured, fitted and left out, for readers and for programs.

use super::ahead::rates;
use super::{Failure, Target};
use edgeprof::calibrate::bench::Bench;
use edgeprof::calibrate::collect::Power;
use edgeprof::calibrate::device::Calibrated;
use edgeprof::calibrate::measurement::LeftOut;
use edgeprof::calibrate::probe::Probes;
use edgeprof::calibration::{Calibration, FactorId, PowerFactors};
use edgeprof::output::{Align, Grid, SCHEMA, Sheet, number};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

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
    pub fn sheet(&self, target: &Target, bench: &Bench, calibrated: &Calibrated, class: &Calibration) -> Sheet {
        let file = &calibrated.file;
        let mut sheet = Sheet::default();
        sheet.heading(
            format!("Calibration of {}", target.device.id),
            format!(" ({}), {}, class {}", target.device.name, target.backend, file.class),
        );
        let about = [
            file.machine.as_ref().map(|machine| format!("machine: {machine}")),
            file.build.as_ref().map(|build| format!("build: {build}")),
            file.threads.map(|threads| format!("threads: {threads}")),
            self.seconds
                .map(|seconds| format!("took: {}", number::seconds(seconds))),
            self.power.as_ref().map(power_text),
        ];
        sheet.items(about.into_iter().flatten().collect());
        if let Some(probes) = &self.probes {
            sheet.table("Probed", rates(probes));
        }
        sheet.table("Measured", measured(bench, calibrated));
        let more = calibrated.file.points.len().saturating_sub(MOST_LINES);
        if more > 0 {
            sheet.paragraph(format!("and {more} more"));
        }
        let (grid, silent) = factors(calibrated, class);
        sheet.table("Factors", grid);
        if silent > 0 {
            sheet.paragraph(format!(
                "{silent} factors of formats that these measurements do not determine are the class's, moved only as far as formats move together"
            ));
        }
        let quality = file.quality.iter().map(|(phase, quality)| {
            let error = quality
                .held_out_error
                .map_or_else(|| "not checked".to_owned(), number::percent);
            format!(
                "{phase}: {}, scatter {}, median error on a model left out of the fit: {error}",
                counted(quality.points, "point"),
                number::percent(quality.scatter)
            )
        });
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &self.left_out {
            *reasons.entry(&row.reason).or_default() += 1;
        }
        let left_out = reasons
            .into_iter()
            .map(|(reason, count)| format!("left out: {}: {reason}", counted(count, "row")));
        let items = quality
            .chain(file.power.as_ref().and_then(energy_text))
            .chain(left_out)
            .chain(self.warnings.iter().map(|warning| format!("warning: {warning}")))
            .chain(self.written.iter().map(|path| format!("written: {}", path.display())));
        sheet.items(items.collect());
        sheet
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
    let mut text = format!("power: {} (rail {})", power.what, power.rail);
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
    text
}

/// `1 point`, `2 points`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What was fitted to the power of the tests.
fn energy_text(power: &PowerFactors) -> Option<String> {
    let measured = power.measured.as_ref()?;
    let range = measured.full_load_w - measured.idle_w;
    let watts = |value: f64| format!("{} W", number::significant(value, 3));
    let error = power
        .held_out_error
        .map_or_else(|| "not checked".to_owned(), number::percent);
    Some(format!(
        "energy: {} stand on the rail {}, arithmetic draws {} beyond, streaming {}; {}, median error on a model left out of the fit: {error}",
        watts(measured.idle_w * power.standing),
        measured.rail,
        watts(range * power.compute),
        watts(range * power.memory),
        counted(power.points, "point")
    ))
}

/// The points, measured and fitted.
fn measured(bench: &Bench, calibrated: &Calibrated) -> Grid {
    let power = bench.rows.iter().any(|row| row.measurement.watts.is_some());
    let mut columns = vec![
        ("model", Align::Left),
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
    grid
}

/// The factors that the measurements determine beside the class's, and how many they do not.
fn factors(calibrated: &Calibrated, class: &Calibration) -> (Grid, usize) {
    let mut grid = Grid::new([
        ("factor", Align::Left),
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
                _ if calibrated.fit.on_one_point.contains(&factor) => "one measurement alone raises it: its class's",
                (true, true) => "not determined: its class's",
                (true, false) => "little determined: moved from its class's",
            }
            .to_owned(),
        ]);
    }
    (grid, silent)
}
