//! `calibrate`: from measurements to the factors that `predict` uses.

mod ahead;
mod machine;
mod measure;
mod publish;
mod report;
pub mod rows;

use super::arguments::{Backend, CatalogArgs};
use super::failure::{CannotWrite, Failure};
use super::sink;
use clap::{Args, ValueEnum};
use edgeprof::calibrate::bench::{Bench, Own};
use edgeprof::calibrate::collect::today;
use edgeprof::calibrate::device::{About, calibrate};
use edgeprof::calibrate::measurement::Measurements;
use edgeprof::catalog::{Catalog, Choice, user_folder, write_atomically};
use edgeprof::device::BackendKind;
use edgeprof::output::Setting;
use edgeprof::power;
use machine::Target;
use report::Report;
use std::path::PathBuf;
use std::time::Duration;

/// Measure a device, or take measurements from files, and fit the factors of its predictions
#[derive(Debug, Args)]
#[command(after_help = "\
Without --from it measures this machine: with the llama.cpp that is built in (scripts/install.sh), or through an installed llama-bench.
The result goes to your data folder, where `predict` finds it.

Examples:
  edgeprof calibrate
  edgeprof calibrate --llama-bench ./llama-bench --budget 120s
  edgeprof calibrate --hw pi5 --from bench.json
  edgeprof calibrate --probe")]
pub struct Calibrate {
    /// The device that is measured: a name of `list hardware`, a .toml, or `host` for this machine
    #[arg(long = "hw", visible_alias = "hardware", value_name = "NAME", default_value = "host")]
    hardware: String,
    /// What computes [default: the device's own choice]
    #[arg(long, value_enum, ignore_case = true)]
    backend: Option<Backend>,
    /// CPU threads [default: several counts are tried]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    threads: Option<u64>,
    /// Most time to measure: `60s`, `5m`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    budget: Duration,
    /// Measure this model too, at full size
    #[arg(short, long, value_name = "FILE.gguf")]
    model: Option<PathBuf>,
    /// Take measurements from files instead: llama-bench's json, jsonl, csv, md or sql, or a table with the columns of published.csv
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["model", "llama_bench", "plan", "full", "probe"])]
    from: Vec<PathBuf>,
    /// Measure through this llama-bench [default: the built-in llama.cpp, else the llama-bench on the PATH]
    #[arg(long, value_name = "PATH")]
    llama_bench: Option<PathBuf>,
    /// Read this power sensor beside the tests: `auto` for the first there is, `none`, or nvml, ina3221, pmic, rapl, powermetrics, battery
    #[arg(long, value_name = "SENSOR", default_value = "auto", conflicts_with = "from")]
    power: power::Choice,
    /// Take power from the log of a meter (CSV with a time and a power) that is written while this runs
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["power", "from"])]
    power_log: Option<PathBuf>,
    /// Measure more: every thread count, deeper contexts, longer prompts, a quantised KV cache
    #[arg(long)]
    full: bool,
    /// Only probe memory, the clock, storage and the copy to a GPU, store what they do, and list what could measure: llama.cpp and power sensors
    #[arg(long, conflicts_with = "plan")]
    probe: bool,
    /// Only say what would be measured
    #[arg(long)]
    plan: bool,
    /// Fit all devices of the files together and write the calibration of every device and class into this folder
    #[arg(long, value_name = "DIR", requires = "from", conflicts_with_all = ["output", "hardware", "backend"])]
    publish: Option<PathBuf>,
    /// Day that the files name, ISO 8601 [default: today]
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    #[command(flatten)]
    catalog: CatalogArgs,
    /// How to print it
    #[arg(long, value_enum, ignore_case = true, default_value_t = Format::Table, help_heading = "Output")]
    format: Format,
    /// Write the calibration to this file [default: calibration/<device>-<backend>.toml in your data folder]
    #[arg(short, long, value_name = "FILE.toml", help_heading = "Output")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Aligned columns, for a terminal
    Table,
    /// Everything, in base SI units
    Json,
    /// The tables, for a README
    Markdown,
    /// The tables, for a paper (package booktabs)
    Latex,
}

impl Format {
    /// How the tables are set, if it is one for people.
    const fn setting(self) -> Option<Setting> {
        match self {
            Self::Table => Some(Setting::Text),
            Self::Markdown => Some(Setting::Markdown),
            Self::Latex => Some(Setting::Latex),
            Self::Json => None,
        }
    }
}

/// `60s`, `5m`, `1h`, `500ms`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let unit = match text[split..].trim() {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("`{unit}` is not a unit of time; write it as 60s or 5m")),
    };
    let number: f64 = text[..split]
        .parse()
        .map_err(|_| format!("`{text}` is not a time; write it as 60s or 5m"))?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| format!("`{text}` is too long"))
}

