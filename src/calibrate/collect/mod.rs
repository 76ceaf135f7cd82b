//! A calibration's measurements: probe the machine, plan, measure within the budget, and say what could not be trusted.

mod machine;
mod meter;
mod report;
mod workspace;

pub use machine::{Machine, today};
pub use meter::Power;
pub use report::{Collected, Load};
pub use workspace::default_folder;

use super::measure::{Engine, LEAVE_OUT_ABOVE, MeasureError, REPEAT_ABOVE, Run, Stop, Test, Timing, llama_bench};
use super::plan::{Plan, PlanOptions, Probe, Rates, Source};
use super::probe::{ProbeOptions, Probes, probe};
use super::quiet::{Snapshot, Warning};
use super::synthetic::{self, SyntheticError};
use crate::device::{BackendKind, Device};
use crate::power::{self, PowerError};
use meter::Meter;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;
use workspace::{Entry, Refusal, Workspace};

/// What is to be collected.
#[derive(Debug, Clone)]
pub struct CollectOptions {
    /// The device that the measurements are of: as detected, or the catalogue's entry of it.
    pub device: Device,
    /// What computes.
    pub backend: BackendKind,
    /// Bounds and wishes. Cores, cache and rates are filled in from the device and its probes.
    pub plan: PlanOptions,
    /// Measure through this `llama-bench`, whatever else there is.
    pub llama_bench: Option<PathBuf>,
    /// Where probe files lie while they are measured.
    pub folder: PathBuf,
    /// Which power sensor is read beside it.
    pub power: power::Choice,
    /// The log of a power meter that is read in place of a sensor, when all is measured.
    pub power_log: Option<PathBuf>,
    /// Where sensors are looked for.
    pub sensors: power::Host,
}

impl CollectOptions {
    /// Options with the defaults for a device.
    #[must_use]
    pub fn new(device: Device, backend: BackendKind) -> Self {
        Self {
            device,
            backend,
            plan: PlanOptions::default(),
            llama_bench: None,
            folder: default_folder(),
            power: power::Choice::default(),
            power_log: None,
            sensors: power::Host::this(),
        }
    }
}

