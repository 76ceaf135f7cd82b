//! Measurements made ready for the law: each with its model's sums, its device and the work it stands for.

use super::fit::Point;
use super::fit::pool::Member;
use super::measurement::{LeftOut, Measurement, Measurements, Phase};
use crate::calibration::Calibration;
use crate::catalog::Catalog;
use crate::device::Device;
use crate::model::Model;
use crate::output::number::significant;
use crate::perf::sums::ModelSums;
use crate::quant::{CacheType, Precision};
use crate::scenario::{Scenario, Workload};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A measurement and what a prediction of it needs.
#[derive(Debug, Clone)]
pub struct Row {
    /// As measured.
    pub measurement: Measurement,
    /// Which of [`Bench::members`] ran it.
    pub member: usize,
    /// As the measurement names it.
    pub precision: Precision,
    /// The work it stands for.
    pub workload: Workload,
    sums: Arc<ModelSums>,
    device: Arc<Device>,
}

/// Measurements ready to be fitted and judged.
#[derive(Debug, Clone, Default)]
pub struct Bench {
    /// The rows that can be predicted.
    pub rows: Vec<Row>,
    /// The backends that ran them.
    pub members: Vec<Member>,
    /// The rows that cannot, and why.
    pub left_out: Vec<LeftOut>,
}

/// Models and a device that the catalogue does not have, or not so.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// Models by id: the probes of a calibration, the user's own file.
    pub models: BTreeMap<String, Model>,
    /// The device whose id it has, in place of the catalogue's.
    pub device: Option<Device>,
}

/// No device is so many times as fast as its class predicts, whatever the engine's build.
const IMPLAUSIBLE: f64 = 30.0;

impl Row {
    /// The question that the row answers.
    ///
    /// # Errors
    /// If the device cannot be asked it.
    pub fn scenario(&self) -> Result<Scenario<'_>, crate::scenario::ScenarioError> {
        Scenario::new(
            &self.sums,
            &self.device,
            Some(self.measurement.backend),
            self.precision,
            self.measurement.power_mode.as_deref(),
            self.workload,
        )
    }

    /// Measured seconds: of the whole prompt, or of one decoded token.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        match self.measurement.phase {
            Phase::Prefill => self.measurement.tokens as f64 / self.measurement.tokens_per_s,
            Phase::Decode => 1.0 / self.measurement.tokens_per_s,
        }
    }

    /// Bytes of the model's weights.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        self.sums.weight_bytes
    }

    /// As the fit sees it.
    ///
    /// # Errors
    /// If the device cannot be asked it.
    pub fn point(&self) -> Result<Point<'_>, crate::scenario::ScenarioError> {
        Ok(Point {
            scenario: self.scenario()?,
            phase: self.measurement.phase,
            seconds: self.seconds(),
            weight: self.measurement.weight,
            group: self.member,
        })
    }
}

fn workload(measurement: &Measurement) -> Result<Workload, String> {
    let cache_type = |name: &Option<String>| match name {
        None => Ok(CacheType::default()),
        Some(name) => name.parse().map_err(|error| format!("{error}")),
    };
    let (prompt, generate) = match measurement.phase {
        Phase::Prefill => (measurement.tokens, 0),
        Phase::Decode => (0, measurement.tokens),
    };
    let defaults = Workload::default();
    Ok(Workload {
        prompt,
        generate,
        depth: measurement.depth,
        batch: measurement.batch.unwrap_or(defaults.batch),
        ubatch: measurement.ubatch.unwrap_or(defaults.ubatch),
        key_type: cache_type(&measurement.key_type)?,
        value_type: cache_type(&measurement.value_type)?,
        threads: measurement.threads,
        ..defaults
    })
}

impl Bench {
    /// Makes measurements ready. Those that cannot be predicted are left out with the reason.
    #[must_use]
    pub fn new(catalog: &Catalog, measurements: Measurements) -> Self {
        Self::with(catalog, &Own::default(), measurements)
    }

