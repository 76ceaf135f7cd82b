//! From what is asked to the space of its rows.

use super::asked::{Asked, Caches, Pick};
use super::skipped::{Ledger, Reason};
use super::space::{Group, Lane, Lot, Space, SpaceError, Work};
use crate::catalog::{Catalog, CatalogError, Entry};
use crate::decide::{Target, TargetError};
use crate::device::{BackendKind, Device};
use crate::model::Model;
use crate::perf::memory::Context;
use crate::perf::sums::ModelSums;
use crate::quant::{CacheType, Precision};
use crate::scenario::{ScenarioError, power_mode_of};
use std::collections::HashSet;
use std::sync::Arc;

type Named = Vec<(&'static str, String)>;

impl Space {
    /// Looks the names up and lays the rows out.
    ///
    /// Of combinations that cannot be asked, those of values that can be asked elsewhere are left out and counted; a value that was
    /// named and can be asked nowhere is an error.
    ///
    /// # Errors
    /// [`SpaceError`]
    pub fn new(catalog: &Catalog, asked: &Asked) -> Result<Self, SpaceError> {
        let work = Work::new(asked)?;
        let mut layout = Layout {
            catalog,
            asked,
            inner: work.len(),
            ledger: Ledger::default(),
            lanes: Vec::new(),
        };
        let models = layout.models()?;
        let devices = layout.devices()?;
        for device in &devices {
            layout.lanes_of(device, models.len() as u64)?;
        }
        let mut groups: Vec<Group> = Vec::with_capacity(models.len());
        for model in models {
            let before = groups.last().map_or(0, |group| group.end);
            groups.extend(layout.group(model, before)?);
        }
        layout.check_named(&groups, &devices)?;
        if groups.last().is_none_or(|group| group.end == 0) {
            return Err(layout.nothing());
        }
        Ok(Self {
            groups,
            lanes: layout.lanes,
            work,
            skipped: layout.ledger.skipped,
        })
    }
}

struct Layout<'a> {
    catalog: &'a Catalog,
    asked: &'a Asked,
    /// Rows of one cache type, number of layers and number of threads.
    inner: u64,
    ledger: Ledger,
    lanes: Vec<Lane>,
}

/// The entries of these names, each once.
fn entries<'a, T>(
    names: impl Iterator<Item = &'a str>,
    find: impl Fn(&str) -> Result<Arc<Entry<T>>, CatalogError>,
) -> Result<Vec<Arc<Entry<T>>>, CatalogError> {
    let mut found: Vec<Arc<Entry<T>>> = Vec::new();
    for name in names {
        let entry = find(name.trim())?;
        if !found.iter().any(|other| Arc::ptr_eq(other, &entry)) {
            found.push(entry);
        }
    }
    Ok(found)
}

