//! What edgeprof predicts of the study's runs.

use super::super::Question;
use super::published::{Fastest, Quantity, Setting, Threads, Work};
use crate::cli::failure::Failure;
use edgeprof::device::BackendKind;
use edgeprof::economy::{Battery, Contender, Economy, Terms, Work as Request};
use edgeprof::perf::predict;
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::Precision;
use edgeprof::scenario::{Scenario, Workload};
use edgeprof::units::Joules;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The figures of one run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    economy: Economy,
    request: Request,
    prefill_tokens_per_s: Option<f64>,
    decode_tokens_per_s: Option<f64>,
    memory_bytes: f64,
    io_s: Option<f64>,
    /// What loading takes besides reading.
    prepare_s: f64,
    pub fits: bool,
}

/// A setting, a model and a format.
type Asked = (Setting, String, String);

/// Predictions, each made once.
pub struct Asker<'a> {
    question: &'a Question<'a>,
    workload: Workload,
    terms: Terms,
    sums: RefCell<BTreeMap<(String, String), ModelSums>>,
    known: RefCell<BTreeMap<Asked, Run>>,
}

impl<'a> Asker<'a> {
    /// Asks of the study's work at its prices.
    pub fn new(question: &'a Question<'a>, work: &Work) -> Result<Self, Failure> {
        let terms = Terms {
            price: Some(work.price.parse().map_err(Failure::new)?),
            api_price: Some(work.api_price.parse().map_err(Failure::new)?),
            battery: Some(Battery(Joules(work.battery_j))),
            ..Terms::default()
        };
        Ok(Self {
            question,
            workload: Workload {
                prompt: work.prompt,
                generate: work.generate,
                context: Some(work.context),
                ..Workload::default()
            },
            terms,
            sums: RefCell::default(),
            known: RefCell::default(),
        })
    }

    /// The price of energy.
    pub fn price_per_joule(&self) -> f64 {
        self.terms.price.map_or(f64::NAN, |price| price.per_joule)
    }

    /// A figure of a model in a format; the setting's own format goes first.
    pub fn figure(
        &self,
        quantity: Quantity,
        setting: &Setting,
        model: &str,
        precision: &str,
    ) -> Result<Option<f64>, Failure> {
        let least = |of: Quantity| -> Result<Option<f64>, Failure> {
            let each = self.each_thread_count(setting, model, precision)?;
            let runs = each
                .iter()
                .filter_map(|(threads, run)| Some((*threads, run.figure(of)?)));
            let least = runs.min_by(|(_, a), (_, b)| a.total_cmp(b));
            Ok(least.map(|(threads, _)| threads as f64))
        };
        match quantity {
            Quantity::PrefillThreads => least(Quantity::PrefillEnergyJPerToken),
            Quantity::DecodeThreads => least(Quantity::DecodeEnergyJPerToken),
            _ => Ok(self.run(setting, model, precision)?.figure(quantity)),
        }
    }

    /// The run of a model in a format.
    pub fn run(&self, setting: &Setting, model: &str, precision: &str) -> Result<Run, Failure> {
        let precision = setting.precision.as_deref().unwrap_or(precision);
        let key = (setting.clone(), model.to_owned(), precision.to_owned());
        if let Some(run) = self.known.borrow().get(&key) {
            return Ok(*run);
        }
        let run = match setting.threads {
            Some(Threads::Named(Fastest::Fastest)) => {
                let rate = |run: &Run| run.decode_tokens_per_s.unwrap_or(0.0);
                let each = self.each_thread_count(setting, model, precision)?;
                let runs = each.into_iter().map(|(_, run)| run);
                runs.max_by(|a, b| rate(a).total_cmp(&rate(b)))
                    .ok_or_else(|| Failure::new(format!("{} has no cores", setting.hardware)))?
            }
            Some(Threads::Count(threads)) => self.predict(setting, model, precision, Some(threads))?,
            None => self.predict(setting, model, precision, None)?,
        };
        self.known.borrow_mut().insert(key, run);
        Ok(run)
    }

