//! Groups of arguments that several commands take.

use super::failure::Failure;
use clap::{Args, ValueEnum};
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::decide::Target;
use edgeprof::device::BackendKind;
use edgeprof::economy::{ApiPrice, Battery, CarbonIntensity, EnergyPrice, ReadingSpeed, Terms};
use edgeprof::model::Model;
use edgeprof::quant::{CacheType, Precision};
use edgeprof::scenario::{Formulas, Workload};
use edgeprof::units::Hertz;
use std::path::PathBuf;

/// Where names are looked up.
#[derive(Debug, Clone, Args)]
pub struct CatalogArgs {
    /// A folder with `models/`, `hardware/` or `calibration/` of your own, over the catalogue and your data folder; repeatable,
    /// the last one wins
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    data: Vec<PathBuf>,
}

impl CatalogArgs {
    /// The catalogue with the user's files over it.
    pub fn open(&self) -> Result<Catalog, Failure> {
        Ok(Catalog::open(&self.data)?)
    }
}

/// On what factors a prediction rests.
#[derive(Debug, Clone, Args)]
pub struct CalibrationArgs {
    /// The calibration: a file, an id of `list calibrations`, or `none` for the data sheet and the class of the device alone
    /// [default: the device's own, else its class's]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    calibration: Option<String>,
}

impl CalibrationArgs {
    /// What was chosen.
    pub fn choice(&self) -> Choice {
        match &self.calibration {
            None => Choice::Best,
            Some(name) if name.eq_ignore_ascii_case("none") => Choice::Class,
            Some(name) => Choice::Named(name.clone()),
        }
    }
}

/// A backend by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    Cpu,
    Cuda,
    Metal,
    Vulkan,
    Opencl,
}

impl From<Backend> for BackendKind {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Cpu => Self::Cpu,
            Backend::Cuda => Self::Cuda,
            Backend::Metal => Self::Metal,
            Backend::Vulkan => Self::Vulkan,
            Backend::Opencl => Self::Opencl,
        }
    }
}

/// A set of formulas by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormulaSet {
    /// The tensors of the model, the bytes of the mix, prefill and decode apart, calibrated factors
    Exact,
    /// Equations 7 to 15 of the EdgeProfiler paper
    Edgeprofiler,
}

impl From<FormulaSet> for Formulas {
    fn from(formulas: FormulaSet) -> Self {
        match formulas {
            FormulaSet::Exact => Self::Exact,
            FormulaSet::Edgeprofiler => Self::Edgeprofiler,
        }
    }
}

/// How the device is set up beyond its power mode.
#[derive(Debug, Clone, Args)]
pub struct SetupArgs {
    /// Clock of what computes, as in `1.5GHz`: what a governor or a lock sets it to [default: that of the power mode]
    #[arg(long, value_name = "CLOCK")]
    clock: Option<Hertz>,
    /// The machine that a graphics card sits in, whose CPU computes what --gpu-layers leaves to it and whose memory and storage it
    /// uses: a name of `list hardware`, a path of a .toml, or `host` [default: what the card's entry assumes]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

impl SetupArgs {
    /// The target so set up.
    pub fn apply(&self, catalog: &Catalog, target: Target, choice: &Choice) -> Result<Target, Failure> {
        let mut target = target;
        if let Some(host) = &self.host {
            target = target.in_host(catalog, &*catalog.device(host.trim())?, choice)?;
        }
        if let Some(clock) = self.clock {
            target = target.at_clock(clock).map_err(Failure::new)?;
        }
        Ok(target)
    }

    /// The flag that was given, if one was.
    pub const fn given(&self) -> Option<&'static str> {
        match (&self.clock, &self.host) {
            (Some(_), _) => Some("--clock"),
            (None, Some(_)) => Some("--host"),
            (None, None) => None,
        }
    }
}

/// Precisions by name.
#[derive(Debug, Clone, Args)]
pub struct PrecisionArgs {
    /// Precisions: fp32, fp16, bf16, int8, int4, or any of `list precisions` [default: that of a GGUF file, else int4]
    #[arg(
        long = "prec",
        visible_alias = "precision",
        value_name = "NAME",
        value_delimiter = ','
    )]
    precision: Vec<String>,
}

impl PrecisionArgs {
    /// Those named; none if none was.
    pub fn named(&self) -> Result<Vec<Precision>, Failure> {
        let parsed = self.precision.iter().map(|name| name.trim().parse::<Precision>());
        parsed
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::new(error).hint("`edgeprof list precisions` shows them all"))
    }

    /// Those named, else the default of the model.
    pub fn of(&self, model: &Model) -> Result<Vec<Precision>, Failure> {
        let named = self.named()?;
        if !named.is_empty() {
            return Ok(named);
        }
        Ok(vec![Precision::own(model)])
    }
}

