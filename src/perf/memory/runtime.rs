//! What llama.cpp holds besides weights, cache and compute buffer. Small, and known only roughly.

use crate::device::BackendKind;

/// The process itself: program, libraries, graph, thread stacks.
///
/// Measured: `llama-bench` on Linux stays within 5 to 15 MiB of the sum of its buffers.
const PROCESS: f64 = 12.0 * MEBIBYTE;
/// One token of the tokenizer: text, score, type and their entries in two tables. Estimated.
const TOKENIZER_ENTRY: f64 = 120.0;
/// A GPU's context and loaded kernels. Estimated: what other calculators of memory assume.
const GPU_CONTEXT: f64 = 250.0 * MEBIBYTE;

const MEBIBYTE: f64 = 1_048_576.0;
/// Logits are single precision.
const LOGIT: f64 = 4.0;

/// Bytes on the host: the process, the tokenizer, and one row of logits a sequence.
pub(super) fn host_bytes(vocabulary_size: u64, sequences: u64) -> f64 {
    PROCESS + vocabulary_size as f64 * (TOKENIZER_ENTRY + LOGIT * sequences as f64)
}

/// Bytes that the backend's driver holds.
pub(super) const fn backend_bytes(kind: BackendKind) -> f64 {
    match kind {
        BackendKind::Cpu => 0.0,
        BackendKind::Cuda | BackendKind::Metal | BackendKind::Vulkan | BackendKind::Opencl => GPU_CONTEXT,
    }
}