    /// The same, where measurements may be of models and a device that are not in the catalogue.
    #[must_use]
    pub fn with(catalog: &Catalog, own: &Own, measurements: Measurements) -> Self {
        let mut bench = Self {
            left_out: measurements.left_out,
            ..Self::default()
        };
        let mut sums = HashMap::new();
        for measurement in measurements.kept {
            match bench.row(catalog, own, &measurement, &mut sums) {
                Ok(row) => bench.rows.push(row),
                Err(reason) => bench.left_out.push(measurement.left_out(reason)),
            }
        }
        bench
    }

    fn row(
        &mut self,
        catalog: &Catalog,
        own: &Own,
        measurement: &Measurement,
        cache: &mut HashMap<(String, String), Arc<ModelSums>>,
    ) -> Result<Row, String> {
        if measurement.gpu_layers.is_some() {
            return Err("only some layers are on the GPU: neither backend's factors alone explain it".to_owned());
        }
        let device = match own.device.as_ref().filter(|device| device.id == measurement.device) {
            Some(device) => device.clone(),
            None if measurement.device.is_empty() => return Err("the file does not name the device".to_owned()),
            None => {
                let entry = catalog.device(&measurement.device).map_err(|error| error.to_string())?;
                entry.value.clone()
            }
        };
        let precision: Precision = measurement.precision.parse().map_err(|error| format!("{error}"))?;
        let key = (measurement.model.clone(), measurement.precision.clone());
        let sums = if let Some(sums) = cache.get(&key) {
            sums.clone()
        } else {
            let sums = match own.models.get(&measurement.model) {
                Some(model) => ModelSums::of(model, precision),
                None => {
                    let entry = catalog.model(&measurement.model).map_err(|error| error.to_string())?;
                    ModelSums::of(&entry.value, precision)
                }
            };
            let sums = Arc::new(sums.map_err(|error| error.to_string())?);
            cache.insert(key, sums.clone());
            sums
        };
        let device = Arc::new(device);
        let backend = device
            .backends
            .get(&measurement.backend)
            .ok_or_else(|| format!("{} has no {} backend", device.id, measurement.backend.name()))?;
        let member = Member {
            device: device.id.clone(),
            backend: measurement.backend,
            class: backend.class.clone(),
        };
        let at = self
            .members
            .iter()
            .position(|known| *known == member)
            .unwrap_or_else(|| {
                self.members.push(member);
                self.members.len() - 1
            });
        let row = Row {
            measurement: measurement.clone(),
            member: at,
            precision,
            workload: workload(measurement)?,
            sums,
            device,
        };
        row.scenario().map_err(|error| error.to_string())?;
        Ok(row)
    }

    /// Leaves out the rows whose rate is more than thirty times what `class` predicts: of another device or model than they say, or
    /// written in another unit. (A rate far below it may be that of a machine that was busy, or swapped.)
    pub fn leave_out_implausible(&mut self, class: &Calibration) {
        let ratio = |row: &Row| -> Option<f64> { Some(row.point().ok()?.log_error(class).exp()) };
        for row in std::mem::take(&mut self.rows) {
            match ratio(&row).filter(|ratio| *ratio > IMPLAUSIBLE) {
                None => self.rows.push(row),
                Some(ratio) => {
                    let reason = format!(
                        "{} times as fast as its class `{}` predicts: another device, model or unit than the row says?",
                        significant(ratio, 2),
                        class.file.class
                    );
                    self.left_out.push(row.measurement.left_out(reason));
                }
            }
        }
    }

    /// The points of the rows that `keep` accepts; their groups are [`Bench::members`].
    pub fn points<'a>(&'a self, keep: impl Fn(&Row) -> bool + 'a) -> Vec<Point<'a>> {
        self.rows
            .iter()
            .filter(|row| keep(row))
            .filter_map(|row| row.point().ok())
            .collect()
    }
}