    /// The runs at every number of threads that a CPU has cores for; of a GPU the one that there is.
    fn each_thread_count(&self, setting: &Setting, model: &str, precision: &str) -> Result<Vec<(u64, Run)>, Failure> {
        let device = self.question.catalog.device(&setting.hardware)?;
        let kind = setting.backend.unwrap_or(device.default_backend);
        let cpu = device.backends.get(&kind).filter(|_| kind == BackendKind::Cpu);
        let precision = setting.precision.as_deref().unwrap_or(precision);
        (1..=cpu.map_or(1, |backend| backend.cores.value))
            .map(|threads| {
                let asked = cpu.map(|_| threads);
                Ok((threads, self.predict(setting, model, precision, asked)?))
            })
            .collect()
    }

    fn predict(&self, setting: &Setting, model: &str, precision: &str, threads: Option<u64>) -> Result<Run, Failure> {
        let catalog = self.question.catalog;
        let mut device = catalog.device(&setting.hardware)?.value.clone();
        let quant: Precision = precision.parse().map_err(Failure::new)?;
        let key = (model.to_owned(), precision.to_owned());
        if !self.sums.borrow().contains_key(&key) {
            let sums = {
                let model = catalog.model(model)?;
                ModelSums::of(&model, quant).map_err(Failure::new)?
            };
            self.sums.borrow_mut().insert(key.clone(), sums);
        }
        let sums = self.sums.borrow();
        let backend = setting.backend.unwrap_or(device.default_backend);
        let calibration = catalog.calibration_for(&device, backend, self.question.choice)?;
        let mut mode = setting.power_mode.clone();
        if let Some(clock) = &setting.clock {
            let mode_now = mode.as_deref().or(device.default_power_mode.as_deref());
            let clock = clock.parse().map_err(Failure::new)?;
            let (at_clock, name) = device.at_clock(backend, mode_now, clock).map_err(Failure::new)?;
            (device, mode) = (at_clock, Some(name));
        }
        let workload = Workload {
            threads,
            repack: setting.repack.unwrap_or(self.workload.repack),
            ..self.workload
        };
        let scenario = Scenario::new(&sums[&key], &device, Some(backend), quant, mode.as_deref(), workload)
            .map_err(Failure::new)?;
        let prediction = predict(&scenario, &calibration);
        let request = Request::of(&workload, &prediction);
        Ok(Run {
            economy: Economy::of(&request, &self.terms),
            request,
            prefill_tokens_per_s: prediction.prefill_tokens_per_s,
            decode_tokens_per_s: prediction.decode_tokens_per_s,
            memory_bytes: prediction.memory_bytes,
            io_s: prediction.io_s,
            prepare_s: prediction.h2d_s.unwrap_or(0.0) + prediction.repack_s.unwrap_or(0.0),
            fits: prediction.fits,
        })
    }
}

impl Run {
    /// A figure of it.
    pub fn figure(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::PrefillTokensPerS => self.prefill_tokens_per_s,
            Quantity::DecodeTokensPerS => self.decode_tokens_per_s,
            Quantity::PrefillEnergyJPerToken => self.request.prefill_energy_j_per_token,
            Quantity::DecodeEnergyJPerToken => self.request.decode_energy_j_per_token,
            Quantity::PrefillActionJSPerToken => self.economy.prefill_action_j_s_per_token,
            Quantity::InputCostPerMillionTokens => self.economy.input_cost_per_million_tokens,
            Quantity::OutputCostPerMillionTokens => self.economy.output_cost_per_million_tokens,
            Quantity::InputApiPriceOverCost => self.economy.input_api_price_over_cost,
            Quantity::OutputApiPriceOverCost => self.economy.output_api_price_over_cost,
            Quantity::BatteryS => self.economy.battery_s,
            Quantity::MemoryBytes => Some(self.memory_bytes),
            Quantity::IoS => self.io_s,
            Quantity::WarmLoadShare => Some(self.prepare_s / (self.prepare_s + self.request.prefill_s?)),
            Quantity::PrefillThreads | Quantity::DecodeThreads => None,
        }
    }

    /// What its device takes for its tokens.
    pub fn contender(&self, price: f64) -> Option<Contender> {
        Some(Contender {
            price,
            input_j: self.request.prefill_energy_j_per_token?,
            output_j: self.request.decode_energy_j_per_token?,
            input_s: 1.0 / self.prefill_tokens_per_s?,
            output_s: 1.0 / self.decode_tokens_per_s?,
        })
    }
}
