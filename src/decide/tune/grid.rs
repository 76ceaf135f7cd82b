//! Every setting of the grid, asked.

use super::setting::{Knob, Setting, positions};
use super::{Goal, TuneError};
use crate::calibration::Phase;
use crate::decide::Target;
use crate::model::Model;
use crate::perf::Prediction;
use crate::perf::sums::ModelSums;
use crate::quant::Precision;
use crate::scenario::{Scenario, ScenarioError, Workload};
use std::collections::BTreeMap;

/// Time and energy of a phase of the request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spent {
    pub seconds: f64,
    pub joules: Option<f64>,
}

/// A setting and what it comes to; nothing where it does not fit.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub setting: Setting,
    pub prefill: Option<Spent>,
    pub decode: Option<Spent>,
    pub memory_bytes: f64,
    pub fits: bool,
}

impl Point {
    pub const fn phase(&self, phase: Phase) -> Option<Spent> {
        match phase {
            Phase::Prefill => self.prefill,
            Phase::Decode => self.decode,
        }
    }

    /// What the goal wants little of, in a phase.
    pub fn cost(&self, phase: Phase, goal: Goal) -> Option<f64> {
        goal.cost(self.phase(phase)?)
    }
}

/// What is tuned.
pub(super) struct Grid<'a> {
    pub sums: &'a ModelSums,
    pub precision: Precision,
    pub workload: Workload,
    /// Whether the model generates.
    decodes: bool,
    /// The target in each of its modes; by no name if it has none.
    targets: BTreeMap<Option<String>, Target>,
    /// As the target is set without being tuned.
    pub default: Setting,
    /// Positions of every knob that may be turned and has more than one, the default's other knobs unchanged.
    pub knobs: Vec<(Knob, Vec<Setting>)>,
}

impl<'a> Grid<'a> {
    pub fn new(
        target: &Target,
        model: &Model,
        sums: &'a ModelSums,
        precision: Precision,
        workload: Workload,
        turned: &[Knob],
    ) -> Result<Self, ScenarioError> {
        let threads = target.ask(sums, precision, workload)?.0.threads();
        let cores = target
            .device()
            .backends
            .get(&target.backend())
            .map_or(1, |backend| backend.cores.value);
        let default = Setting::of(target, &workload, threads.map(|threads| threads.min(cores)));
        let mut targets = BTreeMap::from([(default.power_mode.clone(), target.clone())]);
        let mut knobs = Vec::new();
        for knob in Knob::ALL.into_iter().filter(|knob| turned.contains(knob)) {
            let mut settings = positions(knob, &default, target, &workload, model);
            for setting in &settings {
                if let Some(mode) = &setting.power_mode {
                    targets.insert(setting.power_mode.clone(), target.in_mode(mode)?);
                }
            }
            // A cache type that the model's heads do not divide into is no choice.
            settings.retain(|setting| target.ask(sums, precision, setting.applied(&workload)).is_ok());
            if settings.len() > 1 {
                knobs.push((knob, settings));
            }
        }
        Ok(Self {
            sums,
            precision,
            decodes: !sums.decoder.formats.is_empty(),
            workload,
            targets,
            default,
            knobs,
        })
    }

    /// The scenario of a setting and its prediction.
    pub fn ask(&self, setting: &Setting) -> Result<(Scenario<'_>, Prediction<'_>), TuneError> {
        let target = self.targets.get(&setting.power_mode).ok_or(TuneError::NothingFits)?;
        Ok(target.ask(self.sums, self.precision, setting.applied(&self.workload))?)
    }

    pub fn point(&self, setting: &Setting) -> Result<Point, TuneError> {
        let (_, prediction) = self.ask(setting)?;
        Ok(Point {
            setting: setting.clone(),
            prefill: prediction.prefill_s.map(|seconds| Spent {
                seconds,
                joules: prediction
                    .prefill_energy_j_per_token
                    .map(|joules| joules * self.tokens(Phase::Prefill)),
            }),
            decode: prediction.decode_s_per_token.map(|step| Spent {
                seconds: step * self.workload.generate as f64,
                joules: prediction
                    .decode_energy_j_per_token
                    .map(|joules| joules * self.tokens(Phase::Decode)),
            }),
            memory_bytes: prediction.memory_bytes,
            fits: prediction.fits,
        })
    }

    /// How many tokens the work has in a phase, of all sequences.
    pub fn tokens(&self, phase: Phase) -> f64 {
        let tokens = match phase {
            Phase::Prefill => self.workload.prompt,
            Phase::Decode if self.decodes => self.workload.generate,
            Phase::Decode => 0,
        };
        (tokens * self.workload.sequences) as f64
    }

    /// Every combination of positions.
    pub fn points(&self) -> Result<Vec<Point>, TuneError> {
        let mut settings = vec![self.default.clone()];
        for (knob, positions) in &self.knobs {
            settings = settings
                .iter()
                .flat_map(|setting| positions.iter().map(|position| setting.with(*knob, position)))
                .collect();
        }
        settings.iter().map(|setting| self.point(setting)).collect()
    }
}