/// What energy, tokens and time are worth to whoever asks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Economy")]
pub struct EconomyArgs {
    /// Price of energy, in any currency: `0.20/kWh`, `0.20 EUR/kWh`, `$0.20/kWh`, `20 cents/kWh`
    #[arg(long, value_name = "PRICE")]
    price: Option<EnergyPrice>,
    /// What a service takes for a million input and a million output tokens, in the currency of --price: `0.15,0.60`
    #[arg(long, value_name = "IN,OUT", requires = "price")]
    api_price: Option<ApiPrice>,
    /// Energy of a charged battery: `18.84Wh`, `67.8 kJ`, `5000 mAh @ 3.85 V` [default: the device's own, if it has one]
    #[arg(long, value_name = "ENERGY")]
    battery: Option<Battery>,
    /// Speed at which the output is read: tokens per second, or `4 words/s`, `240 wpm` [default: 5.3, which is 4 words/s]
    #[arg(long, value_name = "SPEED")]
    reading_speed: Option<ReadingSpeed>,
    /// Carbon intensity of the grid: `400gCO2/kWh`
    #[arg(long, value_name = "INTENSITY")]
    grid: Option<CarbonIntensity>,
}

impl EconomyArgs {
    /// The terms stated.
    pub fn terms(&self) -> Result<Terms, Failure> {
        let terms = Terms {
            price: self.price,
            api_price: self.api_price,
            battery: self.battery,
            reading_speed: self.reading_speed.unwrap_or_default(),
            grid: self.grid,
        };
        terms.currency().map_err(Failure::new)?;
        Ok(terms)
    }
}

/// What is asked of the model. The flags mean what llama-bench's -p, -n, -d, -b, -ub, -ctk, -ctv, -t, -ngl mean.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Workload")]
pub struct WorkloadArgs {
    /// Tokens to prefill; 0: none
    #[arg(short, long, value_name = "N", default_value_t = 512)]
    prompt: u64,
    /// Tokens to decode; 0: none
    #[arg(short = 'n', long, value_name = "N", default_value_t = 128)]
    generate: u64,
    /// Tokens already in the KV cache before either
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    depth: u64,
    /// Size of the KV cache to allocate, tokens [default: depth + prompt + generate]
    #[arg(short, long, value_name = "N")]
    context: Option<u64>,
    /// Most tokens submitted at once
    #[arg(short, long, value_name = "N", default_value_t = 2048)]
    batch: u64,
    /// Most tokens computed at once
    #[arg(short, long, value_name = "N", default_value_t = 512)]
    ubatch: u64,
    /// Sequences processed side by side
    #[arg(long, value_name = "N", default_value_t = 1)]
    sequences: u64,
    /// Type of the KV cache, or of its keys and of its values: `q8_0`, `q8_0,q4_0`
    #[arg(long, value_name = "TYPE[,TYPE]", default_value = "f16")]
    kv_type: String,
    /// Type of the cached keys [default: that of --kv-type]
    #[arg(long, value_name = "TYPE")]
    cache_type_k: Option<String>,
    /// Type of the cached values [default: that of --kv-type]
    #[arg(long, value_name = "TYPE")]
    cache_type_v: Option<String>,
    /// CPU threads [default: what the calibration used, else one a core]
    #[arg(short, long, value_name = "N")]
    threads: Option<u64>,
    /// Layers computed on the GPU, the output head being one [default: all]
    #[arg(long, value_name = "N")]
    gpu_layers: Option<u64>,
    /// Leave the weights as the file holds them instead of repacking them for the CPU
    #[arg(long)]
    no_repack: bool,
}

/// The type of a KV cache of this name.
pub fn cache_type(name: &str) -> Result<CacheType, Failure> {
    name.trim().parse::<CacheType>().map_err(|error| {
        let known: Vec<&str> = CacheType::ALL.iter().map(|cache| cache.name()).collect();
        Failure::new(error).hint(format!("a KV cache can be of {}", known.join(", ")))
    })
}

impl WorkloadArgs {
    /// The work asked for.
    pub fn workload(&self) -> Result<Workload, Failure> {
        let (keys, values) = self.kv_type.split_once(',').unwrap_or((&self.kv_type, &self.kv_type));
        Ok(Workload {
            prompt: self.prompt,
            generate: self.generate,
            depth: self.depth,
            context: self.context,
            batch: self.batch,
            ubatch: self.ubatch,
            sequences: self.sequences,
            key_type: cache_type(self.cache_type_k.as_deref().unwrap_or(keys))?,
            value_type: cache_type(self.cache_type_v.as_deref().unwrap_or(values))?,
            threads: self.threads,
            gpu_layers: self.gpu_layers,
            repack: !self.no_repack,
        })
    }
}
