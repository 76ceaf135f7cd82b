//! `tune`: the best setting of a device for a model.

use super::arguments::{Backend, CalibrationArgs, CatalogArgs, PrecisionArgs, SetupArgs, WorkloadArgs};
use super::failure::Failure;
use super::format::{self, Format, PrintArgs};
use clap::{Args, ValueEnum};
use edgeprof::decide::Target;
use edgeprof::decide::tune::{Best, Goal, Knob, Tuning, Verdict, tune};
use edgeprof::output::{Align, Grid, Sheet, number};
use edgeprof::perf::sums::ModelSums;

/// Find the setting of a device that is best for a model: threads, power mode, KV cache, ubatch, layers, repacking
#[derive(Debug, Args)]
#[command(after_help = "\
Every combination of the knobs is predicted, and the best of each phase told with what each other position of each knob would cost.
`open`: no difference that the intervals can tell. `same`: the law gives the same figure. Flags of the workload state the default that
the gains are over.

Examples:
  edgeprof tune --model llama-3.2-1b --hw pi5 --prec q4_0 --for speed
  edgeprof tune --model gemma-2-2b --hw orin-nano-super --for energy --knob power-mode,kv-type
  edgeprof tune --model tinyllama --hw ryzen-9-7950x --for action --format json")]
pub struct Tune {
    /// Models: names of `list models`, or paths of a .gguf, a .toml, a config.json or its folder
    #[arg(short, long, value_name = "NAME", value_delimiter = ',', required = true)]
    model: Vec<String>,
    /// Devices: names of `list hardware`, paths of a .toml, or `host` for this machine
    #[arg(
        long = "hw",
        visible_alias = "hardware",
        value_name = "NAME",
        value_delimiter = ',',
        required = true
    )]
    hardware: Vec<String>,
    #[command(flatten)]
    precision: PrecisionArgs,
    /// What computes [default: the device's own choice]
    #[arg(long, value_enum, ignore_case = true)]
    backend: Option<Backend>,
    /// The power mode that the gains are over [default: the one it ships in]
    #[arg(long, value_name = "NAME")]
    power_mode: Option<String>,
    #[command(flatten)]
    setup: SetupArgs,
    /// What is wanted: the least time, energy, or action (energy times time)
    #[arg(long = "for", value_enum, ignore_case = true, default_value_t = GoalArg::Speed, value_name = "GOAL")]
    goal: GoalArg,
    /// Knobs that may be turned [default: all]
    #[arg(long, value_enum, ignore_case = true, value_delimiter = ',', value_name = "KNOB")]
    knob: Vec<KnobArg>,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    print: PrintArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GoalArg {
    Speed,
    Energy,
    Action,
}

