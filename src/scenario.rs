//! A scenario: one model in one precision on one backend of one device, doing one piece of work.

use crate::device::{Backend, BackendKind, Device, PowerMode};
use crate::perf::latency::Rates;
use crate::perf::memory::{CacheError, Footprint, Memo};
use crate::perf::sums::ModelSums;
use crate::quant::{CacheType, Precision};

/// Which set of formulas answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Formulas {
    /// The tensor list, the real bytes of the mix, prefill and decode apart, calibrated factors.
    #[default]
    Exact,
    /// Equations 7 to 15 of the EdgeProfiler paper.
    Edgeprofiler,
}

impl Formulas {
    /// `exact` or `edgeprofiler`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Edgeprofiler => "edgeprofiler",
        }
    }
}

/// What is asked of the model; the fields mean what llama-bench's flags of the same purpose mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Tokens to prefill (`-p`).
    pub prompt: u64,
    /// Tokens to decode (`-n`).
    pub generate: u64,
    /// Tokens in the cache before either (`-d`).
    pub depth: u64,
    /// Cache size to allocate per sequence; `depth + prompt + generate` if none.
    pub context: Option<u64>,
    /// Logical batch (`-b`): the most tokens submitted at once.
    pub batch: u64,
    /// Physical batch (`-ub`): the most tokens computed at once.
    pub ubatch: u64,
    /// Sequences processed side by side.
    pub sequences: u64,
    /// Type of the cached keys (`-ctk`).
    pub key_type: CacheType,
    /// Type of the cached values (`-ctv`).
    pub value_type: CacheType,
    /// CPU threads (`-t`); what the calibration used if none.
    pub threads: Option<u64>,
    /// Layers computed on the GPU, the output head counting as one more (`-ngl`); all if none.
    pub gpu_layers: Option<u64>,
    /// Repacking of weights for the CPU's kernels is on.
    pub repack: bool,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            prompt: 512,
            generate: 128,
            depth: 0,
            context: None,
            batch: 2048,
            ubatch: 512,
            sequences: 1,
            key_type: CacheType::F16,
            value_type: CacheType::F16,
            threads: None,
            gpu_layers: None,
            repack: true,
        }
    }
}

impl Workload {
    /// The cache size of one sequence: as asked, else what the work fills.
    #[must_use]
    pub fn context(&self) -> u64 {
        self.context
            .unwrap_or_else(|| self.depth.saturating_add(self.prompt).saturating_add(self.generate))
            .max(1)
    }

    /// Whether llama.cpp's CPU threads can split the cache among them: that of one sequence, whose keys and values are floats of one kind.
    #[must_use]
    #[inline]
    pub fn can_split_cache(&self) -> bool {
        self.sequences == 1
            && self.key_type == self.value_type
            && matches!(self.key_type, CacheType::F16 | CacheType::F32)
    }

    /// The part of the work that a model can do: one that only encodes generates nothing, and allocates nothing for it.
    #[must_use]
    pub(crate) fn on(self, sums: &ModelSums) -> Self {
        let generate = if sums.decoder.formats.is_empty() {
            0
        } else {
            self.generate
        };
        Self { generate, ..self }
    }

