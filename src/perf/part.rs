//! The parts of a model by what computes them: the backend, and the host's CPU where layers stay there.

use super::energy::Draw;
use super::latency::{self, Machine, Prepared, Summary, Terms, Totals};
use super::prediction::Prediction;
use crate::calibration::{Calibration, Phase};
use crate::device::Backend;
use crate::scenario::{Scenario, Workload};

/// A part of a model and the machine that computes it.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The backend as the scenario runs it.
    pub machine: Machine<'a>,
    /// What the device draws meanwhile, if its file states its powers.
    pub draw: Option<Draw>,
    prefill: Prepared,
    decode: Prepared,
}

impl<'a> Part<'a> {
    #[inline(always)]
    fn new(scenario: &Scenario<'a>, backend: &Backend, machine: Machine<'a>) -> Self {
        let factors = machine.calibration.power.as_ref();
        Self {
            machine,
            draw: factors.and_then(|factors| Draw::of(scenario, backend, &machine, factors)),
            prefill: latency::prepare(Phase::Prefill, scenario, &machine),
            decode: latency::prepare(Phase::Decode, scenario, &machine),
        }
    }

    #[cold]
    fn on_host(scenario: &Scenario<'a>, machine: Machine<'a>) -> Option<Self> {
        Some(Self::new(scenario, scenario.host?, machine))
    }

    #[inline(always)]
    pub(super) fn summary(&self, phase: Phase, scenario: &Scenario<'_>) -> Summary {
        let prepared = match phase {
            Phase::Prefill => &self.prefill,
            Phase::Decode => &self.decode,
        };
        latency::summary(phase, scenario, &self.machine, prepared)
    }

    /// The terms of the whole prompt, or of one decoding step.
    #[must_use]
    pub fn terms(&self, phase: Phase, scenario: &Scenario<'_>) -> Terms {
        latency::terms(phase, scenario, &self.machine)
    }

    /// The energy of these totals, if the device states its powers.
    #[inline(always)]
    fn joules(&self, totals: &Totals) -> Option<f64> {
        Some(self.draw.as_ref()?.energy(totals).total())
    }

    /// The variance of the logarithm of the power that these totals draw: the uncertainty of its factors and the scatter that none
    /// explains.
    pub(super) fn power_variance(&self, totals: &Totals) -> Option<f64> {
        let factors = self.machine.calibration.power.as_ref()?;
        Some(factors.variance(self.draw.as_ref()?.energy(totals).shares()))
    }
}

/// All parts of a model. They take turns, so that their times add up.
///
/// All of a prediction that does not hang on the lengths of the work: those of one scenario [serve](Parts::serve) others.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// What the scenario's backend computes.
    pub backend: Part<'a>,
    /// What the host's CPU computes, if anything.
    pub host: Option<Part<'a>>,
    threads: Option<u64>,
    gpu_layers: Option<u64>,
    side_by_side: bool,
    repack: bool,
}

impl<'a> Parts<'a> {
    /// The parts of a scenario; without the calibration of its CPU, the backend computes all.
    #[must_use]
    pub fn new(scenario: &Scenario<'a>, calibration: &'a Calibration, host: Option<&'a Calibration>) -> Self {
        let split = host.and_then(|host| Machine::split(scenario, calibration, host));
        match split {
            Some((on_gpu, on_host)) => Self::with(scenario, on_gpu, Part::on_host(scenario, on_host)),
            None => Self::of_backend(scenario, calibration),
        }
    }

    /// The same for a backend that computes all.
    #[inline(always)]
    pub(super) fn of_backend(scenario: &Scenario<'a>, calibration: &'a Calibration) -> Self {
        Self::with(scenario, Machine::new(scenario, calibration), None)
    }

    #[inline(always)]
    fn with(scenario: &Scenario<'a>, machine: Machine<'a>, host: Option<Part<'a>>) -> Self {
        let work = &scenario.workload;
        Self {
            backend: Part::new(scenario, scenario.backend, machine),
            host,
            threads: work.threads,
            gpu_layers: work.gpu_layers,
            side_by_side: work.sequences > 1,
            repack: work.repack,
        }
    }

    /// Whether they are also those of another piece of work for the same model, backend and power mode.
    #[must_use]
    pub fn serve(&self, work: &Workload) -> bool {
        (self.threads, self.gpu_layers) == (work.threads, work.gpu_layers)
            && (self.side_by_side, self.repack) == (work.sequences > 1, work.repack)
    }

    /// The same where the engine's CPU threads [split the cache](crate::calibration::CalibrationFile::splits_cache).
    #[must_use]
    pub fn splitting_cache(mut self) -> Self {
        for part in std::iter::once(&mut self.backend).chain(&mut self.host) {
            part.machine = part.machine.splitting_cache();
        }
        self
    }

