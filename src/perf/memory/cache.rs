//! What a context keeps of the tokens it has seen: keys and values, and recurrent states.

use super::Context;
use crate::model::{Mixer, Model};
use crate::quant::CacheType;

/// Why a KV cache cannot be stored as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// A row of the cache is not a whole number of the type's blocks.
    #[error("a KV cache row of {elements} elements is not a whole number of {cache_type} blocks; choose f16 or q8_0")]
    NotWholeBlocks {
        /// elements of one position and layer, `kv_heads · head_length`
        elements: u64,
        /// the type asked for
        cache_type: CacheType,
    },
    /// llama.cpp stores values in a quantised type only with flash attention.
    #[error("values can be cached as {cache_type} only with flash attention; turn it on, or choose f16 for them")]
    NeedsFlashAttention {
        /// the type asked for
        cache_type: CacheType,
    },
}

/// Layers whose caches are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    layers: u64,
    window: Option<u64>,
    /// Elements of one position's keys, `kv_heads · key_length`.
    key: u64,
    /// Elements of one position's values, `kv_heads · value_length`.
    value: u64,
}

/// The caches of a model's layers, those alike counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CacheSums {
    groups: Vec<Group>,
    /// The widest row of values: without flash attention all layers' rows are as wide.
    widest_value: u64,
    /// Bytes of the recurrent states of one sequence, in single precision.
    recurrent: u64,
    /// Some layer keeps a cache.
    pub any: bool,
}

impl CacheSums {
    pub(super) fn new(model: &Model) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut recurrent = 0;
        for mixer in &model.mixers {
            match mixer {
                Mixer::Attention(attention) if attention.bidirectional || attention.shares_cache => {}
                Mixer::Attention(attention) => {
                    let group = Group {
                        layers: 1,
                        window: attention.window,
                        key: attention.kv_heads * attention.key_length,
                        value: attention.kv_heads * attention.value_length,
                    };
                    match groups
                        .iter_mut()
                        .find(|other| (other.window, other.key, other.value) == (group.window, group.key, group.value))
                    {
                        Some(other) => other.layers += 1,
                        None => groups.push(group),
                    }
                }
                Mixer::Recurrent(state) => recurrent += 4 * (state.convolution_state + state.recurrent_state),
            }
        }
        Self {
            widest_value: groups.iter().map(|group| group.value).max().unwrap_or(0),
            recurrent,
            any: !groups.is_empty(),
            groups,
        }
    }

    /// `Σ layers · cells · (key row + value row) · sequences + recurrent states · sequences`, bytes.
    pub(super) fn bytes(&self, context: &Context) -> Result<u64, CacheError> {
        if !context.flash_attention && !context.value_type.block_type().is_plain() {
            return Err(CacheError::NeedsFlashAttention {
                cache_type: context.value_type,
            });
        }
        let row = |cache_type: CacheType, elements: u64| {
            cache_type
                .row_bytes(elements)
                .ok_or(CacheError::NotWholeBlocks { elements, cache_type })
        };
        let full_cells = context.cells();
        let mut bytes = self.recurrent;
        for group in &self.groups {
            let cells = group.window.map_or(full_cells, |window| context.window_cells(window));
            let value = if context.flash_attention {
                group.value
            } else {
                self.widest_value
            };
            let cell = row(context.key_type, group.key)? + row(context.value_type, value)?;
            bytes = bytes.saturating_add(group.layers.saturating_mul(cells).saturating_mul(cell));
        }
        Ok(bytes.saturating_mul(context.sequences.max(1)))
    }

    /// Cells that the sliding-window layers see, 0 if there are none.
    pub(super) fn window_cells(&self, context: &Context) -> u64 {
        self.groups
            .iter()
            .filter_map(|group| group.window)
            .map(|window| context.window_cells(window))
            .max()
            .unwrap_or(0)
    }
}