    /// Checks that there is such work.
    ///
    /// # Errors
    /// [`ScenarioError`]: a count that is zero or beyond any machine, or a context that does not hold the rest.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let Workload {
            prompt,
            generate,
            depth,
            context,
            batch,
            ubatch,
            sequences,
            threads,
            ..
        } = *self;
        for (flag, value, limit) in [
            ("prompt", prompt, MOST_TOKENS),
            ("generate", generate, MOST_TOKENS),
            ("depth", depth, MOST_TOKENS),
            ("context", context.unwrap_or(1), MOST_TOKENS),
            ("batch", batch, MOST_TOKENS),
            ("ubatch", ubatch, MOST_TOKENS),
            ("sequences", sequences, MOST_SIDE_BY_SIDE),
            ("threads", threads.unwrap_or(1), MOST_SIDE_BY_SIDE),
        ] {
            if value > limit {
                return Err(ScenarioError::TooLarge { flag, value, limit });
            }
        }
        for (flag, value) in [
            ("batch", batch),
            ("ubatch", ubatch),
            ("sequences", sequences),
            ("threads", threads.unwrap_or(1)),
            ("context", context.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(ScenarioError::Zero { flag });
            }
        }
        let needed = depth + prompt + generate;
        if let Some(context) = context
            && context < needed
        {
            return Err(ScenarioError::ContextTooSmall {
                context,
                depth,
                prompt,
                generate,
                needed,
            });
        }
        Ok(())
    }

    /// The CPU that computes the layers which the backend leaves to one; none if it leaves none.
    fn host<'a>(
        &self,
        sums: &ModelSums,
        device: &'a Device,
        backend_kind: BackendKind,
    ) -> Result<Option<&'a Backend>, ScenarioError> {
        let Some(gpu_layers) = self.gpu_layers else {
            return Ok(None);
        };
        if backend_kind == BackendKind::Cpu {
            return Err(ScenarioError::NoGpu {
                backend: backend_kind.name(),
            });
        }
        if sums.memory.offloaded_layers_share(Some(gpu_layers)) >= 1.0 {
            return Ok(None);
        }
        let host = device.backends.get(&BackendKind::Cpu);
        host.map(Some).ok_or_else(|| ScenarioError::NoHost {
            device: device.id.clone(),
            gpu_layers,
        })
    }
}

/// Why a scenario cannot be asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The device lacks the backend.
    #[error("{device} has no {backend} backend; it has {known}")]
    NoBackend {
        /// device id
        device: String,
        /// what was asked for
        backend: &'static str,
        /// what there is
        known: String,
    },
    /// The device lacks the power mode.
    #[error("{device} has no power mode `{mode}`; it has {known}")]
    NoPowerMode {
        /// device id
        device: String,
        /// what was asked for
        mode: String,
        /// what there is
        known: String,
    },
    /// The context is smaller than what the work puts into it.
    #[error(
        "a context of {context} tokens does not hold depth {depth} + prompt {prompt} + generate {generate}; leave out --context or raise it to {needed}"
    )]
    ContextTooSmall {
        /// as asked
        context: u64,
        /// as asked
        depth: u64,
        /// as asked
        prompt: u64,
        /// as asked
        generate: u64,
        /// the least that holds the work
        needed: u64,
    },
    /// A count that must be positive is zero.
    #[error("--{flag} must be at least 1")]
    Zero {
        /// the flag
        flag: &'static str,
    },
    /// A count beyond any machine.
    #[error("--{flag} {value} is more than {limit}, the most that is accepted")]
    TooLarge {
        /// the flag
        flag: &'static str,
        /// as asked
        value: u64,
        /// the most
        limit: u64,
    },
    /// Threads on a device with fewer cores are pointless, none is impossible.
    #[error("--gpu-layers needs a GPU backend; {backend} computes on the CPU")]
    NoGpu {
        /// the backend
        backend: &'static str,
    },
    /// Layers stay on the host, whose CPU the device does not describe.
    #[error(
        "--gpu-layers {gpu_layers} leaves layers to the CPU of {device}, which has no cpu backend; leave it out, name the machine that it sits in with --host, or add [backends.cpu]"
    )]
    NoHost {
        /// device id
        device: String,
        /// as asked
        gpu_layers: u64,
    },
    /// The KV cache cannot be stored as asked.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// No peak for the arithmetic that the precision needs.
    #[error(
        "{device}'s {backend} backend states no peak for {arithmetic}, which {precision} needs; add it under [backends.{backend}.peaks]"
    )]
    NoPeak {
        /// device id
        device: String,
        /// the backend
        backend: &'static str,
        /// the arithmetic
        arithmetic: &'static str,
        /// the precision
        precision: String,
    },
}

/// More tokens than any cache holds; it keeps every product of the closed forms far from overflow.
pub const MOST_TOKENS: u64 = 1 << 32;

/// More sequences or threads than any machine runs side by side.
pub const MOST_SIDE_BY_SIDE: u64 = 1 << 16;