/// What happens, for whoever shows progress.
#[derive(Debug)]
pub enum Event<'a> {
    /// Nothing is done, to see what power that takes.
    Idling,
    /// Memory and storage are being probed.
    Probing,
    /// They were probed.
    Probed(&'a Probes),
    /// This will be measured; so many of its tests were already, before an interruption.
    Planned(&'a Plan, usize),
    /// A probe's file is being written and loaded.
    Preparing(&'a Probe),
    /// A test is done.
    Finished(&'a Probe, &'a Timing),
    /// Tests were skipped for want of time.
    Skipped(&'a Probe, usize),
}

/// Why nothing was collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// There is nothing to measure with.
    #[error(
        "this edgeprof is built without llama.cpp and there is no llama-bench on the PATH; build it with scripts/install.sh, or name \
         a llama-bench with --llama-bench PATH"
    )]
    NoEngine,
    /// The built-in llama.cpp has no GPU of this kind, and there is nothing else to measure it with.
    #[error(
        "the built-in llama.cpp finds no GPU that it can use by {backend}; build it for one (scripts/install.sh --gpu), name a \
         llama-bench built for it with --llama-bench PATH, or measure the CPU with --backend cpu"
    )]
    OtherBackend {
        /// the backend asked for
        backend: &'static str,
    },
    /// The folder for probe files cannot be used.
    #[error("cannot use the cache folder {}: {source}; name another with XDG_CACHE_HOME", folder.display())]
    Folder {
        /// the folder
        folder: PathBuf,
        /// what the system says
        source: std::io::Error,
    },
    /// Another calibration is running.
    #[error("another calibration is running in {}; wait for it to end", folder.display())]
    Running {
        /// the folder
        folder: PathBuf,
    },
    /// Nothing fits.
    #[error(
        "nothing can be measured within {budget_s:.0} s, {:.0} MB of memory and {:.0} MB of disk; raise --budget, or free memory or \
         disk space",
        *memory as f64 / 1e6,
        *disk as f64 / 1e6
    )]
    NothingFits {
        /// the time, seconds
        budget_s: f64,
        /// the memory, bytes
        memory: u64,
        /// the disk space, bytes
        disk: u64,
    },
    /// What was measured is mostly noise.
    #[error(
        "this machine is too busy to be measured: {left_out} of {tests} tests scatter by more than ±{:.0} %; nothing was written, and \
         predictions keep the factors of the device's class; calibrate again when nothing else runs",
        100.0 * LEAVE_OUT_ABOVE
    )]
    NotQuiet {
        /// how many tests say nothing
        left_out: usize,
        /// how many there were
        tests: usize,
    },
    /// A probe's file could not be written.
    #[error("cannot write a probe: {0}")]
    Synthetic(#[from] SyntheticError),
    /// A measurement failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The power that was asked for cannot be read.
    #[error(transparent)]
    Power(#[from] PowerError),
}

/// Disk space that is left to others, bytes.
const DISK_MARGIN: u64 = 512 << 20;

/// Only the machine's own rates, in seconds: memory, storage, and the copy to a GPU if this build can use it.
///
/// # Errors
/// [`CalibrateError::Folder`] if there is no place for the file that storage is read with.
pub fn probe_machine(options: &CollectOptions) -> Result<Probes, CalibrateError> {
    std::fs::create_dir_all(&options.folder).map_err(|source| CalibrateError::Folder {
        folder: options.folder.clone(),
        source,
    })?;
    let machine = Machine::of(&options.device);
    let mut probes = probe(&probe_options(&machine, &options.plan), &options.folder);
    probes.host_to_device = engine(options).ok().and_then(|engine| engine.copy_rate());
    Ok(probes)
}

/// What would measure: a llama-bench's path, or the built-in llama.cpp with the instruction-set features that its kernels use here.
///
/// # Errors
/// [`CalibrateError::NoEngine`], [`CalibrateError::OtherBackend`] or [`CalibrateError::Measure`] as [`collect`] gives them.
pub fn build(options: &CollectOptions) -> Result<String, CalibrateError> {
    engine(options).map(|engine| engine.build())
}

/// The plan for a machine of these probed rates, as [`collect`] makes it.
#[must_use]
pub fn plan(options: &CollectOptions, probes: &Probes) -> Plan {
    let machine = Machine::of(&options.device);
    let gpu = options.backend != BackendKind::Cpu;
    let rates = if gpu {
        Rates::of_gpu()
    } else {
        Rates::of_machine(probes.core_read_bandwidth, probes.read_bandwidth)
    };
    let on_gpu = || {
        let backend = options.device.backends.get(&options.backend)?;
        Some(backend.last_level_cache.as_ref()?.value.get() as u64)
    };
    let cache = if gpu { on_gpu() } else { machine.last_level_cache };
    let mut plan = options.plan.clone();
    plan.cores = machine.cores;
    plan.last_level_cache = cache.unwrap_or(plan.last_level_cache);
    plan.gpu = gpu;
    plan.rates = rates;
    // Half of what is available: the other half is the page cache's, through which the files are read.
    plan.memory = plan.memory.min(machine.available_bytes / 2).max(64 << 20);
    Plan::new(plan)
}

fn probe_options(machine: &Machine, plan: &PlanOptions) -> ProbeOptions {
    ProbeOptions {
        threads: plan.threads.unwrap_or(machine.cores),
        last_level_cache: machine.last_level_cache.unwrap_or(plan.last_level_cache),
        memory: plan.memory.min(machine.available_bytes / 4),
        file_bytes: (plan.disk / 8).min(128 << 20),
        repeats: 4,
    }
}

/// Measures. `progress` is told what happens; `stop` ends it after the pass under way, and the next call with the same options takes up
/// where it ended.
///
/// # Errors
/// [`CalibrateError`] if there is nothing to measure with or nowhere to write, if llama.cpp fails, or the user interrupts.
pub fn collect(
    options: &CollectOptions,
    stop: &Stop,
    progress: &mut dyn FnMut(&Event<'_>),
) -> Result<Collected, CalibrateError> {
    let start = Instant::now();
    let engine = engine(options)?;
    let (meter, no_power) = meter::start(options)?;
    let before = Snapshot::take();
    let (workspace, entries) =
        Workspace::open(&options.folder, &key(options, &engine)).map_err(|refusal| match refusal {
            Refusal::InUse => CalibrateError::Running {
                folder: options.folder.clone(),
            },
            Refusal::Io(source) => CalibrateError::Folder {
                folder: options.folder.clone(),
                source,
            },
        })?;
    let mut collector = Collector {
        options,
        engine,
        stop,
        progress,
        start,
        workspace,
        collected: Collected::new(options, Machine::of(&options.device)),
        expected_s: 0.0,
        measuring_s: 0.0,
        skipped: 0,
        rates: Rates::default(),
        meter,
        idle: None,
    };
    collector.collected.warnings = no_power;
    let plan = collector.plan(entries)?;
    let mut first_failure = None;
    for (at, probe) in plan.probes.iter().enumerate() {
        match collector.measure(probe, &plan.probes[at + 1..]) {
            // llama.cpp may refuse one format and take the others.
            Err(CalibrateError::Measure(error)) if !matches!(error, MeasureError::Interrupted) => {
                collector.collected.warnings.push(Warning::Failed {
                    model: probe.key(),
                    reason: error.to_string(),
                });
                first_failure.get_or_insert(error);
            }
            other => other?,
        }
    }
    match first_failure {
        Some(error) if collector.collected.timings.is_empty() => Err(error.into()),
        _ => collector.finish(&plan, &before),
    }
}

/// What measures.
fn engine(options: &CollectOptions) -> Result<Engine, CalibrateError> {
    if let Some(program) = &options.llama_bench {
        return Ok(Engine::LlamaBench(program.clone()));
    }
    #[cfg(feature = "llama")]
    match super::measure::InProcess::start(options.backend) {
        Err(MeasureError::NoGpu { .. }) => {}
        started => return Ok(Engine::InProcess(started?)),
    }
    match llama_bench::find() {
        Some(program) => Ok(Engine::LlamaBench(program)),
        None if cfg!(feature = "llama") => Err(CalibrateError::OtherBackend {
            backend: options.backend.name(),
        }),
        None => Err(CalibrateError::NoEngine),
    }
}

/// What a journal must agree in to be taken up again.
fn key(options: &CollectOptions, engine: &Engine) -> String {
    let build = engine.build();
    let plan = PlanOptions {
        own: None,
        ..options.plan.clone()
    };
    let own = options.plan.own.as_ref().map(|(path, _)| path);
    let device = (&options.device.id, &options.device.name, options.backend);
    format!(
        "{} {} {build} {device:?} {own:?} {plan:?}",
        today(),
        env!("CARGO_PKG_VERSION")
    )
}

/// A collection under way.
struct Collector<'a> {
    options: &'a CollectOptions,
    engine: Engine,
    stop: &'a Stop,
    progress: &'a mut dyn FnMut(&Event<'_>),
    start: Instant,
    workspace: Workspace,
    collected: Collected,
    /// What the measured probes were expected to take.
    expected_s: f64,
    /// What they took.
    measuring_s: f64,
    skipped: usize,
    rates: Rates,
    meter: Meter,
    /// When nothing was done, seconds since 1970.
    idle: Option<[f64; 2]>,
}