/// A place for the result, where there is none.
#[derive(Debug, thiserror::Error)]
#[error("the environment names no home folder to keep the calibration in")]
struct NoUserFolder;

impl Calibrate {
    /// Measures or reads, fits, writes and reports.
    pub fn run(&self) -> Result<(), Failure> {
        let catalog = self.catalog.open()?;
        if let Some(folder) = &self.publish {
            return publish::run(&catalog, &self.from, folder, &self.date());
        }
        let mut target = Target::find(&catalog, &self.hardware, self.backend.map(Into::into))?;
        if self.probe || self.plan {
            return self.without_measuring(&catalog, &mut target);
        }
        let mut own = Own::default();
        let mut about = About {
            date: self.date(),
            threads: self.threads,
            ..About::default()
        };
        let mut report = Report::default();
        let measurements = if self.from.is_empty() {
            let collected = measure::measure(self, &target)?;
            about.machine = Some(format!("{} ({})", collected.machine.name, collected.machine.system));
            about.build = Some(collected.build.clone());
            about.threads = about
                .threads
                .or_else(|| collected.best_threads(edgeprof::calibration::Phase::Decode));
            own.models = collected.models();
            report.seconds = Some(collected.seconds);
            report.warnings = collected.warnings.iter().map(ToString::to_string).collect();
            report.probes.clone_from(&collected.probes);
            report.power.clone_from(&collected.power);
            let kept = collected.measurements();
            if let Some(probes) = &collected.probes {
                report.warnings.extend(ahead::UNOPTIMISED.map(str::to_owned));
                target.take(&catalog, probes, &kept, &about.date)?;
            }
            Measurements {
                kept,
                left_out: Vec::new(),
            }
        } else {
            let (kept, warnings) = rows::read(&catalog, &self.from, &mut target, self)?;
            report.warnings = warnings;
            kept
        };
        own.device = Some(target.device.clone());
        let class = catalog.calibration_for(&target.device, target.backend, &Choice::Class)?;
        let mut bench = Bench::with(&catalog, &own, measurements);
        if !self.from.is_empty() {
            bench.leave_out_implausible(&class);
        }
        report.left_out = std::mem::take(&mut bench.left_out);
        if bench.rows.is_empty() {
            let failure = Failure::new(rows::NothingToFit::of(&target, &report.left_out));
            return Err(report.warnings.into_iter().fold(failure, Failure::hint));
        }
        let calibrated = calibrate(&bench, &class, &about).map_err(Failure::new)?;
        let path = self.path(&target)?;
        let text = calibrated.file.to_toml().map_err(Failure::new)?;
        write_atomically(&path, &text).map_err(|error| CannotWrite::failure(&path, error))?;
        report.written.push(path);
        if self.output.is_none() {
            report.written.extend(target.store()?);
        }
        let text = match self.format.setting() {
            Some(setting) => report.sheet(&target, &bench, &calibrated, &class).set(setting),
            None => report.json(&target, &bench, &calibrated, &class)?,
        };
        sink::write(&text, None)
    }

    /// `--probe` and `--plan`.
    fn without_measuring(&self, catalog: &Catalog, target: &mut Target) -> Result<(), Failure> {
        let probes = measure::probe(self, target)?;
        let build = measure::build(self, target)?;
        let text = if self.plan {
            let plan = measure::plan(self, target, &probes)?;
            match self.format.setting() {
                Some(setting) => ahead::plan(&plan, &build).set(setting),
                None => ahead::plan_json(&plan, &build)?,
            }
        } else {
            target.take(catalog, &probes, &[], &self.date())?;
            let sensors = ahead::Sensors::find();
            let written = match &self.output {
                Some(path) => Some(target.write(path)?),
                None => target.store()?,
            };
            match self.format.setting() {
                Some(setting) => ahead::probes(&probes, &build, &sensors, written.as_deref()).set(setting),
                None => ahead::probes_json(&probes, &build, &sensors, written.as_deref())?,
            }
        };
        sink::write(&text, None)
    }

    fn date(&self) -> String {
        self.date.clone().unwrap_or_else(today)
    }

    fn path(&self, target: &Target) -> Result<PathBuf, Failure> {
        match &self.output {
            Some(path) => Ok(path.clone()),
            None => Ok(data_folder()?
                .join("calibration")
                .join(format!("{}-{}.toml", target.device.id, target.backend))),
        }
    }

    fn backend(&self) -> Option<BackendKind> {
        self.backend.map(Into::into)
    }
}

fn data_folder() -> Result<PathBuf, Failure> {
    user_folder().ok_or_else(|| Failure::new(NoUserFolder).hint("name a file with --output FILE.toml"))
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("20"), Ok(Duration::from_secs(20)));
        assert!(duration("5 parsecs").is_err_and(|error| error.contains("parsecs")));
        assert!(duration("soon").is_err() && duration("1e99h").is_err());
    }
}