/// A device's backend of this kind; its own choice if none is asked for.
///
/// # Errors
/// [`ScenarioError::NoBackend`]
pub fn backend_of(device: &Device, asked: Option<BackendKind>) -> Result<(BackendKind, &Backend), ScenarioError> {
    let kind = asked.unwrap_or(device.default_backend);
    let backend = device.backends.get(&kind).ok_or_else(|| ScenarioError::NoBackend {
        device: device.id.clone(),
        backend: kind.name(),
        known: device
            .backends
            .keys()
            .map(|kind| kind.name())
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    Ok((kind, backend))
}

/// A device's power mode of this name, whatever its case; the one it ships in if none is asked for, none if it has none.
///
/// # Errors
/// [`ScenarioError::NoPowerMode`]
pub fn power_mode_of<'a>(
    device: &'a Device,
    asked: Option<&str>,
) -> Result<Option<(&'a str, &'a PowerMode)>, ScenarioError> {
    let Some(asked) = asked.or(device.default_power_mode.as_deref()) else {
        return Ok(None);
    };
    let found = device
        .power_modes
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(asked));
    let (name, mode) = found.ok_or_else(|| ScenarioError::NoPowerMode {
        device: device.id.clone(),
        mode: asked.to_owned(),
        known: if device.power_modes.is_empty() {
            "none".to_owned()
        } else {
            device.power_modes.keys().cloned().collect::<Vec<_>>().join(", ")
        },
    })?;
    Ok(Some((name.as_str(), mode)))
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Scenario<'a> {
    /// The model's sums in the mix.
    pub sums: &'a ModelSums,
    /// The device.
    pub device: &'a Device,
    /// Which of its backends computes.
    pub backend_kind: BackendKind,
    /// That backend.
    pub backend: &'a Backend,
    /// The CPU that computes the layers which [`Workload::gpu_layers`] leaves to it; none if it leaves none.
    pub host: Option<&'a Backend>,
    /// The power mode and its name, if one is in force.
    pub power_mode: Option<(&'a str, &'a PowerMode)>,
    /// As the user named it.
    pub precision: Precision,
    /// The work, without what a model that only encodes cannot do.
    pub workload: Workload,
    /// What it needs in memory.
    pub(crate) footprint: Footprint,
    /// What the backend states in the power mode.
    pub(crate) rates: Rates,
}

impl Scenario<'_> {
    /// CPU threads that compute: as asked, else one a core that the power mode leaves on. None on a GPU.
    #[must_use]
    pub fn threads(&self) -> Option<u64> {
        let online = self
            .power_mode
            .and_then(|(_, mode)| mode.cores.get(&self.backend_kind))
            .unwrap_or(&self.backend.cores);
        (self.backend_kind == BackendKind::Cpu).then(|| self.workload.threads.unwrap_or(online.value))
    }
}

impl<'a> Scenario<'a> {
    /// Checks that the question can be asked.
    ///
    /// # Errors
    /// [`ScenarioError`], naming what is impossible and the cure. A model that does not fit is no error: the prediction says so.
    pub fn new(
        sums: &'a ModelSums,
        device: &'a Device,
        backend: Option<BackendKind>,
        precision: Precision,
        power_mode: Option<&str>,
        workload: Workload,
    ) -> Result<Self, ScenarioError> {
        let (backend_kind, backend) = backend_of(device, backend)?;
        let power_mode = power_mode_of(device, power_mode)?;
        workload.check()?;
        let workload = workload.on(sums);
        let host = workload.host(sums, device, backend_kind)?;
        let footprint = Footprint::new(sums, backend_kind, backend, &workload)?;
        Ok(Self {
            sums,
            device,
            backend_kind,
            backend,
            host,
            power_mode,
            precision,
            workload,
            footprint,
            rates: Rates::new(device, backend_kind, backend, power_mode.map(|(_, mode)| mode)),
        })
    }

    /// Asks the same of another piece of work. `memory` remembers what it was asked before of this model on this backend.
    ///
    /// # Errors
    /// [`ScenarioError`], as [`Scenario::new`]; nothing has changed then.
    pub fn set_workload(&mut self, workload: Workload, memory: &mut Memo) -> Result<(), ScenarioError> {
        workload.check()?;
        let workload = workload.on(self.sums);
        let host = workload.host(self.sums, self.device, self.backend_kind)?;
        self.footprint = memory.footprint(self.sums, self.backend_kind, self.backend, &workload)?;
        self.host = host;
        self.workload = workload;
        Ok(())
    }
}
