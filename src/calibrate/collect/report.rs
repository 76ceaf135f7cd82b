//! What was collected.

use super::{
    CollectOptions, LEAVE_OUT_ABOVE, Machine, Plan, Power, Probe, Probes, REPEAT_ABOVE, Timing, Warning, today,
};
use crate::calibrate::{Engine, Measurement, Phase};
use crate::device::BackendKind;
use crate::model::Model;
use crate::units::{Bytes, Seconds, Watts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A model file loaded: terms of a cold start, measured as themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The model.
    pub model: String,
    /// Its precision.
    pub precision: String,
    /// Sum of its tensors' bytes.
    pub bytes: u64,
    /// Time to load it from the page cache, repacking included, seconds.
    pub load_s: f64,
    /// Time of the first token after that, seconds.
    pub first_token_s: Option<f64>,
}

/// What a calibration measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Collected {
    /// Id of the device.
    pub device: String,
    /// What computed.
    pub backend: BackendKind,
    /// The machine.
    pub machine: Machine,
    /// Its own rates.
    pub probes: Option<Probes>,
    /// Every test's timing, with the [key](Probe::key) of its probe.
    pub timings: Vec<(String, Timing)>,
    /// The files that were loaded.
    pub loads: Vec<Load>,
    /// What could not be trusted, and why.
    pub warnings: Vec<Warning>,
    /// The build of llama.cpp.
    pub build: String,
    /// Where power was read, if it was.
    pub power: Option<Power>,
    /// The day, ISO 8601.
    pub date: String,
    /// Time that it all took, seconds.
    pub seconds: f64,
    /// What was measured.
    #[serde(skip)]
    pub(super) measured: Vec<Probe>,
}

impl Collected {
    pub(super) fn new(options: &CollectOptions, machine: Machine) -> Self {
        Self {
            device: options.device.id.clone(),
            backend: options.backend,
            machine,
            probes: None,
            timings: Vec::new(),
            loads: Vec::new(),
            warnings: Vec::new(),
            build: String::new(),
            power: None,
            date: today(),
            seconds: 0.0,
            measured: Vec::new(),
        }
    }

    /// Keeps the timings that the plan has a probe for, drops those that say nothing and warns of those that say little. Gives
    /// how many it dropped because they say nothing.
    pub(super) fn settle(&mut self, plan: &Plan) -> usize {
        self.measured.clone_from(&plan.probes);
        self.timings
            .retain(|(key, _)| plan.probes.iter().any(|probe| probe.key() == *key));
        let tests = self.timings.len();
        let warnings = &mut self.warnings;
        self.timings.retain(|(key, timing)| {
            let half_width = timing.half_width();
            let test = || format!("{key}, {}", timing.test);
            if half_width > LEAVE_OUT_ABOVE {
                warnings.push(Warning::LeftOut {
                    test: test(),
                    half_width,
                });
            } else if half_width > REPEAT_ABOVE {
                warnings.push(Warning::Scattered {
                    test: test(),
                    half_width,
                });
            }
            half_width <= LEAVE_OUT_ABOVE
        });
        let left_out = tests - self.timings.len();
        if 2 * left_out > tests {
            self.warnings.push(Warning::MostLeftOut {
                left_out: left_out as u64,
                tests: tests as u64,
            });
        }
        left_out
    }

    /// Whether so little is left of what was measured that a fit would be of the disturbance: less than a quarter.
    pub(super) fn is_too_little(&self, left_out: usize) -> bool {
        let kept = self.timings.len();
        4 * kept < kept + left_out
    }

    /// The models that the measurements are of, by id: the catalogue has no probes.
    #[must_use]
    pub fn models(&self) -> BTreeMap<String, Model> {
        self.measured
            .iter()
            .map(|probe| (probe.model.id.clone(), probe.model.clone()))
            .collect()
    }

    /// The timings as rows like those of any other source.
    #[must_use]
    pub fn measurements(&self) -> Vec<Measurement> {
        let row = |(key, timing): &(String, Timing)| {
            let probe = self.measured.iter().find(|probe| probe.key() == *key)?;
            Some(self.measurement(probe, timing))
        };
        self.timings.iter().filter_map(row).collect()
    }

    fn measurement(&self, probe: &Probe, timing: &Timing) -> Measurement {
        let precision = probe.precision();
        let load = self
            .loads
            .iter()
            .find(|load| load.model == probe.model.id && load.precision == precision);
        let cache_type = probe.cache_type.name().to_owned();
        let power = self.power.as_ref().filter(|_| timing.watts.is_some());
        Measurement {
            device: self.device.clone(),
            backend: self.backend,
            threads: (self.backend == BackendKind::Cpu).then_some(timing.test.threads),
            model: probe.model.id.clone(),
            precision,
            phase: timing.test.phase,
            tokens: timing.test.tokens,
            depth: timing.test.depth,
            batch: Some(2048),
            ubatch: Some(512),
            key_type: Some(cache_type.clone()),
            value_type: Some(cache_type),
            flash_attention: None,
            power_mode: None,
            gpu_layers: None,
            tokens_per_s: timing.tokens_per_s(),
            stddev: Some(timing.tokens_per_s_deviation()),
            samples: Some(timing.samples),
            watts: timing.watts.map(Watts),
            idle_watts: power.and_then(|power| power.idle_watts),
            rail: power.map(|power| power.rail.to_string()),
            joules_per_token: None,
            load: load.map(|load| Seconds(load.load_s)),
            model_size: Some(Bytes(probe.weight_bytes as f64)),
            parameters: Some(probe.model.parameters()),
            build: Some(self.build.clone()),
            date: Some(self.date.clone()),
            engine: Engine::LlamaCpp,
            weight: 1.0,
            source: format!("edgeprof calibrate on {} ({})", self.machine.name, self.machine.system),
            note: String::new(),
            line: 0,
        }
    }

    /// The number of threads that was fastest in a phase, where several were tried; none if none were.
    ///
    /// Of the probes the one whose tests tried the most counts speaks, at its longest test from an empty cache.
    #[must_use]
    pub fn best_threads(&self, phase: Phase) -> Option<u64> {
        let mut scans: BTreeMap<(&str, u64), Vec<&Timing>> = BTreeMap::new();
        for (key, timing) in &self.timings {
            if timing.test.phase == phase && timing.test.depth == 0 {
                scans.entry((key, timing.test.tokens)).or_default().push(timing);
            }
        }
        let bytes = |key: &str| {
            self.measured
                .iter()
                .find(|probe| probe.key() == key)
                .map_or(0, |probe| probe.weight_bytes)
        };
        let (_, scan) = scans
            .into_iter()
            .filter(|(_, scan)| scan.len() > 1)
            .max_by_key(|((key, tokens), scan)| (scan.len(), bytes(key), *tokens))?;
        let fastest = scan
            .into_iter()
            .min_by(|a, b| a.seconds_per_token.total_cmp(&b.seconds_per_token))?;
        Some(fastest.test.threads)
    }
}
