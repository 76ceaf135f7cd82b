//! The parts of a model by what computes them: the backend, and the host's CPU where layers stay there.

use super::energy::Draw;
use super::latency::{self, Machine, Summary, Terms, Totals};
use super::prediction::Prediction;
use crate::calibration::{Calibration, Phase};
use crate::scenario::Scenario;

/// A part of a model and the machine that computes it.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The backend as the scenario runs it.
    pub machine: Machine<'a>,
    /// What the device draws meanwhile, if its file states its powers.
    pub draw: Option<Draw>,
}

impl Part<'_> {
    /// The terms of the whole prompt, or of one decoding step.
    #[must_use]
    pub fn terms(&self, phase: Phase, scenario: &Scenario<'_>) -> Terms {
        latency::terms(phase, scenario, &self.machine)
    }

    /// The energy of these totals, if the device states its powers.
    #[inline(always)]
    fn energy(&self, totals: &Totals) -> Option<PhaseEnergy> {
        let energy = self.draw?.energy(totals);
        let factors = self.machine.calibration.power.as_ref()?;
        Some(PhaseEnergy {
            joules: energy.total(),
            variance: factors.variance(energy.shares()),
        })
    }
}

/// All parts of a model. They take turns, so that their times add up.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// What the scenario's backend computes.
    pub backend: Part<'a>,
    /// What the host's CPU computes, if anything.
    pub host: Option<Part<'a>>,
}

impl<'a> Parts<'a> {
    /// The parts of a scenario; without the calibration of its CPU, the backend computes all.
    #[must_use]
    pub fn new(scenario: &Scenario<'a>, calibration: &'a Calibration, host: Option<&'a Calibration>) -> Self {
        let part = |backend, machine: Machine<'a>| {
            let draw = |factors| Draw::of(scenario, backend, &machine, factors);
            Part {
                machine,
                draw: machine.calibration.power.as_ref().and_then(draw),
            }
        };
        let split = host.and_then(|host| Machine::split(scenario, calibration, host));
        match (split, scenario.host) {
            (Some((on_gpu, on_host)), Some(cpu)) => Self {
                backend: part(scenario.backend, on_gpu),
                host: Some(part(cpu, on_host)),
            },
            _ => Self {
                backend: part(scenario.backend, Machine::new(scenario, calibration)),
                host: None,
            },
        }
    }

    /// The backend's part, then the host's.
    pub fn iter(&self) -> impl Iterator<Item = &Part<'a>> {
        std::iter::once(&self.backend).chain(&self.host)
    }

    /// What the parts come to in a phase; none where there is nothing to do. `extra` is added to the variance of the time's logarithm.
    ///
    /// Compiled into its caller, once per phase.
    #[inline(always)]
    pub(super) fn phase(&self, phase: Phase, scenario: &Scenario<'_>, extra: f64) -> Option<PhaseFigures> {
        let Summary {
            totals,
            mut variance,
            peak,
        } = latency::summary(phase, scenario, &self.backend.machine);
        let mut figures = PhaseFigures {
            totals,
            seconds: totals.seconds(),
            energy: self.backend.energy(&totals),
            peak,
            variance: 0.0,
        };
        let mut scatter = self.backend.machine.calibration.quality(phase).scatter;
        if let Some(host) = &self.host {
            (variance, scatter) = figures.add_host(host, phase, scenario, (variance, scatter));
        }
        let total = figures.seconds;
        figures.variance = (variance / (total * total) + scatter * scatter + extra).max(0.0);
        (total > 0.0).then_some(figures)
    }
}

/// What the parts come to in a phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseFigures {
    pub totals: Totals,
    pub seconds: f64,
    pub energy: Option<PhaseEnergy>,
    /// The highest peak that the backend multiplies weights at; 0 where it multiplies none.
    pub peak: f64,
    /// The variance of `ln(measured / predicted)` seconds: the uncertainty of the factors, propagated through what hangs on each, the
    /// scatter that no factor explains, and what else widens it.
    pub variance: f64,
}

impl PhaseFigures {
    /// Adds what the host computes. Takes and gives the variance of the seconds and the scatter of their logarithm.
    #[cold]
    #[inline(never)]
    fn add_host(
        &mut self,
        host: &Part<'_>,
        phase: Phase,
        scenario: &Scenario<'_>,
        (variance, scatter): (f64, f64),
    ) -> (f64, f64) {
        let summary = latency::summary(phase, scenario, &host.machine);
        let seconds = summary.totals.seconds();
        self.totals = self.totals + summary.totals;
        self.seconds += seconds;
        self.energy = self
            .energy
            .zip(host.energy(&summary.totals))
            .map(|(backend, host)| PhaseEnergy {
                joules: backend.joules + host.joules,
                variance: backend.variance.max(host.variance),
            });
        let apart = host.machine.calibration.quality(phase).scatter - scatter;
        (variance + summary.variance, scatter + seconds / self.seconds * apart)
    }
}

/// Energy of a phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseEnergy {
    pub joules: f64,
    /// The variance of the logarithm of the power: the uncertainty of its factors and the scatter that none explains.
    pub variance: f64,
}

impl<'a> Prediction<'a> {
    /// The parts of the model and their machines, whose terms the prediction of `scenario` is the sum of.
    #[must_use]
    pub fn parts(&self, scenario: &Scenario<'a>) -> Parts<'a> {
        Parts::new(scenario, self.basis.calibration, self.host)
    }
}
