//! A compute graph as far as the allocator sees it: tensors with sizes, what each reads, and in which order they are computed.

use super::allocator::{Schedule, Size, Step};

/// A tensor of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(u32);

/// Where a tensor's data lie.
#[derive(Debug, Clone, Copy)]
enum Storage {
    /// In the compute buffer.
    Own(Size),
    /// In that of another tensor, which it is a view of.
    View(Node),
    /// In the KV cache or another buffer of its own.
    Elsewhere,
}

/// The most tensors that an operation reads here.
const MOST_SOURCES: usize = 6;

#[derive(Debug, Clone, Copy)]
struct Tensor {
    storage: Storage,
    sources: [Node; MOST_SOURCES],
    source_count: u8,
    /// The operation can write over a source of its own size.
    in_place: bool,
    /// A result, which stays.
    output: bool,
    /// Filled from outside before the graph runs.
    input: bool,
    visited: bool,
}

impl Tensor {
    fn sources(&self) -> &[Node] {
        &self.sources[..usize::from(self.source_count)]
    }
}

/// A graph in the making.
#[derive(Debug, Default)]
pub(super) struct Graph {
    tensors: Vec<Tensor>,
    inputs: Vec<Node>,
    order: Vec<Node>,
}

impl Graph {
    fn push(&mut self, storage: Storage, sources: &[Node], in_place: bool) -> Node {
        let mut held = [Node(0); MOST_SOURCES];
        for (slot, &source) in held.iter_mut().zip(sources) {
            *slot = source;
        }
        self.tensors.push(Tensor {
            storage,
            sources: held,
            source_count: sources.len().min(MOST_SOURCES) as u8,
            in_place,
            output: false,
            input: false,
            visited: false,
        });
        Node(self.tensors.len() as u32 - 1)
    }

    fn tensor(&self, node: Node) -> &Tensor {
        &self.tensors[node.0 as usize]
    }

    fn tensor_mut(&mut self, node: Node) -> &mut Tensor {
        &mut self.tensors[node.0 as usize]
    }

    /// A tensor that is filled before the graph runs.
    pub(super) fn input(&mut self, size: Size) -> Node {
        let node = self.push(Storage::Own(size), &[], false);
        self.tensor_mut(node).input = true;
        node
    }

    /// The result of an operation, in memory of its own.
    pub(super) fn compute(&mut self, size: Size, sources: &[Node]) -> Node {
        self.push(Storage::Own(size), sources, false)
    }

    /// The same for an operation that may write over a source which nothing else reads.
    pub(super) fn compute_in_place(&mut self, size: Size, sources: &[Node]) -> Node {
        self.push(Storage::Own(size), sources, true)
    }

    /// Another shape, order or part of a tensor, without a copy.
    pub(super) fn view(&mut self, of: Node) -> Node {
        let root = match self.tensor(of).storage {
            Storage::View(root) => root,
            _ => of,
        };
        self.push(Storage::View(root), &[of], false)
    }

    /// The result of an operation that is written to a cache: it and all that it needs join the order of computation.
    pub(super) fn store(&mut self, sources: &[Node]) {
        let node = self.push(Storage::Elsewhere, sources, false);
        self.expand(node);
    }

    /// Keeps the tensor to the end.
    pub(super) fn output(&mut self, node: Node) {
        self.tensor_mut(node).output = true;
    }

    /// Appends the tensor, after all that it needs and is not there yet, to the order of computation.
    pub(super) fn expand(&mut self, node: Node) {
        if std::mem::replace(&mut self.tensor_mut(node).visited, true) {
            return;
        }
        let tensor = *self.tensor(node);
        for &source in tensor.sources() {
            self.expand(source);
        }
        if self.tensor(node).input {
            self.inputs.push(node);
        } else {
            self.order.push(node);
        }
    }

    /// When each tensor's memory is taken and given back, as ggml's allocator decides it: inputs first, then in the order of
    /// computation; a tensor lives until its last reader and that of its last view; an operation that can writes over its source.
    pub(super) fn schedule(&self) -> Schedule {
        let mut schedule = Schedule::default();
        let mut readers = vec![0u32; self.tensors.len()];
        let mut views = vec![0u32; self.tensors.len()];
        let mut slots: Vec<Option<u16>> = vec![None; self.tensors.len()];
        for &node in &self.order {
            if let Storage::View(root) = self.tensor(node).storage {
                views[root.0 as usize] += 1;
            }
            for source in self.tensor(node).sources() {
                readers[source.0 as usize] += 1;
            }
        }
        let mut allocate = |slots: &mut Vec<Option<u16>>, node: Node, size: Size, steps: &mut Vec<Step>| {
            let slot = schedule.slots.len() as u16;
            schedule.slots.push(size);
            slots[node.0 as usize] = Some(slot);
            steps.push(Step::Allocate(slot));
        };
        let mut steps = Vec::with_capacity(4 * self.order.len());
        for &node in &self.inputs {
            if let Storage::Own(size) = self.tensor(node).storage {
                allocate(&mut slots, node, size, &mut steps);
            }
        }
        for &node in &self.order {
            let tensor = self.tensor(node);
            if let Storage::Own(size) = tensor.storage {
                let reused = tensor.sources().iter().copied().find(|&source| {
                    tensor.in_place
                        && slots[source.0 as usize].is_some()
                        && !self.tensor(source).output
                        && matches!(self.tensor(source).storage, Storage::Own(other) if other == size)
                        && readers[source.0 as usize] == 1
                        && views[source.0 as usize] == 0
                });
                match reused {
                    Some(source) => slots[node.0 as usize] = slots[source.0 as usize].take(),
                    None => allocate(&mut slots, node, size, &mut steps),
                }
            }
            for &source in tensor.sources() {
                readers[source.0 as usize] -= 1;
                if readers[source.0 as usize] > 0 || views[source.0 as usize] > 0 {
                    continue;
                }
                let owner = match self.tensor(source).storage {
                    Storage::View(root) => {
                        views[root.0 as usize] -= 1;
                        if views[root.0 as usize] > 0 || readers[root.0 as usize] > 0 {
                            continue;
                        }
                        root
                    }
                    _ => source,
                };
                if !self.tensor(owner).output
                    && let Some(slot) = slots[owner.0 as usize].take()
                {
                    steps.push(Step::Free(slot));
                }
            }
        }
        schedule.inputs = self.inputs.len();
        schedule.steps = steps;
        schedule
    }
}
