//! All that a scenario needs in memory, and where.

use super::repack::Repacked;
use super::runtime;
use super::{CacheError, Context};
use crate::device::{Backend, BackendKind, Device};
use crate::perf::sums::ModelSums;
use crate::scenario::Workload;

/// What a scenario needs in memory, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Footprint {
    /// All tensors of the file.
    pub weights: f64,
    /// KV cache and recurrent states.
    pub kv_cache: f64,
    /// The compute buffer; with a GPU, also that of its inputs on the host.
    pub activations: f64,
    /// Weights that the CPU backend writes once more in the layout of its kernels.
    pub repacked: f64,
    /// Weights that stay in memory twice: a tied embedding whose head was repacked, or lies on the GPU.
    pub copies: f64,
    /// What the runtime holds besides: the process, the tokenizer, logits on the host, a GPU's context.
    pub runtime: f64,
    /// Of the total, what lies in the backend's own memory; 0 if it has none.
    pub on_device: f64,
}

impl Footprint {
    /// What must stay in memory, `weights + copies + kv_cache + activations + runtime`.
    ///
    /// A repacked matrix counts once: llama.cpp maps the file, and the pages of the old layout, clean and no longer read, are the
    /// system's to drop; where it does not map (Android), the old layout is never in memory.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.weights + self.copies + self.kv_cache + self.activations + self.runtime
    }

    /// What the process shows as resident while nobody else wants memory: the pages of the old layout are still mapped.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.total() + (self.repacked - self.copies).max(0.0)
    }

    /// Of the total, what lies in the host's memory.
    #[must_use]
    pub fn on_host(&self) -> f64 {
        (self.total() - self.on_device).max(0.0)
    }

    /// Whether device and backend leave that much to users.
    #[must_use]
    pub fn fits(&self, device: &Device, backend: &Backend) -> bool {
        let own = backend.memory.as_ref().map_or(0.0, |memory| memory.usable.value.get());
        self.on_host() <= device.memory.usable.value.get() && self.on_device <= own
    }
}

/// The settings of the context that a workload asks for.
impl From<&Workload> for Context {
    fn from(work: &Workload) -> Self {
        Self {
            size: work.context().saturating_mul(work.sequences),
            batch: work.batch,
            ubatch: work.ubatch,
            sequences: work.sequences,
            key_type: work.key_type,
            value_type: work.value_type,
            flash_attention: true,
        }
    }
}

impl Footprint {
    /// What a workload needs on a backend.
    ///
    /// On a GPU with memory of its own, the last `gpu_layers` layers (the head counts as one) lie there with their cache and the
    /// compute buffer; the token embedding stays on the host.
    ///
    /// # Errors
    /// If llama.cpp refuses the cache types.
    pub fn new(sums: &ModelSums, kind: BackendKind, backend: &Backend, work: &Workload) -> Result<Self, CacheError> {
        let context = Context::from(work);
        let memory = &sums.memory;
        let kv_cache = memory.kv_cache_bytes(&context)? as f64;
        let compute_buffer = memory.compute_buffer_bytes(&context) as f64;
        let host_inputs = match kind {
            BackendKind::Cpu => 0.0,
            _ => memory.host_input_bytes(&context) as f64,
        };
        let repacked = if kind == BackendKind::Cpu && work.repack {
            memory.repacked(&backend.features)
        } else {
            Repacked::default()
        };
        let weights = sums.weight_bytes as f64;
        let host_runtime = runtime::host_bytes(memory.vocabulary_size(), work.sequences);
        let mut footprint = Self {
            weights,
            kv_cache,
            activations: compute_buffer + host_inputs,
            repacked: repacked.bytes as f64,
            copies: repacked.needed_twice as f64,
            runtime: host_runtime + runtime::backend_bytes(kind),
            on_device: 0.0,
        };
        if backend.memory.is_some() {
            let (device_weights, copies) = memory.offloaded_weights(work.gpu_layers);
            footprint.copies = copies as f64;
            let cache_share = memory.offloaded_layers_share(work.gpu_layers);
            footprint.on_device =
                device_weights as f64 + kv_cache * cache_share + compute_buffer + runtime::backend_bytes(kind);
        }
        Ok(footprint)
    }
}
