//! The compute buffer: memory for the tensors of one evaluation of a micro-batch.
//!
//! llama.cpp builds the graph of the largest batch once and lets ggml's allocator find places for its tensors; the buffer is as
//! large as that needs. No sum of terms gives it: a freed tensor leaves a gap that the next may or may not fit. But the order
//! in which tensors are taken and given back depends on the architecture alone, and every size is a number of bytes a token
//! times the tokens, plus what grows with the cells of the cache. So the order is worked out once (a [`ComputeGraph`]), and a
//! context replays it with its sizes: about a hundred steps.
//!
//! What the result is made of, for a decoder with flash attention: the token embeddings that could be an input
//! (`4·tokens·hidden_size` bytes, never used, never freed), the last hidden states (as much) and the logits
//! (`4·tokens·vocabulary_size`); or, where the vocabulary is small, the widest moment of a layer, which is the feed-forward
//! network (three times `4·tokens·feed_forward_size`) or, without flash attention, the attention scores
//! (`4·tokens·heads·cells`), each with the mask and four or five hidden states.

mod allocator;
mod build;
mod graph;
mod layer;

pub(super) use allocator::Extent;

use allocator::Schedule;
pub(super) use build::Options;
pub(super) use layer::Shape;

/// The order in which a model's graph takes and gives back memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ComputeGraph(Schedule);

impl ComputeGraph {
    pub(super) fn new(shape: &Shape, options: Options) -> Self {
        Self(build::graph(shape, options).schedule())
    }

    /// Bytes for a micro-batch of this extent.
    pub(super) fn bytes(&self, extent: Extent) -> u64 {
        self.0.high_water(extent)
    }

    /// Of those, bytes of the inputs.
    pub(super) fn input_bytes(&self, extent: Extent) -> u64 {
        self.0.input_bytes(extent)
    }
}
