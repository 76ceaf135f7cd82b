//! The parts of a model by what computes them: the backend, and the host's CPU where layers stay there.

use super::energy::Draw;
use super::latency::{self, Machine, Terms, Totals};
use super::prediction::Prediction;
use crate::calibration::{Calibration, Phase};
use crate::device::BackendKind;
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
    #[inline]
    fn energy(&self, totals: &Totals) -> Option<PhaseEnergy> {
        let energy = self.draw?.energy(totals);
        let factors = self.machine.calibration.power.as_ref()?;
        Some(PhaseEnergy {
            joules: energy.total(),
            sigma: factors.sigma(energy.shares()),
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
        let part = |kind, backend, machine: Machine<'a>| {
            let draw = |factors| Draw::of(scenario, (kind, backend), &machine, factors);
            Part {
                machine,
                draw: machine.calibration.power.as_ref().and_then(draw),
            }
        };
        let split = host.and_then(|host| Machine::split(scenario, calibration, host));
        match (split, scenario.host) {
            (Some((on_gpu, on_host)), Some(cpu)) => Self {
                backend: part(scenario.backend_kind, scenario.backend, on_gpu),
                host: Some(part(BackendKind::Cpu, cpu, on_host)),
            },
            _ => Self {
                backend: part(
                    scenario.backend_kind,
                    scenario.backend,
                    Machine::new(scenario, calibration),
                ),
                host: None,
            },
        }
    }

    /// The backend's part, then the host's.
    pub fn iter(&self) -> impl Iterator<Item = &Part<'a>> {
        std::iter::once(&self.backend).chain(&self.host)
    }

    /// What the parts come to in a phase; none where there is nothing to do. `extra` is added to the variance of the time's logarithm.
    #[inline]
    pub(super) fn phase(&self, phase: Phase, scenario: &Scenario<'_>, extra: f64) -> Option<PhaseFigures> {
        let backend = latency::summary(phase, scenario, &self.backend.machine);
        let mut figures = PhaseFigures {
            totals: backend.totals,
            seconds: backend.totals.seconds(),
            energy: self.backend.energy(&backend.totals),
            peak: backend.peak,
            sigma: 0.0,
        };
        let mut variance = backend.variance;
        let mut scatter = self.backend.machine.calibration.quality(phase).scatter;
        if let Some(host) = &self.host {
            let summary = latency::summary(phase, scenario, &host.machine);
            let seconds = summary.totals.seconds();
            figures.totals = figures.totals + summary.totals;
            figures.seconds += seconds;
            figures.energy = figures
                .energy
                .zip(host.energy(&summary.totals))
                .map(|(backend, host)| PhaseEnergy {
                    joules: backend.joules + host.joules,
                    sigma: backend.sigma.max(host.sigma),
                });
            variance += summary.variance;
            scatter += seconds / figures.seconds * (host.machine.calibration.quality(phase).scatter - scatter);
        }
        let total = figures.seconds;
        figures.sigma = (variance / (total * total) + scatter * scatter + extra).max(0.0).sqrt();
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
    /// The standard deviation of `ln(measured / predicted)` seconds: the uncertainty of the factors, propagated through what hangs on
    /// each, the scatter that no factor explains, and what else widens it.
    pub sigma: f64,
}

/// Energy of a phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseEnergy {
    pub joules: f64,
    /// The standard deviation of the logarithm of the power: the uncertainty of its factors and the scatter that none explains.
    pub sigma: f64,
}

impl<'a> Prediction<'a> {
    /// The parts of the model and their machines, whose terms the prediction of `scenario` is the sum of.
    #[must_use]
    pub fn parts(&self, scenario: &Scenario<'a>) -> Parts<'a> {
        Parts::new(scenario, self.basis.calibration, self.host)
    }
}
