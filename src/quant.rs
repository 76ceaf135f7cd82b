//! Block types, the mixes that llama.cpp quantises a model into, and the precisions that people name.

/// How a run of weights is stored: ggml's types, and those of the encoder study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, non_camel_case_types)]
pub enum BlockType {
    F32,
    F16,
    BF16,
    Q8_0,
}
