//! Settings of a run, and the values that each of its knobs can take.

use crate::decide::Target;
use crate::device::BackendKind;
use crate::model::Model;
use crate::quant::CacheType;
use crate::scenario::Workload;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knob {
    /// CPU threads, of each phase apart.
    Threads,
    /// The device's power mode.
    PowerMode,
    /// Type of the KV cache.
    KvType,
    /// Most tokens computed at once.
    Ubatch,
    /// Layers computed on the GPU.
    GpuLayers,
    /// Whether the CPU's kernels get the weights in a layout of their own.
    Repack,
}

impl Knob {
    /// Every knob.
    pub const ALL: [Self; 6] = [
        Self::Threads,
        Self::PowerMode,
        Self::KvType,
        Self::Ubatch,
        Self::GpuLayers,
        Self::Repack,
    ];

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::PowerMode => "power mode",
            Self::KvType => "KV cache",
            Self::Ubatch => "ubatch",
            Self::GpuLayers => "layers on the GPU",
            Self::Repack => "repacked",
        }
    }
}

/// A setting of every knob.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// CPU threads; none on a GPU.
    pub threads: Option<u64>,
    /// The power mode; none if the device has none.
    pub power_mode: Option<String>,
    /// Types of the cached keys and values.
    pub kv_type: (CacheType, CacheType),
    /// Most tokens computed at once.
    pub ubatch: u64,
    /// Layers on the GPU; none where all are, or there is none.
    pub gpu_layers: Option<u64>,
    /// Repacking is on.
    pub repack: bool,
}

impl Setting {
    /// That of a target and a piece of work, with as many threads as it comes to.
    pub(super) fn of(target: &Target, workload: &Workload, threads: Option<u64>) -> Self {
        Self {
            threads,
            power_mode: target.power_mode().map(str::to_owned),
            kv_type: (workload.key_type, workload.value_type),
            ubatch: workload.ubatch,
            gpu_layers: workload.gpu_layers,
            repack: workload.repack,
        }
    }

    /// The work under this setting.
    pub(super) fn applied(&self, workload: &Workload) -> Workload {
        Workload {
            threads: self.threads,
            key_type: self.kv_type.0,
            value_type: self.kv_type.1,
            ubatch: self.ubatch,
            gpu_layers: self.gpu_layers,
            repack: self.repack,
            ..*workload
        }
    }

    /// The setting with one knob as `other` has it.
    pub(super) fn with(&self, knob: Knob, other: &Self) -> Self {
        let mut setting = self.clone();
        match knob {
            Knob::Threads => setting.threads = other.threads,
            Knob::PowerMode => setting.power_mode.clone_from(&other.power_mode),
            Knob::KvType => setting.kv_type = other.kv_type,
            Knob::Ubatch => setting.ubatch = other.ubatch,
            Knob::GpuLayers => setting.gpu_layers = other.gpu_layers,
            Knob::Repack => setting.repack = other.repack,
        }
        setting
    }

    /// How many knobs stand elsewhere than in `other`.
    pub(super) fn distance(&self, other: &Self) -> usize {
        Knob::ALL
            .into_iter()
            .filter(|&knob| self.value(knob) != other.value(knob))
            .count()
    }

    /// The position of a knob, as the flag of the command line takes it; `all` layers, `yes` or `no` for repacking.
    #[must_use]
    pub fn value(&self, knob: Knob) -> String {
        match knob {
            Knob::Threads => self.threads.map_or_else(String::new, |threads| threads.to_string()),
            Knob::PowerMode => self.power_mode.clone().unwrap_or_default(),
            Knob::KvType if self.kv_type.0 == self.kv_type.1 => self.kv_type.0.to_string(),
            Knob::KvType => format!("{},{}", self.kv_type.0, self.kv_type.1),
            Knob::Ubatch => self.ubatch.to_string(),
            Knob::GpuLayers => self
                .gpu_layers
                .map_or_else(|| "all".to_owned(), |layers| layers.to_string()),
            Knob::Repack => if self.repack { "yes" } else { "no" }.to_owned(),
        }
    }