impl Layout<'_> {
    fn models(&self) -> Result<Vec<Arc<Entry<Model>>>, SpaceError> {
        let find = |name: &str| self.catalog.model(name);
        let found = match &self.asked.models {
            Pick::All => entries(self.catalog.model_ids(), find),
            pick => entries(pick.listed().iter().map(String::as_str), find),
        };
        Ok(found?)
    }

    fn devices(&self) -> Result<Vec<Arc<Entry<Device>>>, SpaceError> {
        let find = |name: &str| self.catalog.device(name);
        let found = match &self.asked.hardware {
            Pick::All => entries(self.catalog.device_ids(), find),
            pick => entries(pick.listed().iter().map(String::as_str), find),
        };
        Ok(found?)
    }

    /// How many rows a target has that cannot be asked.
    fn rows_of_target(&self, models: u64) -> u64 {
        let Asked {
            precisions,
            caches,
            gpu_layers,
            threads,
            ..
        } = self.asked;
        let lengths = [
            precisions.listed().len(),
            caches.listed().len(),
            gpu_layers.listed().len(),
            threads.listed().len(),
        ];
        let product = |rows: u64, length: usize| rows.saturating_mul(length.max(1) as u64);
        lengths.into_iter().fold(models.saturating_mul(self.inner), product)
    }

    /// Adds the lanes of a device: its backends in its power modes.
    fn lanes_of(&mut self, device: &Arc<Entry<Device>>, models: u64) -> Result<(), SpaceError> {
        let rows = self.rows_of_target(models);
        let hardware = ("--hw", device.id.clone());
        let backends = match &self.asked.backends {
            Pick::Own => vec![device.default_backend],
            Pick::All => device.backends.keys().copied().collect(),
            Pick::Listed(kinds) => kinds.clone(),
        };
        let modes: Vec<Option<&str>> = match &self.asked.power_modes {
            Pick::All if !device.power_modes.is_empty() => {
                device.power_modes.keys().map(|mode| Some(&**mode)).collect()
            }
            Pick::Own | Pick::All => vec![None],
            Pick::Listed(modes) => modes.iter().map(|mode| Some(mode.trim())).collect(),
        };
        for &kind in &backends {
            let mut found: Vec<Option<String>> = Vec::new();
            for &mode in &modes {
                let mut named: Named = vec![hardware.clone()];
                match Target::new(
                    self.catalog,
                    Arc::clone(device),
                    Some(kind),
                    mode,
                    &self.asked.calibration,
                ) {
                    Ok(target) => {
                        // One mode by two spellings is one mode.
                        let mode = target.power_mode().map(str::to_owned);
                        if !found.contains(&mode) {
                            found.push(mode);
                            let terms = self.asked.terms.on(device);
                            self.lanes.push(Lane { target, terms });
                        }
                    }
                    Err(error) => {
                        let reason = match &error {
                            TargetError::Scenario(ScenarioError::NoBackend { .. }) => {
                                named.push(("--backend", kind.to_string()));
                                Reason::NoBackend(kind)
                            }
                            TargetError::Scenario(ScenarioError::NoPowerMode { mode, .. }) => {
                                named.push(("--power-mode", mode.clone()));
                                Reason::NoPowerMode(mode.clone())
                            }
                            TargetError::Catalog(CatalogError::NoCalibration { .. }) => Reason::NoCalibration,
                            _ => return Err(SpaceError::of_target(error)),
                        };
                        self.ledger.skip(reason, &device.id, rows, &named, &error.to_string());
                    }
                }
            }
        }
        Ok(())
    }

    /// A model on every lane, its first row numbered `before`; none if nothing can be asked of it.
    fn group(&mut self, model: Arc<Entry<Model>>, before: u64) -> Result<Option<Group>, SpaceError> {
        let precisions = self.precisions(&model)?;
        let caches = self.caches(&model, precisions.len() as u64)?;
        if precisions.is_empty() || caches.is_empty() {
            return Ok(None);
        }
        let mut lots: Vec<Lot> = Vec::new();
        for lane in 0..self.lanes.len() {
            let threads = self.threads(lane);
            let gpu_layers = self.gpu_layers(lane, &model);
            let rows = [caches.len(), gpu_layers.len(), threads.len()]
                .into_iter()
                .try_fold(self.inner, |rows, length| rows.checked_mul(length as u64))
                .ok_or(SpaceError::TooManyRows)?;
            if rows > 0 {
                let start = lots.last().map_or(0, |lot| lot.end);
                lots.push(Lot {
                    lane,
                    caches: Arc::clone(&caches),
                    gpu_layers: gpu_layers.into(),
                    threads: threads.into(),
                    end: start.checked_add(rows).ok_or(SpaceError::TooManyRows)?,
                });
            }
        }
        let Some(rows) = lots.last().map(|lot| lot.end) else {
            return Ok(None);
        };
        let end = rows
            .checked_mul(precisions.len() as u64)
            .and_then(|rows| before.checked_add(rows))
            // beyond any table, and far from the overflow of what is counted in rows
            .filter(|&end| end < 1 << 60)
            .ok_or(SpaceError::TooManyRows)?;
        Ok(Some(Group {
            model,
            precisions,
            lots,
            end,
        }))
    }

    fn precisions(&mut self, model: &Model) -> Result<Vec<Precision>, SpaceError> {
        let asked = match &self.asked.precisions {
            Pick::Own => return Ok(vec![Precision::own(model)]),
            // The paper's names stand for mixes that have names of their own.
            Pick::All => {
                let paper = [Precision::Fp32, Precision::Fp16, Precision::Int8, Precision::Int4];
                Precision::all()
                    .filter(|precision| !paper.contains(precision))
                    .collect()
            }
            Pick::Listed(precisions) => precisions.clone(),
        };
        let mut found = Vec::with_capacity(asked.len());
        for precision in asked {
            match precision.block_types(model) {
                Ok(_) => found.push(precision),
                Err(error) => {
                    let named = vec![("--model", model.id.clone()), ("--prec", precision.to_string())];
                    let rows = self.inner.saturating_mul(self.lanes.len() as u64);
                    self.ledger
                        .skip(Reason::NotStored, &model.id, rows, &named, &error.to_string());
                }
            }
        }
        Ok(found)
    }

    fn caches(&mut self, model: &Model, precisions: u64) -> Result<Arc<[Caches]>, SpaceError> {
        let alike = |&cache: &CacheType| Caches {
            keys: cache,
            values: cache,
        };
        let asked: Vec<Caches> = match &self.asked.caches {
            Pick::Own => return Ok(Arc::new([alike(&CacheType::F16)])),
            Pick::All => CacheType::ALL.iter().map(alike).collect(),
            Pick::Listed(caches) => caches.clone(),
        };
        let sums = ModelSums::of(model, Precision::Fp16).map_err(|error| SpaceError::of_stored(&error))?;
        let mut found = Vec::with_capacity(asked.len());
        for caches in asked {
            let context = Context {
                key_type: caches.keys,
                value_type: caches.values,
                ..Context::new(1)
            };
            match sums.memory.kv_cache_bytes(&context) {
                Ok(_) => found.push(caches),
                Err(error) => {
                    let named = vec![("--model", model.id.clone()), ("--kv-type", caches.to_string())];
                    let rows = self
                        .inner
                        .saturating_mul(precisions)
                        .saturating_mul(self.lanes.len() as u64);
                    let reason = Reason::CacheType(caches.to_string());
                    self.ledger.skip(reason, &model.id, rows, &named, &error.to_string());
                }
            }
        }
        Ok(found.into())
    }

    /// Threads on a lane: a GPU is asked once, with those that its host would take.
    fn threads(&mut self, lane: usize) -> Vec<Option<u64>> {
        let target = &self.lanes[lane].target;
        let cores = target.cores();
        match &self.asked.threads {
            _ if target.backend() != BackendKind::Cpu => vec![None],
            Pick::Own => vec![None],
            Pick::All => (1..=cores).map(Some).collect(),
            Pick::Listed(threads) => {
                let id = target.device().id.clone();
                let why = format!("{target} has {cores} cores");
                let (fitting, beyond): (Vec<u64>, Vec<u64>) = threads.iter().partition(|&&threads| threads <= cores);
                for threads in beyond {
                    let named = vec![("--threads", threads.to_string()), ("--hw", id.clone())];
                    self.ledger
                        .skip(Reason::ThreadsBeyondCores, &id, self.inner, &named, &why);
                }
                fitting.into_iter().map(Some).collect()
            }
        }
    }

    /// Layers on the GPU of a lane; a CPU is asked once, without any.
    fn gpu_layers(&mut self, lane: usize, model: &Model) -> Vec<Option<u64>> {
        let target = &self.lanes[lane].target;
        // The output head counts as one more.
        let most = model.mixers.len() as u64 + 1;
        let listed: Vec<u64> = match &self.asked.gpu_layers {
            _ if target.backend() == BackendKind::Cpu => return vec![None],
            Pick::Own => return vec![None],
            Pick::All => (0..=most).collect(),
            Pick::Listed(layers) => layers.clone(),
        };
        let device = target.device();
        let id = device.id.clone();
        let has_host = device.backends.contains_key(&BackendKind::Cpu);
        let mut found = Vec::with_capacity(listed.len());
        for layers in listed {
            let value = ("--gpu-layers", layers.to_string());
            if layers > most {
                let why = format!("{} has {} layers, and its head is one more", model.id, most - 1);
                let named = vec![value, ("--model", model.id.clone())];
                self.ledger
                    .skip(Reason::LayersBeyondModel, &model.id, self.inner, &named, &why);
            } else if layers < most && !has_host {
                let why = format!("{id} describes no CPU that could compute the others");
                let named = vec![value, ("--hw", id.clone())];
                self.ledger.skip(Reason::NoHost, &id, self.inner, &named, &why);
            } else {
                found.push(Some(layers));
            }
        }
        found
    }

    /// Whether everything that was named can be asked somewhere.
    fn check_named(&self, groups: &[Group], devices: &[Arc<Entry<Device>>]) -> Result<(), SpaceError> {
        let asked = self.asked;
        let mut absent = Absent::default();
        let lots = || groups.iter().flat_map(|group| &group.lots);
        let mut lanes = vec![false; self.lanes.len()];
        for lot in lots() {
            lanes[lot.lane] = true;
        }
        let targets = || {
            let used = self.lanes.iter().zip(&lanes).filter(|(_, used)| **used);
            used.map(|(lane, _)| &lane.target)
        };
        if !matches!(asked.models, Pick::All) && !self.lanes.is_empty() {
            for name in asked.models.listed() {
                let id = &self.catalog.model(name.trim())?.id;
                let there = groups.iter().any(|group| group.model.id == *id);
                absent.unless("--model", id, there, "nothing can be asked of it");
            }
        }
        if !matches!(asked.hardware, Pick::All) {
            for device in devices {
                let there = targets().any(|target| target.device().id == device.id);
                absent.unless("--hw", &device.id, there, "nothing can be asked of it");
            }
        }
        for kind in asked.backends.listed() {
            let there = targets().any(|target| target.backend() == *kind);
            absent.unless("--backend", kind.name(), there, "no device has it");
        }
        for mode in asked.power_modes.listed() {
            let there =
                targets().any(|target| matches!(power_mode_of(target.device(), Some(mode.trim())), Ok(Some(_))));
            absent.unless("--power-mode", mode.trim(), there, "no device has it");
        }
        for precision in asked.precisions.listed() {
            let there = groups.iter().any(|group| group.precisions.contains(precision));
            absent.unless("--prec", precision.name(), there, "no model has it");
        }
        for caches in asked.caches.listed() {
            let there = lots().any(|lot| lot.caches.contains(caches));
            absent.unless("--kv-type", &caches.to_string(), there, "no model has it");
        }
        absent.counts(
            "--threads",
            asked.threads.listed(),
            lots().map(|lot| &*lot.threads),
            "no CPU computes, only GPUs do",
        );
        absent.counts(
            "--gpu-layers",
            asked.gpu_layers.listed(),
            lots().map(|lot| &*lot.gpu_layers),
            "no GPU computes, only CPUs do",
        );
        absent.refuse(&self.ledger)
    }

    fn nothing(&self) -> SpaceError {
        let reasons: Vec<String> = self.ledger.skipped.iter().map(ToString::to_string).collect();
        let why = if reasons.is_empty() {
            "an axis has no values".to_owned()
        } else {
            reasons.join("; ")
        };
        SpaceError::Nothing { why }
    }
}