impl Collector<'_> {
    fn folder_error(&self, source: std::io::Error) -> CalibrateError {
        CalibrateError::Folder {
            folder: self.options.folder.clone(),
            source,
        }
    }

    fn note(&mut self, entry: &Entry) -> Result<(), CalibrateError> {
        self.workspace.note(entry).map_err(|source| self.folder_error(source))
    }

    /// Probes the machine, or recalls its probes, and plans.
    fn plan(&mut self, entries: Vec<Entry>) -> Result<Plan, CalibrateError> {
        for entry in entries {
            match entry {
                Entry::Probes(probes) => self.collected.probes = Some(probes),
                Entry::Timing { probe, timing } => self.collected.timings.push((probe, timing)),
                Entry::Load(load) => self.collected.loads.push(load),
                Entry::Key(_) => {}
            }
        }
        if self.meter.reads() {
            (self.progress)(&Event::Idling);
            let stop = self.stop;
            self.idle = self.meter.idle(|| stop.raised());
            self.stop.check()?;
        }
        let probes = match &self.collected.probes {
            Some(probes) => probes.clone(),
            None => {
                (self.progress)(&Event::Probing);
                let mut probes = probe(
                    &probe_options(&self.collected.machine, &self.options.plan),
                    &self.options.folder,
                );
                probes.host_to_device = self.engine.copy_rate();
                self.note(&Entry::Probes(probes.clone()))?;
                probes
            }
        };
        (self.progress)(&Event::Probed(&probes));
        self.stop.check()?;
        let mut options = self.options.clone();
        if let Some(free) = self.workspace.free() {
            options.plan.disk = options.plan.disk.min(free.saturating_sub(DISK_MARGIN));
        }
        let plan = plan(&options, &probes);
        self.collected.probes = Some(probes);
        if plan.probes.is_empty() {
            return Err(CalibrateError::NothingFits {
                budget_s: plan.options.budget_s,
                memory: plan.options.memory,
                disk: plan.options.disk,
            });
        }
        (self.progress)(&Event::Planned(&plan, self.collected.timings.len()));
        self.rates = plan.options.rates;
        Ok(plan)
    }

    /// Time left of the budget, in the plan's own seconds: if measuring takes twice what was expected, half as many.
    fn left_s(&self) -> f64 {
        let left = self.options.plan.budget_s - self.start.elapsed().as_secs_f64();
        // Little evidence at first: as if three seconds had gone as expected.
        let pace = (self.measuring_s + 3.0) / (self.expected_s + 3.0);
        left / pace
    }

    /// Writes a probe's file and runs what there is time for, leaving enough for what is needed of the probes `after` it.
    fn measure(&mut self, probe: &Probe, after: &[Probe]) -> Result<(), CalibrateError> {
        self.stop.check()?;
        let key = probe.key();
        let done = |test: &Test| {
            self.collected
                .timings
                .iter()
                .any(|(of, timing)| *of == key && timing.test == *test)
        };
        let mut pending = probe.clone();
        pending.tests.retain(|test| !done(test));
        let rates = self.rates;
        let wanted = pending.tests.len();
        let reserved: f64 = after.iter().map(|probe| rates.needed_seconds(probe)).sum();
        if rates.probe_seconds(&pending) > self.left_s() - reserved {
            pending.tests.retain(|test| probe.needed.contains(test));
        }
        if rates.probe_seconds(&pending) > self.left_s() {
            pending.tests.clear();
        }
        if pending.tests.len() < wanted {
            self.skipped += wanted - pending.tests.len();
            (self.progress)(&Event::Skipped(probe, wanted - pending.tests.len()));
        }
        if pending.tests.is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        (self.progress)(&Event::Preparing(probe));
        let path = match &probe.source {
            Source::File(path) => path.clone(),
            Source::Synthetic(mix) => {
                let path = self.workspace.probe_file(&key);
                let options = synthetic::Options {
                    mix: Some(*mix),
                    ..synthetic::Options::default()
                };
                let stop = self.stop;
                let mut go_on = |_, _| {
                    if stop.raised() {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                };
                let written = synthetic::write(&probe.model, &probe.types, &path, options, &mut go_on);
                stop.check()?;
                written?;
                path
            }
        };
        let result = self.run(&pending, &key, path);
        self.workspace.remove_probes();
        self.expected_s += rates.probe_seconds(&pending);
        self.measuring_s += start.elapsed().as_secs_f64();
        result
    }

    /// Runs a probe's tests, and those that scatter once more.
    fn run(&mut self, probe: &Probe, key: &str, path: PathBuf) -> Result<(), CalibrateError> {
        let mut run = Run {
            key_type: probe.cache_type,
            value_type: probe.cache_type,
            gpu_layers: (self.options.backend != BackendKind::Cpu).then_some(99),
            most_s: self.options.plan.budget_s / 40.0,
            apart: self.meter.reads(),
            ..Run::new(path, probe.tests.clone())
        };
        if probe.cache_type.block_type().block_elements() > 1 {
            // A quantised cache of values needs it.
            run.flash_attention = Some(true);
        }
        let progress = &mut *self.progress;
        let mut measured = self
            .engine
            .run(&run, self.stop, &mut |timing| progress(&Event::Finished(probe, timing)))?;
        let scattered = |timing: &&Timing| timing.half_width() > REPEAT_ABOVE;
        run.tests = measured
            .timings
            .iter()
            .filter(scattered)
            .map(|timing| timing.test)
            .collect();
        if !run.tests.is_empty() && self.left_s() > 0.0 {
            let again = self.engine.run(&run, self.stop, &mut |_| {})?;
            for timing in again.timings {
                let earlier = measured.timings.iter_mut().find(|earlier| earlier.test == timing.test);
                if let Some(earlier) = earlier.filter(|earlier| timing.half_width() < earlier.half_width()) {
                    *earlier = timing;
                }
            }
        }
        self.collected.build.clone_from(&measured.build);
        if let Some(load_s) = measured.load_s {
            let load = Load {
                model: probe.model.id.clone(),
                precision: probe.precision(),
                bytes: probe.weight_bytes,
                load_s,
                first_token_s: measured.first_token_s,
            };
            self.note(&Entry::Load(load.clone()))?;
            self.collected.loads.push(load);
        }
        for timing in measured.timings {
            let timing = self.meter.seen(timing);
            let entry = Entry::Timing {
                probe: key.to_owned(),
                timing,
            };
            self.note(&entry)?;
            self.collected.timings.push((key.to_owned(), timing));
        }
        Ok(())
    }

    fn finish(self, plan: &Plan, before: &Snapshot) -> Result<Collected, CalibrateError> {
        self.workspace.finish();
        let mut collected = self.collected;
        let left_out = collected.settle(plan);
        if collected.is_too_little(left_out) {
            let tests = collected.timings.len() + left_out;
            return Err(CalibrateError::NotQuiet { left_out, tests });
        }
        let options = self.options;
        let cores = collected.machine.cores;
        collected
            .warnings
            .extend(before.warnings_until(&Snapshot::take(), cores));
        if self.skipped > 0 {
            collected.warnings.push(Warning::OverBudget {
                tests: self.skipped as u64,
                budget_s: options.plan.budget_s,
            });
        }
        if cfg!(debug_assertions) {
            collected.warnings.push(Warning::Unoptimised);
        }
        collected.power = self
            .meter
            .finish(self.idle, &mut collected.timings, &mut collected.warnings)?;
        collected.seconds = self.start.elapsed().as_secs_f64();
        Ok(collected)
    }
}

#[cfg(all(test, unix))]
mod tests;
