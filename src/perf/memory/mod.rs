//! What a model needs in memory to run: weights, KV cache, activations, what repacking adds, what the runtime holds.

mod cache;
mod compute;
mod context;
mod fit;
mod footprint;
mod memo;
mod repack;
mod runtime;

pub use cache::CacheError;
pub use context::Context;
pub use fit::MixThatFits;
pub use footprint::Footprint;
pub use memo::Memo;
pub use repack::Repacked;
pub(crate) use repack::Unrepacked;

use crate::model::{Model, Use};
use crate::quant::BlockType;
use cache::CacheSums;
use compute::{ComputeGraph, Extent, Options, Shape};
use repack::RepackSums;

/// What of a model in a mix its memory depends on, summed over tensors and layers once.
#[derive(Debug, Clone, PartialEq)]
pub struct MemorySums {
    cache: CacheSums,
    shape: Shape,
    /// With flash attention and a cache in half precision, the common case.
    graph: ComputeGraph,
    repack: RepackSums,
    weights: WeightSums,
    vocabulary_size: u64,
    context_length: Option<u64>,
}

/// Bytes of the tensors by where llama.cpp puts them when layers go to a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct WeightSums {
    /// Tables of which rows are looked up: they stay on the host.
    tables: u64,
    /// Of those, the one that is the output head too.
    tied: u64,
    /// Output norm and head.
    head: u64,
    /// Each layer's.
    layers: Vec<u64>,
}

const COMMON: Options = Options {
    flash_attention: true,
    quantised_keys: false,
    quantised_values: false,
};

impl MemorySums {
    /// The sums of `model` with its tensors stored as `types` say, one per tensor in the model's order.
    #[must_use]
    pub fn new(model: &Model, types: &[BlockType]) -> Self {
        let shape = Shape::new(model);
        let mut weights = WeightSums::default();
        for (tensor, &block_type) in model.tensors.iter().zip(types) {
            let bytes = block_type.tensor_bytes(tensor).unwrap_or(0);
            match (tensor.usage, tensor.layer) {
                (Use::LookUp, _) => weights.tables += bytes,
                (Use::LookUpAndMultiply, _) => {
                    weights.tables += bytes;
                    weights.tied += bytes;
                }
                (_, Some(layer)) if u64::from(layer) < model.mixers.len() as u64 => {
                    let layer = layer as usize;
                    if weights.layers.len() <= layer {
                        weights.layers.resize(layer + 1, 0);
                    }
                    weights.layers[layer] += bytes;
                }
                _ => weights.head += bytes,
            }
        }
        Self {
            cache: CacheSums::new(model),
            graph: ComputeGraph::new(&shape, COMMON),
            shape,
            repack: RepackSums::new(model, types),
            weights,
            vocabulary_size: model.vocabulary_size,
            context_length: model.context_length,
        }
    }

    /// Bytes of the KV cache and the recurrent states,
    /// `Σ layers · cells · (kv_heads · key_length · bytes(key_type) + kv_heads · value_length · bytes(value_type))`.
    ///
    /// Layers with a sliding window have [`Context::window_cells`]; layers that share another's cache and encoders have none.
    /// Source: llama.cpp's `llama_kv_cache`, `llama_kv_cache_iswa` and `llama_memory_recurrent`.
    ///
    /// # Errors
    /// If llama.cpp refuses a cache of these types.
    pub fn kv_cache_bytes(&self, context: &Context) -> Result<u64, CacheError> {
        self.cache.bytes(context)
    }

    /// Bytes of the compute buffer that llama.cpp reserves for its largest graph.
    ///
    /// This replays the allocator, about a microsecond; where attention is not flash attention or the cache is quantised, the
    /// graph is worked out first.
    #[must_use]
    pub fn compute_buffer_bytes(&self, context: &Context) -> u64 {
        self.of_graph(context, ComputeGraph::bytes)
    }

    /// Bytes of the second compute buffer, on the host, that a GPU's inputs are filled in.
    #[must_use]
    pub fn host_input_bytes(&self, context: &Context) -> u64 {
        self.of_graph(context, ComputeGraph::input_bytes)
    }

    fn of_graph(&self, context: &Context, figure: impl Fn(&ComputeGraph, Extent) -> u64) -> u64 {
        let options = Options {
            flash_attention: context.flash_attention,
            quantised_keys: !context.key_type.block_type().is_plain(),
            quantised_values: !context.value_type.block_type().is_plain(),
        };
        let tokens = context.tokens();
        let extent = Extent {
            tokens,
            cells: if self.cache.any { context.cells() } else { tokens },
            window_cells: self.cache.window_cells(context),
        };
        if options == COMMON {
            figure(&self.graph, extent)
        } else {
            figure(&ComputeGraph::new(&self.shape, options), extent)
        }
    }

    /// What a CPU with these features repacks.
    #[must_use]
    pub fn repacked(&self, features: &[String]) -> Repacked {
        self.repack.on(features)
    }

    /// Number of tokens in the vocabulary.
    #[must_use]
    pub const fn vocabulary_size(&self) -> u64 {
        self.vocabulary_size
    }

    /// Layers that llama.cpp can put on a GPU one by one, the head not counted.
    #[must_use]
    pub const fn layers(&self) -> u64 {
        self.weights.layers.len() as u64
    }

    /// Bytes of weights on a GPU that computes the last `gpu_layers` layers (all if none is given), the head counting as one;
    /// and of those, bytes that stay on the host too.
    #[must_use]
    pub fn offloaded_weights(&self, gpu_layers: Option<u64>) -> (u64, u64) {
        let layers = self.offloaded_layers(gpu_layers);
        let last = &self.weights.layers[self.weights.layers.len() - layers..];
        let of_layers: u64 = last.iter().sum();
        if gpu_layers == Some(0) {
            (0, 0)
        } else {
            (of_layers + self.weights.head + self.weights.tied, self.weights.tied)
        }
    }

    /// Share of the layers, and so of the cache, that lie on such a GPU.
    #[must_use]
    pub fn offloaded_layers_share(&self, gpu_layers: Option<u64>) -> f64 {
        self.offloaded_layers(gpu_layers) as f64 / self.weights.layers.len().max(1) as f64
    }

    fn offloaded_layers(&self, gpu_layers: Option<u64>) -> usize {
        let all = self.weights.layers.len();
        gpu_layers.map_or(all, |layers| {
            usize::try_from(layers.saturating_sub(1)).map_or(all, |layers| layers.min(all))
        })
    }
}