    /// What to write on the command line for this position of a knob.
    #[must_use]
    pub fn flag(&self, knob: Knob) -> String {
        let value = self.value(knob);
        match knob {
            Knob::Threads => format!("--threads {value}"),
            Knob::PowerMode => format!("--power-mode {value}"),
            Knob::KvType => format!("--kv-type {value}"),
            Knob::Ubatch => format!("--ubatch {value}"),
            Knob::GpuLayers if self.gpu_layers.is_none() => "no --gpu-layers".to_owned(),
            Knob::GpuLayers => format!("--gpu-layers {value}"),
            Knob::Repack if self.repack => "no --no-repack".to_owned(),
            Knob::Repack => "--no-repack".to_owned(),
        }
    }
}

/// Cache types that llama.cpp has fast attention for on every backend.
const CACHE_TYPES: [CacheType; 3] = [CacheType::F16, CacheType::Q8_0, CacheType::Q4_0];
/// Micro-batches that people try.
const UBATCHES: [u64; 7] = [32, 64, 128, 256, 512, 1024, 2048];
/// Up to so many cores, every number of threads is tried.
const EVERY_THREAD: u64 = 16;

/// Settings that differ from `default` in `knob` alone, in the order of its values; the default among them. One alone if the target
/// has no such knob.
pub(super) fn positions(
    knob: Knob,
    default: &Setting,
    target: &Target,
    workload: &Workload,
    model: &Model,
) -> Vec<Setting> {
    let on_cpu = target.backend() == BackendKind::Cpu;
    let device = target.device();
    let mut all = match knob {
        Knob::Threads if on_cpu => {
            let cores = device.backends.get(&BackendKind::Cpu).map_or(1, |cpu| cpu.cores.value);
            let tried = |threads: &u64| *threads <= EVERY_THREAD || threads.is_multiple_of(8) || *threads == cores;
            (1..=cores)
                .filter(tried)
                .map(|threads| Setting {
                    threads: Some(threads),
                    ..default.clone()
                })
                .collect()
        }
        Knob::PowerMode => {
            let mut modes: Vec<_> = device.power_modes.iter().collect();
            // From the slowest on, as far as the clocks say.
            modes.sort_by(|a, b| {
                let clock =
                    |mode: &crate::device::PowerMode| mode.clocks.get(&target.backend()).map(|clock| clock.value.get());
                clock(a.1).partial_cmp(&clock(b.1)).unwrap_or(std::cmp::Ordering::Equal)
            });
            modes
                .into_iter()
                .map(|(mode, _)| Setting {
                    power_mode: Some(mode.clone()),
                    ..default.clone()
                })
                .collect()
        }
        Knob::KvType => CACHE_TYPES
            .into_iter()
            .map(|cache| Setting {
                kv_type: (cache, cache),
                ..default.clone()
            })
            .collect(),
        Knob::Ubatch => UBATCHES
            .into_iter()
            .filter(|&ubatch| ubatch <= workload.batch)
            .map(|ubatch| Setting {
                ubatch,
                ..default.clone()
            })
            .collect(),
        Knob::GpuLayers if !on_cpu && device.backends.contains_key(&BackendKind::Cpu) => {
            // The head counts as one more.
            let layers = model.mixers.len() as u64 + 1;
            let some = (0..4).map(|quarter| Some(quarter * layers / 4));
            some.chain([None])
                .map(|gpu_layers| Setting {
                    gpu_layers,
                    ..default.clone()
                })
                .collect()
        }
        Knob::Repack if on_cpu => [true, false]
            .into_iter()
            .map(|repack| Setting {
                repack,
                ..default.clone()
            })
            .collect(),
        Knob::Threads | Knob::GpuLayers | Knob::Repack => Vec::new(),
    };
    if !all.contains(default) {
        all.push(default.clone());
    }
    all
}
