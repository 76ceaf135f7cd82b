//! A record of llama-bench as a measurement.

use super::map::Cells;
use super::recognise::{Claim, Figure, Recognised};
use super::records::Records;
use super::{ImportError, Known, Rejection, text_date};
use crate::calibrate::measurement::{Engine, LeftOut, Measurement, Measurements, Phase};
use crate::device::BackendKind;
use crate::units::Bytes;

/// Names under which llama.cpp registers the backends that edgeprof knows; BLAS and the CPU add nothing to a GPU beside them.
const BACKENDS: [(&str, BackendKind); 6] = [
    ("CUDA", BackendKind::Cuda),
    ("Metal", BackendKind::Metal),
    ("MTL", BackendKind::Metal),
    ("Vulkan", BackendKind::Vulkan),
    ("OpenCL", BackendKind::Opencl),
    ("CPU", BackendKind::Cpu),
];

/// Every record is kept, or left out with its reason.
pub(super) fn read(records: Records, name: &str, known: Known) -> Result<Measurements, ImportError> {
    let mut measurements = Measurements::default();
    for (line, cells) in records {
        let record = Record { cells: &cells, line };
        let tokens_per_s = record.rate()?;
        match record.measurement(name, known, tokens_per_s) {
            Ok(kept) => measurements.kept.push(kept),
            Err(Rejection::File(error)) => return Err(error),
            Err(Rejection::Row(reason)) => measurements.left_out.push(LeftOut {
                power: None,
                line,
                device: record.device(),
                backend: record.backends().to_owned(),
                model: record.description().to_owned(),
                precision: String::new(),
                test: record.test().map(|test| test.to_string()).unwrap_or_default(),
                tokens_per_s,
                source: name.to_owned(),
                reason,
            }),
        }
    }
    Ok(measurements)
}

/// One record under its field names; those of the Markdown table where it has others.
struct Record<'a> {
    cells: &'a Cells,
    line: u64,
}

/// What ran: tokens prefilled, tokens decoded, at a depth.
#[derive(Debug, Clone, Copy)]
struct Test {
    prompt: u64,
    generated: u64,
    depth: u64,
}

impl std::fmt::Display for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match (self.prompt, self.generated) {
            (prompt, 0) => write!(f, "pp{prompt}")?,
            (0, generated) => write!(f, "tg{generated}")?,
            (prompt, generated) => write!(f, "pp{prompt}+tg{generated}")?,
        }
        if self.depth > 0 {
            write!(f, " @ d{}", self.depth)?;
        }
        Ok(())
    }
}