impl From<GoalArg> for Goal {
    fn from(goal: GoalArg) -> Self {
        match goal {
            GoalArg::Speed => Self::Speed,
            GoalArg::Energy => Self::Energy,
            GoalArg::Action => Self::Action,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KnobArg {
    Threads,
    PowerMode,
    KvType,
    Ubatch,
    GpuLayers,
    Repack,
}

impl From<KnobArg> for Knob {
    fn from(knob: KnobArg) -> Self {
        match knob {
            KnobArg::Threads => Self::Threads,
            KnobArg::PowerMode => Self::PowerMode,
            KnobArg::KvType => Self::KvType,
            KnobArg::Ubatch => Self::Ubatch,
            KnobArg::GpuLayers => Self::GpuLayers,
            KnobArg::Repack => Self::Repack,
        }
    }
}

/// One model in one precision on one device.
#[derive(serde::Serialize)]
struct Case {
    model: String,
    hardware: String,
    backend: String,
    precision: String,
    #[serde(flatten)]
    tuning: Tuning,
    notes: Vec<String>,
}

impl Tune {
    /// Tunes and prints.
    pub fn run(&self) -> Result<(), Failure> {
        let cases = self.cases()?;
        let format = self.print.format();
        let text = match format.setting() {
            Some(setting) => {
                let mut sheet = Sheet::default();
                for case in &cases {
                    show(&mut sheet, case);
                }
                sheet.set(setting)
            }
            None if format == Format::Csv => csv(&cases)?,
            None => json(&cases)?,
        };
        self.print.write(&text)
    }

    fn cases(&self) -> Result<Vec<Case>, Failure> {
        let catalog = self.catalog.open()?;
        let workload = self.workload.workload()?;
        let knobs: Vec<Knob> = if self.knob.is_empty() {
            Knob::ALL.to_vec()
        } else {
            self.knob.iter().map(|&knob| knob.into()).collect()
        };
        let mut cases = Vec::new();
        for model in &self.model {
            let model = catalog.model(model.trim())?;
            for precision in self.precision.of(&model)? {
                let sums = ModelSums::of(&model, precision).map_err(Failure::new)?;
                for device in &self.hardware {
                    let device = catalog.device(device.trim())?;
                    let choice = self.calibration.choice();
                    let backend = self.backend.map(Into::into);
                    let target = Target::new(&catalog, device, backend, self.power_mode.as_deref(), &choice)?;
                    let target = self.setup.apply(&catalog, target, &choice)?;
                    let tuning = tune(&target, &model, &sums, precision, workload, self.goal.into(), &knobs)
                        .map_err(Failure::new)?;
                    let (scenario, prediction) = target.ask(&sums, precision, workload).map_err(Failure::new)?;
                    cases.push(Case {
                        model: model.id.clone(),
                        hardware: target.device().id.clone(),
                        backend: target.backend().to_string(),
                        precision: precision.to_string(),
                        notes: notes(&tuning, target.notes(&model, &scenario, &prediction)),
                        tuning,
                    });
                }
            }
        }
        Ok(cases)
    }
}

/// What a reader of the tuning should know, and of the predictions under it.
fn notes(tuning: &Tuning, of_prediction: Vec<String>) -> Vec<String> {
    let mut notes = Vec::new();
    for best in &tuning.phases {
        let worth: Vec<String> = best.worth_setting.iter().map(|&knob| best.setting.flag(knob)).collect();
        let phase = best.phase.name();
        if worth.is_empty() {
            notes.push(format!(
                "{phase}: no setting gains more over the default than the intervals leave open"
            ));
        } else {
            notes.push(format!("{phase}: worth setting: {}", worth.join(" ")));
        }
        for indistinct in &best.indistinct {
            notes.push(format!(
                "{phase}: the law does not tell the positions of {} apart: {}",
                indistinct.knob.title(),
                indistinct.why
            ));
        }
    }
    if tuning.knobs.contains(&Knob::KvType) {
        notes.push(
            "KV cache: the law counts the bytes of a smaller type and not the work of unpacking them, nor what the model loses by it"
                .to_owned(),
        );
    }
    if tuning.settings_that_do_not_fit > 0 {
        notes.push(format!(
            "{} of {} settings do not fit in memory and were left out",
            tuning.settings_that_do_not_fit, tuning.settings
        ));
    }
    // What becomes of a default that does not fit is no concern of the setting that does.
    notes.extend(
        of_prediction
            .into_iter()
            .filter(|note| !note.starts_with(edgeprof::output::MISFIT)),
    );
    notes
}

fn json(cases: &[Case]) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: u32,
        tunings: &'a [Case],
    }
    let document = Document {
        schema: 1,
        tunings: cases,
    };
    Ok(serde_json::to_string_pretty(&document).map_err(Failure::new)? + "\n")
}

/// One row an alternative.
fn csv(cases: &[Case]) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for case in cases {
        for best in &case.tuning.phases {
            for alternative in &best.alternatives {
                let mut item = serde_json::json!({
                    "model": case.model, "hardware": case.hardware, "backend": case.backend, "precision": case.precision,
                    "goal": case.tuning.goal, "phase": best.phase.name(),
                });
                let figures = serde_json::to_value(alternative).map_err(Failure::new)?;
                if let (Some(item), serde_json::Value::Object(figures)) = (item.as_object_mut(), figures) {
                    item.extend(figures);
                }
                rows.push(item);
            }
        }
    }
    Ok(format::csv(&rows))
}