    /// The backend's part, then the host's.
    pub fn iter(&self) -> impl Iterator<Item = &Part<'a>> {
        std::iter::once(&self.backend).chain(&self.host)
    }

    /// What the parts come to in a phase; none where there is nothing to do.
    ///
    /// Compiled into its caller, once per phase.
    #[inline(always)]
    pub(super) fn phase(&self, phase: Phase, scenario: &Scenario<'_>) -> Option<PhaseFigures> {
        let Summary { totals, peak, .. } = self.backend.summary(phase, scenario);
        let mut figures = PhaseFigures {
            totals,
            seconds: totals.seconds(),
            joules: self.backend.joules(&totals),
            peak,
        };
        if let Some(host) = &self.host {
            figures.add_host(host, phase, scenario);
        }
        (figures.seconds > 0.0).then_some(figures)
    }
}

/// What the parts come to in a phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseFigures {
    pub totals: Totals,
    pub seconds: f64,
    pub joules: Option<f64>,
    /// The highest peak that the backend multiplies weights at; 0 where it multiplies none.
    pub peak: f64,
}

impl PhaseFigures {
    /// Adds what the host computes.
    #[cold]
    #[inline(never)]
    fn add_host(&mut self, host: &Part<'_>, phase: Phase, scenario: &Scenario<'_>) {
        let summary = host.summary(phase, scenario);
        self.totals = self.totals + summary.totals;
        self.seconds += summary.totals.seconds();
        let joules = self.joules.zip(host.joules(&summary.totals));
        self.joules = joules.map(|(backend, host)| backend + host);
    }
}

impl<'a> Prediction<'a> {
    /// The parts of the model and their machines, whose terms the prediction of `scenario` is the sum of.
    #[must_use]
    pub fn parts(&self, scenario: &Scenario<'a>) -> Parts<'a> {
        Parts::new(scenario, self.basis.calibration, self.host)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Choice};
    use crate::device::BackendKind;
    use crate::perf::sums::ModelSums;
    use proptest::prelude::*;

    fn workload() -> impl Strategy<Value = Workload> {
        let sizes = (0..3000_u64, 0..300_u64, 0..5000_u64, 1..700_u64, 1..3_u64);
        (
            sizes,
            prop::option::of(1..7_u64),
            prop::option::of(0..3_u64),
            any::<bool>(),
        )
            .prop_map(
                |((prompt, generate, depth, ubatch, sequences), threads, gpu_layers, repack)| Workload {
                    repack,
                    prompt,
                    generate,
                    depth,
                    ubatch,
                    sequences,
                    threads,
                    gpu_layers,
                    ..Workload::default()
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Models with an encoder, with experts, with states; a CPU, a GPU, a GPU that leaves layers to its CPU.
        #[test]
        fn parts_that_serve_predict_what_new_ones_do(
            works in prop::collection::vec(workload(), 2..8),
            model in prop::sample::select(vec!["tinyllama", "gemma-3-1b", "flan-t5-small", "distilbert-base", "qwen3-30b-a3b", "lfm2-1.2b"]),
            kind in prop::sample::select(vec![BackendKind::Cpu, BackendKind::Cuda]),
        ) {
            let catalog = Catalog::builtin();
            let precision = "q4_k_m".parse().unwrap();
            let sums = ModelSums::of(&catalog.model(model).unwrap(), precision).unwrap();
            let device = catalog.device("orin-nano-super").unwrap();
            let own = catalog.calibration_for(&device, kind, &Choice::Best).unwrap();
            let host = catalog.calibration_for(&device, BackendKind::Cpu, &Choice::Best).unwrap();
            let mut parts: Option<Parts<'_>> = None;
            for mut work in works {
                if kind == BackendKind::Cpu {
                    work.gpu_layers = None;
                }
                let scenario = Scenario::new(&sums, &device, Some(kind), precision, None, work).unwrap();
                let new = Parts::new(&scenario, &own, Some(&host));
                let serving = parts.take().filter(|parts| parts.serve(&work)).unwrap_or(new);
                // What does not apply is NaN.
                let (by_serving, by_new) = (serving.predict(&scenario), new.predict(&scenario));
                prop_assert_eq!(format!("{by_serving:?}"), format!("{by_new:?}"));
                let trusted = serving.trust(&scenario).uncertain(&scenario, &by_serving);
                let uncertain = by_new.uncertain(&scenario);
                prop_assert_eq!(format!("{trusted:?}"), format!("{uncertain:?}"));
                parts = Some(serving);
            }
        }
    }
}