impl Record<'_> {
    fn text(&self, field: &str) -> Option<&str> {
        self.cells
            .get(field)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    fn missing(&self, field: &str) -> ImportError {
        ImportError::MissingField {
            line: self.line,
            field: field.to_owned(),
        }
    }

    fn malformed(&self, what: String) -> ImportError {
        ImportError::Malformed { line: self.line, what }
    }

    /// A count, none if the field is missing.
    fn count(&self, field: &str) -> Result<Option<u64>, ImportError> {
        self.text(field)
            .map(|text| {
                text.parse()
                    .map_err(|_| self.malformed(format!("{field} is `{text}`, which is not a count")))
            })
            .transpose()
    }

    /// Whether a flag is set (`1`, `true`).
    fn is_set(&self, field: &str) -> bool {
        matches!(self.text(field), Some("1" | "true"))
    }

    fn description(&self) -> &str {
        self.text("model_type")
            .or_else(|| self.text("model"))
            .unwrap_or_default()
    }

    fn backends(&self) -> &str {
        self.text("backends")
            .or_else(|| self.text("backend"))
            .unwrap_or_default()
    }

    /// The rate and its deviation: `avg_ts`, or `10.35 ± 0.12` of the table.
    fn rate_and_deviation(&self) -> Result<(f64, Option<f64>), ImportError> {
        let (rate, deviation) = match (self.text("avg_ts"), self.text("t/s")) {
            (Some(rate), _) => (rate, self.text("stddev_ts")),
            (None, Some(both)) => match both.split_once('±') {
                Some((rate, deviation)) => (rate.trim(), Some(deviation.trim())),
                None => (both, None),
            },
            (None, None) => return Err(self.missing("avg_ts")),
        };
        let rate = rate
            .parse()
            .ok()
            .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
            .ok_or_else(|| self.malformed(format!("the rate `{rate}` is not a positive number")))?;
        let deviation = deviation
            .and_then(|text| text.parse().ok())
            .filter(|value: &f64| value.is_finite() && *value >= 0.0);
        Ok((rate, deviation))
    }

    fn rate(&self) -> Result<f64, ImportError> {
        Ok(self.rate_and_deviation()?.0)
    }

    /// The test: from `n_prompt`, `n_gen` and `n_depth`, or from the table's `tg128 @ d512`.
    fn test(&self) -> Result<Test, ImportError> {
        if let (Some(prompt), Some(generated)) = (self.count("n_prompt")?, self.count("n_gen")?) {
            return Ok(Test {
                prompt,
                generated,
                depth: self.count("n_depth")?.unwrap_or(0),
            });
        }
        let text = self.text("test").ok_or_else(|| self.missing("n_prompt"))?;
        let bad = || self.malformed(format!("`{text}` is not a test of llama-bench"));
        let (tokens, depth) = match text.split_once("@ d") {
            Some((tokens, depth)) => (tokens.trim(), depth.trim().parse().map_err(|_| bad())?),
            None => (text, 0),
        };
        let mut test = Test {
            prompt: 0,
            generated: 0,
            depth,
        };
        for part in tokens.split('+') {
            if let Some(count) = part.strip_prefix("pp") {
                test.prompt = count.trim().parse().map_err(|_| bad())?;
            } else if let Some(count) = part.strip_prefix("tg") {
                test.generated = count.trim().parse().map_err(|_| bad())?;
            } else {
                return Err(bad());
            }
        }
        Ok(test)
    }

    /// The backend, or why there is none.
    fn backend(&self) -> Result<BackendKind, String> {
        let mut gpu = None;
        for name in self
            .backends()
            .split(',')
            .map(str::trim)
            .filter(|name| !matches!(*name, "" | "CPU" | "BLAS"))
        {
            let Some(&(_, kind)) = BACKENDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
                return Err(format!("the backend `{name}` is not known"));
            };
            if gpu.replace(kind).is_some() {
                return Err(format!("several GPU backends at once ({})", self.backends()));
            }
        }
        Ok(gpu.unwrap_or(BackendKind::Cpu))
    }

    /// The device in llama.cpp's words: the GPU's where one computed, else the CPU's.
    fn device(&self) -> String {
        let gpu = self.backend().is_ok_and(|backend| backend != BackendKind::Cpu);
        let field = if gpu { "gpu_info" } else { "cpu_info" };
        self.text(field).unwrap_or_default().to_owned()
    }

    /// Why a run does not stand for what a prediction describes.
    fn unusual(&self, test: Test) -> Option<String> {
        let reason = match test {
            Test {
                prompt: 0,
                generated: 0,
                ..
            } => "it ran no tokens",
            Test {
                prompt: 1..,
                generated: 1..,
                ..
            } => "prefill and decode in one rate",
            _ if self.text("repack").is_some() && !self.is_set("repack") => "run with repacking turned off",
            _ if self.is_set("embeddings") => "run for embeddings",
            _ if self.is_set("no_kv_offload") => "run with the KV cache away from the GPU",
            _ if self.is_set("no_op_offload") => "run with offloading of operations turned off",
            _ if self.text("n_cpu_moe").is_some_and(|layers| layers != "0") => "run with experts away from the GPU",
            _ if self
                .text("tensor_buft_overrides")
                .is_some_and(|overrides| overrides != "none") =>
            {
                "run with tensors placed by hand"
            }
            _ if self.text("tensor_split").is_some_and(|split| split.contains('/')) => "run on several GPUs",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    fn figure(&self, exact: &str, rounded: &str) -> Result<Figure, ImportError> {
        if let Some(value) = self.count(exact)? {
            return Ok(Figure::exact(value as f64));
        }
        let text = self.text(rounded).ok_or_else(|| self.missing(exact))?;
        Figure::rounded(text).ok_or_else(|| self.malformed(format!("{rounded} is `{text}`, which is not a size")))
    }

    fn measurement(&self, name: &str, known: Known, tokens_per_s: f64) -> Result<Measurement, Rejection> {
        let claim = Claim {
            description: self.description(),
            filename: self.text("model_filename").unwrap_or_default(),
            parameters: self.figure("model_n_params", "params")?,
            size: self.figure("model_size", "size")?,
        };
        let test = self.test()?;
        let (model, layers, precision, alike) = match claim.recognise(known.models) {
            Recognised::Known {
                model,
                layers,
                precision,
                alike,
            } => (model, layers, precision, alike),
            Recognised::Unknown(reason) => return Err(Rejection::Row(reason)),
            Recognised::Contradiction(reason) => {
                return Err(ImportError::Contradiction {
                    line: self.line,
                    reason,
                }
                .into());
            }
        };
        if let Some(reason) = self.unusual(test) {
            return Err(Rejection::Row(reason));
        }
        let backend = self.backend().map_err(Rejection::Row)?;
        let (phase, tokens) = if test.prompt > 0 {
            (Phase::Prefill, test.prompt)
        } else {
            (Phase::Decode, test.generated)
        };
        let device = self.device();
        let gpu_layers = self.text("n_gpu_layers").and_then(|count| count.parse::<u64>().ok());
        let exact_size = self.count("model_size")?;
        Ok(Measurement {
            device: known.device(&device).map_or(device, str::to_owned),
            backend,
            threads: self.count("n_threads")?,
            model,
            precision: precision.name().to_owned(),
            phase,
            tokens,
            depth: test.depth,
            batch: self.count("n_batch")?,
            ubatch: self.count("n_ubatch")?,
            key_type: self.text("type_k").map(str::to_ascii_lowercase),
            value_type: self.text("type_v").map(str::to_ascii_lowercase),
            flash_attention: match self.text("flash_attn") {
                Some("1" | "on" | "true") => Some(true),
                Some("0" | "off" | "false") => Some(false),
                _ => None,
            },
            power_mode: None,
            gpu_layers: gpu_layers.filter(|&on_gpu| backend != BackendKind::Cpu && on_gpu <= layers),
            tokens_per_s,
            stddev: self.rate_and_deviation()?.1,
            samples: self.count("samples_ns")?,
            watts: None,
            idle_watts: None,
            rail: None,
            joules_per_token: None,
            load: None,
            model_size: Some(Bytes(exact_size.map_or(claim.size.value, |size| size as f64))),
            parameters: self.count("model_n_params")?,
            build: match (self.text("build"), self.text("build_commit"), self.text("build_number")) {
                (Some(build), ..) => Some(build.to_owned()),
                (None, Some(commit), Some(number)) => Some(format!("{commit} ({number})")),
                (None, commit, _) => commit.map(str::to_owned),
            },
            date: self.text("test_time").and_then(text_date),
            engine: Engine::LlamaCpp,
            weight: 1.0,
            source: name.to_owned(),
            note: match alike.as_slice() {
                [] => String::new(),
                others => format!("parameters and size are also those of {}", others.join(", ")),
            },
            line: self.line,
        })
    }
}