fn show(sheet: &mut Sheet, case: &Case) {
    let tuning = &case.tuning;
    let goal = match tuning.goal {
        Goal::Speed => "speed",
        Goal::Energy => "energy",
        Goal::Action => "action",
    };
    sheet.heading(
        format!("{} in {}", case.model, case.precision),
        format!(" on {}, {}, for {goal}", case.hardware, case.backend),
    );
    sheet.table(format!("The best of {} settings", tuning.settings), best(tuning));
    for phase in &tuning.phases {
        let title = format!("Alternatives for {}, all else as its best", phase.phase.name());
        let grid = alternatives(tuning.goal, phase);
        if !grid.is_empty() {
            sheet.table(title, grid);
        }
    }
    sheet.items(case.notes.clone());
}

/// What the goal is told in, of a phase of so many tokens.
fn figure(goal: Goal, tokens: f64, seconds: f64, joules: Option<f64>) -> String {
    let joules = joules.unwrap_or(f64::NAN);
    match goal {
        Goal::Speed => format!("{} tokens/s", number::rate(tokens / seconds)),
        Goal::Energy => format!("{}/token", number::joules(joules / tokens)),
        Goal::Action => format!("{} J·s/token", number::significant(joules * seconds / tokens, 4)),
    }
}

fn best(tuning: &Tuning) -> Grid {
    let mut columns = vec![("phase", Align::Left)];
    columns.extend(tuning.knobs.iter().map(|knob| (knob.title(), Align::Right)));
    columns.extend([
        ("best", Align::Right),
        ("default", Align::Right),
        ("gain", Align::Right),
        ("90 % interval", Align::Left),
    ]);
    let mut grid = Grid::new(columns);
    let times = |gain: Option<f64>| gain.map_or_else(String::new, |gain| format!("x {}", number::significant(gain, 3)));
    for phase in &tuning.phases {
        let mut row = vec![phase.phase.name().to_owned()];
        row.extend(tuning.knobs.iter().map(|&knob| phase.setting.value(knob)));
        row.extend([
            figure(tuning.goal, phase.tokens, phase.seconds, phase.joules),
            phase.default_seconds.map_or_else(
                || "does not fit".to_owned(),
                |seconds| figure(tuning.goal, phase.tokens, seconds, phase.default_joules),
            ),
            times(phase.gain),
            match phase.gain_interval {
                Some([low, high]) if phase.setting != tuning.default => {
                    format!("{} to {}", number::significant(low, 3), number::significant(high, 3))
                }
                _ => String::new(),
            },
        ]);
        grid.row(row);
    }
    if tuning.phases.len() > 1 {
        let request = &tuning.request;
        let mut row = vec!["both together".to_owned()];
        row.extend(tuning.knobs.iter().map(|&knob| match (knob, request.prefill_threads) {
            (Knob::Threads, Some(prefill)) => format!("{prefill} and {}", request.setting.value(knob)),
            _ => request.setting.value(knob),
        }));
        let joules = request.joules.unwrap_or(f64::NAN);
        row.extend([
            match tuning.goal {
                Goal::Speed => number::seconds(request.seconds),
                Goal::Energy => number::joules(joules),
                Goal::Action => format!("{} J·s", number::significant(joules * request.seconds, 4)),
            },
            String::new(),
            times(request.gain),
        ]);
        grid.row(row);
    }
    grid
}

fn alternatives(goal: Goal, best: &Best) -> Grid {
    let mut grid = Grid::new([
        ("knob", Align::Left),
        ("value", Align::Right),
        ("", Align::Right),
        ("of the best", Align::Right),
        ("", Align::Left),
        ("memory", Align::Right),
    ]);
    let told = |knob: Knob| best.indistinct.iter().all(|indistinct| indistinct.knob != knob);
    for row in best.alternatives.iter().filter(|row| told(row.knob)) {
        let verdict = match row.verdict {
            Verdict::Best => "best",
            Verdict::Same => "same",
            Verdict::Open => "open",
            Verdict::Worse => "worse",
            Verdict::DoesNotFit => "does not fit",
        };
        grid.row([
            row.knob.title().to_owned(),
            row.value.clone(),
            row.seconds
                .map_or_else(String::new, |seconds| figure(goal, best.tokens, seconds, row.joules)),
            row.of_best.map_or_else(String::new, number::percent),
            if row.is_default {
                format!("{verdict}, default")
            } else {
                verdict.to_owned()
            },
            number::bytes(row.memory_bytes),
        ]);
    }
    grid
}
