//! A replay of ggml's graph allocator: which bytes a graph's tensors take turns in.

/// Every tensor begins at a multiple of this many bytes.
const ALIGNMENT: u64 = 32;

/// A size that depends on the batch and the context:
/// `bytes = fixed + cells · of_cell + tokens · (per_token + cells · per_cell + window_cells · per_window_cell)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// Bytes whatever the batch.
    pub fixed: u64,
    /// Bytes of one token.
    pub per_token: u64,
    /// Bytes of one token and one cell of the full-length cache.
    pub per_cell: u64,
    /// Bytes of one cell of the full-length cache whatever the batch.
    pub of_cell: u64,
    /// Bytes of one token and one cell of the sliding-window cache.
    pub per_window_cell: u64,
}

impl Size {
    /// `elements` in single precision for each token.
    pub(super) const fn floats(elements: u64) -> Self {
        Self::bytes(4 * elements)
    }

    /// `bytes` for each token.
    pub(super) const fn bytes(bytes: u64) -> Self {
        Self {
            fixed: 0,
            per_token: bytes,
            per_cell: 0,
            of_cell: 0,
            per_window_cell: 0,
        }
    }

    const fn at(&self, extent: Extent) -> u64 {
        let per_token = self.per_token + extent.cells * self.per_cell + extent.window_cells * self.per_window_cell;
        (self.fixed + extent.cells * self.of_cell + extent.tokens * per_token).next_multiple_of(ALIGNMENT)
    }
}

/// What the sizes of a graph depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::perf::memory) struct Extent {
    /// Tokens of one micro-batch.
    pub tokens: u64,
    /// Cells of the full-length cache.
    pub cells: u64,
    /// Cells of the sliding-window cache.
    pub window_cells: u64,
}

/// One step of the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Finds room for the slot.
    Allocate(u16),
    /// Gives the room of the slot back.
    Free(u16),
}

/// The order in which the slots of a graph are taken and given back: it does not depend on sizes, so it is worked out once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Schedule {
    /// Size of each slot.
    pub slots: Vec<Size>,
    /// What happens to them, in order.
    pub steps: Vec<Step>,
    /// How many of the first slots are filled from outside.
    pub inputs: usize,
}

/// A run of free bytes.
#[derive(Debug, Clone, Copy)]
struct Block {
    offset: u64,
    size: u64,
}

/// Free blocks in order of offset; the last one has no end.
struct FreeList {
    blocks: Vec<Block>,
    high_water: u64,
}

impl FreeList {
    fn new() -> Self {
        let mut blocks = Vec::with_capacity(16);
        blocks.push(Block {
            offset: 0,
            size: u64::MAX / 2,
        });
        Self { blocks, high_water: 0 }
    }

    /// The smallest block that holds `size`, the last of equals; the endless one only where no other does.
    fn allocate(&mut self, size: u64) -> u64 {
        let endless = self.blocks.len() - 1;
        let mut best = endless;
        for (at, block) in self.blocks[..endless].iter().enumerate() {
            if block.size >= size && (best == endless || block.size <= self.blocks[best].size) {
                best = at;
            }
        }
        let block = &mut self.blocks[best];
        let offset = block.offset;
        block.offset += size;
        block.size -= size;
        if block.size == 0 {
            self.blocks.remove(best);
        }
        self.high_water = self.high_water.max(offset + size);
        offset
    }

    /// Joins the bytes to the free block before or after them, or makes them one of their own.
    fn free(&mut self, offset: u64, size: u64) {
        for at in 0..self.blocks.len() {
            let block = self.blocks[at];
            if block.offset + block.size == offset {
                self.blocks[at].size += size;
                self.join_next(at);
                return;
            }
            if offset + size == block.offset {
                self.blocks[at] = Block {
                    offset,
                    size: size + block.size,
                };
                if at > 0 {
                    self.join_next(at - 1);
                }
                return;
            }
        }
        let at = self.blocks.partition_point(|block| block.offset < offset);
        self.blocks.insert(at, Block { offset, size });
    }

    /// Makes one of a block and the next if nothing lies between.
    fn join_next(&mut self, at: usize) {
        if let (Some(&block), Some(&next)) = (self.blocks.get(at), self.blocks.get(at + 1))
            && block.offset + block.size == next.offset
        {
            self.blocks[at].size += next.size;
            self.blocks.remove(at + 1);
        }
    }
}

impl Schedule {
    /// Bytes of the tensors that are filled from outside.
    pub(super) fn input_bytes(&self, extent: Extent) -> u64 {
        self.slots[..self.inputs].iter().map(|size| size.at(extent)).sum()
    }

    /// Bytes of the buffer that the whole schedule fits in.
    pub(super) fn high_water(&self, extent: Extent) -> u64 {
        let mut free = FreeList::new();
        let mut offsets = vec![0; self.slots.len()];
        for step in &self.steps {
            match *step {
                Step::Allocate(slot) => {
                    offsets[usize::from(slot)] = free.allocate(self.slots[usize::from(slot)].at(extent));
                }
                Step::Free(slot) => free.free(offsets[usize::from(slot)], self.slots[usize::from(slot)].at(extent)),
            }
        }
        free.high_water
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Extent = Extent {
        tokens: 1,
        cells: 0,
        window_cells: 0,
    };

    fn high_water(sizes: &[u64], steps: &[Step]) -> u64 {
        Schedule {
            slots: sizes.iter().map(|&bytes| Size::bytes(bytes)).collect(),
            steps: steps.to_vec(),
            inputs: 0,
        }
        .high_water(ONE)
    }

    #[test]
    fn a_freed_block_is_used_again_by_what_fits() {
        use Step::{Allocate, Free};
        // 64 and 128 live together; 64 goes, 32 takes its place, and 128 more must go behind
        assert_eq!(
            high_water(
                &[64, 128, 32, 128],
                &[Allocate(0), Allocate(1), Free(0), Allocate(2), Allocate(3)]
            ),
            64 + 128 + 128
        );
        // neighbours join: 64 and 128 both free hold 192
        assert_eq!(
            high_water(
                &[64, 128, 32, 192],
                &[Allocate(0), Allocate(1), Allocate(2), Free(0), Free(1), Allocate(3)]
            ),
            64 + 128 + 32
        );
    }

    #[test]
    fn sizes_follow_tokens_and_cells_and_are_aligned() {
        let size = Size {
            fixed: 1,
            per_token: 2,
            per_cell: 3,
            of_cell: 17,
            per_window_cell: 5,
        };
        let extent = Extent {
            tokens: 7,
            cells: 11,
            window_cells: 13,
        };
        assert_eq!(
            size.at(extent),
            (1u64 + 11 * 17 + 7 * (2 + 11 * 3 + 13 * 5)).next_multiple_of(32)
        );
    }
}