/// Values that were named and can be asked nowhere, each with what to say of it if nothing is known.
#[derive(Default)]
struct Absent {
    values: Vec<(&'static str, String, &'static str)>,
}

impl Absent {
    fn unless(&mut self, flag: &'static str, value: &str, there: bool, otherwise: &'static str) {
        if !there {
            self.values.push((flag, value.to_owned(), otherwise));
        }
    }

    fn counts<'a>(
        &mut self,
        flag: &'static str,
        listed: &[u64],
        lots: impl Iterator<Item = &'a [Option<u64>]>,
        otherwise: &'static str,
    ) {
        if listed.is_empty() {
            return;
        }
        let asked: HashSet<u64> = lots.flatten().flatten().copied().collect();
        for count in listed {
            self.unless(flag, &count.to_string(), asked.contains(count), otherwise);
        }
    }

    /// # Errors
    /// [`SpaceError::Impossible`] of the first of them, sooner one of which it is known why.
    fn refuse(self, ledger: &Ledger) -> Result<(), SpaceError> {
        let why = |(flag, value, _): &(&'static str, String, &str)| ledger.why(flag, value);
        let known = self.values.iter().position(|value| why(value).is_some());
        let Some(absent) = self.values.get(known.unwrap_or(0)) else {
            return Ok(());
        };
        let (flag, value, otherwise) = absent;
        Err(SpaceError::Impossible {
            flag,
            value: value.clone(),
            why: why(absent).unwrap_or(otherwise).to_owned(),
        })
    }
}
