//! A context as llama.cpp sets it up: how many cells, how many tokens at once, in which types.

use crate::quant::CacheType;

/// llama.cpp rounds the number of cells up to a multiple of this.
const CELLS: u64 = 256;

/// The settings of a context that its memory depends on; the names are llama.cpp's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context {
    /// Positions that the KV cache is allocated for (`--ctx-size`), of all sequences together.
    pub size: u64,
    /// Most tokens that one call evaluates (`--batch-size`).
    pub batch: u64,
    /// Most tokens that one graph evaluates (`--ubatch-size`).
    pub ubatch: u64,
    /// Sequences evaluated side by side (`--parallel`), each with its own share of the cells.
    pub sequences: u64,
    /// How keys are stored (`--cache-type-k`).
    pub key_type: CacheType,
    /// How values are stored (`--cache-type-v`).
    pub value_type: CacheType,
    /// Whether attention is the fused operation that stores no scores (`--flash-attn`).
    pub flash_attention: bool,
}

impl Context {
    /// A context of `size` positions with llama.cpp's defaults: one sequence, batches of 2048 and micro-batches of 512 tokens,
    /// a cache in half precision, flash attention.
    #[must_use]
    pub const fn new(size: u64) -> Self {
        Self {
            size,
            batch: 2048,
            ubatch: 512,
            sequences: 1,
            key_type: CacheType::F16,
            value_type: CacheType::F16,
            flash_attention: true,
        }
    }

    /// Cells that one sequence gets: `size / sequences`, rounded up to a multiple of 256, and never none.
    #[must_use]
    pub fn cells(&self) -> u64 {
        let size = self.size.max(1).saturating_add(CELLS - 1) / CELLS * CELLS;
        (size / self.sequences.max(1)).max(1).next_multiple_of(CELLS)
    }

    /// Cells that one sequence gets in a layer with a sliding window: the window and one micro-batch, rounded up to a multiple
    /// of 256; never more than in a layer without.
    #[must_use]
    pub fn window_cells(&self, window: u64) -> u64 {
        let cells = self.cells();
        cells.min(window.saturating_add(self.tokens())).div_ceil(CELLS) * CELLS
    }

    /// Tokens in the largest graph: no more than the micro-batch, the batch or the context hold.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.ubatch.min(self.batch).min(self.size).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_rounded_as_llama_cpp_rounds_them() {
        assert_eq!(Context::new(2048).cells(), 2048);
        assert_eq!(Context::new(641).cells(), 768);
        assert_eq!(Context::new(1).cells(), 256);
        let shared = Context {
            sequences: 3,
            ..Context::new(2048)
        };
        assert_eq!(shared.cells(), 768, "2048 / 3 = 682, rounded up");
    }

    #[test]
    fn a_window_needs_room_for_a_micro_batch_beside_it() {
        assert_eq!(Context::new(8192).window_cells(512), 1024);
        assert_eq!(Context::new(8192).window_cells(4096), 4608);
        assert_eq!(Context::new(512).window_cells(4096), 512);
        let small = Context {
            ubatch: 64,
            ..Context::new(8192)
        };
        assert_eq!(small.window_cells(512), 768, "576, rounded up");
        assert_eq!(Context::new(300).tokens(), 300);
    }
}
