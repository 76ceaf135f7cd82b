//! What a sweep is asked, from its flags.

use crate::cli::arguments::{CalibrationArgs, CatalogArgs, EconomyArgs, cache_type};
use crate::cli::failure::Failure;
use clap::Args;
use edgeprof::device::BackendKind;
use edgeprof::quant::Precision;
use edgeprof::sweep::{Asked, Caches, Numbers, NumbersError, Pick};

/// The axes.
#[derive(Debug, Clone, Args)]
pub struct AxesArgs {
    /// Models: names of `list models`, or paths of a .gguf, a .toml, a config.json or its folder; or `all`
    #[arg(short, long, value_name = "NAMES", value_delimiter = ',', required = true)]
    model: Vec<String>,
    /// Devices: names of `list hardware`, paths of a .toml, or `host` for this machine; or `all`
    #[arg(
        long = "hw",
        visible_alias = "hardware",
        value_name = "NAMES",
        value_delimiter = ',',
        required = true
    )]
    hardware: Vec<String>,
    /// Precisions: fp32, fp16, bf16, int8, int4, or any of `list precisions`; or `all` [default: that of a GGUF file, else int4]
    #[arg(
        long = "prec",
        visible_alias = "precision",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    precision: Vec<String>,
    /// What computes: cpu, cuda, metal, vulkan, opencl; or `all` that a device has [default: the device's own choice]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    backend: Vec<String>,
    /// Power modes; or `all` that a device has [default: the one it ships in]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    power_mode: Vec<String>,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    economy: EconomyArgs,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

/// The work. The flags mean what llama-bench's -p, -n, -d, -b, -ub, -ctk, -ctv, -t, -ngl mean.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Workload")]
struct WorkArgs {
    /// Tokens to prefill
    #[arg(short, long, value_name = "NUMBERS", default_value = "512")]
    prompt: Numbers,
    /// Tokens to decode
    #[arg(short = 'n', long, value_name = "NUMBERS", default_value = "128")]
    generate: Numbers,
    /// Tokens already in the KV cache before either
    #[arg(short, long, value_name = "NUMBERS", default_value = "0")]
    depth: Numbers,
    /// Sizes of the KV cache to allocate, tokens [default: depth + prompt + generate]
    #[arg(short, long, value_name = "NUMBERS")]
    context: Option<Numbers>,
    /// Most tokens submitted at once
    #[arg(short, long, value_name = "NUMBERS", default_value = "2048")]
    batch: Numbers,
    /// Most tokens computed at once
    #[arg(short, long, value_name = "NUMBERS", default_value = "512")]
    ubatch: Numbers,
    /// Sequences processed side by side
    #[arg(long, value_name = "NUMBERS", default_value = "1")]
    sequences: Numbers,
    /// Types of the KV cache, `keys/values` where they differ: `f16,q8_0,q8_0/q4_0`; or `all`
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    kv_type: Vec<String>,
    /// CPU threads; `all`: one to the number of cores; a GPU is asked once [default: what the calibration used, else one a core]
    #[arg(short, long, value_name = "NUMBERS", value_parser = counts)]
    threads: Option<Pick<u64>>,
    /// Layers computed on the GPU, the output head being one; `all`: none to all of them; a CPU is asked once [default: all]
    #[arg(long, value_name = "NUMBERS", value_parser = counts)]
    gpu_layers: Option<Pick<u64>>,
    /// Leave the weights as the file holds them instead of repacking them for the CPU
    #[arg(long)]
    no_repack: bool,
}

/// Numbers, or all.
fn counts(text: &str) -> Result<Pick<u64>, NumbersError> {
    if text.trim().eq_ignore_ascii_case("all") {
        return Ok(Pick::All);
    }
    text.parse().map(|Numbers(numbers)| Pick::Listed(numbers))
}

/// Names, or all, or what the device or model would choose if there are none.
fn pick<T: PartialEq>(names: &[String], parse: impl Fn(&str) -> Result<T, Failure>) -> Result<Pick<T>, Failure> {
    if names.is_empty() {
        return Ok(Pick::Own);
    }
    if names.iter().any(|name| name.trim().eq_ignore_ascii_case("all")) {
        return Ok(Pick::All);
    }
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let item = parse(name.trim())?;
        if !found.contains(&item) {
            found.push(item);
        }
    }
    Ok(Pick::Listed(found))
}

/// A name that is none of a few.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is not a backend; it is one of {}, or `all`", BackendKind::ALL.map(BackendKind::name).join(", "))]
struct NotABackend {
    name: String,
}

impl AxesArgs {
    /// What is asked.
    pub fn asked(&self) -> Result<Asked, Failure> {
        let text = |name: &str| Ok(name.to_owned());
        let backend = |name: &str| {
            let kind = BackendKind::ALL
                .into_iter()
                .find(|kind| kind.name().eq_ignore_ascii_case(name));
            kind.ok_or_else(|| Failure::new(NotABackend { name: name.to_owned() }))
        };
        let precision = |name: &str| {
            let parsed = name.parse::<Precision>();
            parsed.map_err(|error| Failure::new(error).hint("`edgeprof list precisions` shows them all"))
        };
        let caches = |name: &str| {
            let (keys, values) = name.split_once('/').unwrap_or((name, name));
            Ok(Caches {
                keys: cache_type(keys)?,
                values: cache_type(values)?,
            })
        };
        let work = &self.work;
        let counts = |counts: &Option<Pick<u64>>| counts.clone().unwrap_or(Pick::Own);
        Ok(Asked {
            models: pick(&self.model, text)?,
            precisions: pick(&self.precision, precision)?,
            hardware: pick(&self.hardware, text)?,
            backends: pick(&self.backend, backend)?,
            power_modes: pick(&self.power_mode, text)?,
            caches: pick(&work.kv_type, caches)?,
            gpu_layers: counts(&work.gpu_layers),
            threads: counts(&work.threads),
            batch: work.batch.0.clone(),
            ubatch: work.ubatch.0.clone(),
            sequences: work.sequences.0.clone(),
            context: work.context.as_ref().map_or_else(Vec::new, |context| context.0.clone()),
            prompt: work.prompt.0.clone(),
            generate: work.generate.0.clone(),
            depth: work.depth.0.clone(),
            repack: !work.no_repack,
            terms: self.economy.terms()?,
            calibration: self.calibration.choice(),
        })
    }
}
