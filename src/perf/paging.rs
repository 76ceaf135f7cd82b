//! What a model waits for that does not fit in memory.
//!
//! llama.cpp maps the file. Weights that memory has no room for are dropped and read from storage again, on every pass over the model:
//!
//! ```text
//! t ≥ streamed · (needed - capacity) / weights / storage
//! ```
//!
//! with `streamed` the bytes of weights that a decoded token reads (of a mixture those of the experts in use), and `needed - capacity` of all
//! `weights` not in memory. This is the least: a system that drops what it needs next, as the oldest page is, reads all of `streamed`.
//!
//! Only a CPU computes on mapped pages. A GPU's buffers are memory that the driver refuses to give, and so are repacked weights
//! the system's to refuse; the figure is that of weights which stay as the file has them.

use super::latency::TermKind;
use super::part::Parts;
use crate::calibration::Phase;
use crate::device::BackendKind;
use crate::scenario::Scenario;

/// Bytes of weights that every decoded token reads from storage again, at least; none where it fits, where nothing is decoded, where the
/// backend computes on no mapped weights, and where what is no weight does not fit by itself.
pub(super) fn bytes_per_token(scenario: &Scenario<'_>, parts: &Parts<'_>) -> Option<f64> {
    let memory = scenario.memory();
    let missing = memory.total() - scenario.device.memory.usable.value.get();
    let pages = scenario.backend_kind == BackendKind::Cpu && missing > 0.0 && missing <= memory.weights;
    if !pages {
        return None;
    }
    let terms = parts.backend.terms(Phase::Decode, scenario);
    let of_weights = terms
        .as_slice()
        .iter()
        .filter(|term| term.kind == TermKind::Weights)
        .map(|term| term.amount);
    let streamed: f64 = of_weights.sum();
    (streamed > 0.0).then(|| streamed * missing / memory.weights)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::catalog::{Catalog, Choice};
    use crate::device::BackendKind;
    use crate::perf::{Prediction, predict, sums::ModelSums};
    use crate::scenario::{Scenario, Workload};

    fn ask<T>(model: &str, kind: BackendKind, work: Workload, take: impl Fn(&Prediction<'_>, f64) -> T) -> T {
        let catalog = Catalog::builtin();
        let precision = "f16".parse().unwrap();
        let sums = ModelSums::of(&catalog.model(model).unwrap(), precision).unwrap();
        let device = catalog.device("orin-nano-super").unwrap();
        let scenario = Scenario::new(&sums, &device, Some(kind), precision, None, work).unwrap();
        let calibration = catalog.calibration_for(&device, kind, &Choice::Best).unwrap();
        let rate = device.storage_bandwidth.as_ref().unwrap().value.get();
        take(&predict(&scenario, &calibration), rate)
    }

    #[test]
    fn what_memory_does_not_hold_is_read_with_every_token() {
        let cpu = |work| {
            ask("llama-2-7b", BackendKind::Cpu, work, |p, rate| {
                (p.paging_s_per_token, p.memory_bytes - p.capacity_bytes, rate)
            })
        };
        let (wait, missing, rate) = cpu(Workload::default());
        // 6 738 415 616 parameters: 266 240 norms of four bytes, all others of two. All are read but the embedding, of whose
        // 32 000 rows of 4096 one is looked up.
        let weights = 2.0 * 6_738_415_616.0 + 2.0 * 266_240.0;
        let streamed = weights - 31_999.0 * 4096.0 * 2.0;
        assert!(missing > 6e9 && missing < weights, "{missing}");
        assert!(
            (wait.unwrap() / (streamed * missing / weights / rate) - 1.0).abs() < 1e-12,
            "{wait:?}"
        );
        let nothing = Workload {
            generate: 0,
            ..Workload::default()
        };
        assert_eq!(cpu(nothing).0, None, "no token is decoded");
        let cache = Workload {
            context: Some(1 << 20),
            ..Workload::default()
        };
        assert_eq!(cpu(cache).0, None, "the cache alone, 512 GiB, does not fit");
    }

    #[test]
    fn a_gpu_does_not_page_and_what_fits_need_not() {
        let wait = |model, kind| ask(model, kind, Workload::default(), |p, _| (p.fits, p.paging_s_per_token));
        assert_eq!(wait("llama-2-7b", BackendKind::Cuda), (false, None));
        assert_eq!(wait("tinyllama", BackendKind::Cpu), (true, None));
    }

    #[test]
    fn of_a_mixture_only_the_experts_in_use_are_read() {
        let (wait, io) = ask("mixtral-8x7b", BackendKind::Cpu, Workload::default(), |p, _| {
            (p.paging_s_per_token.unwrap(), p.io_s.unwrap())
        });
        // 12.9 of 46.7 billion parameters are active.
        assert!(wait < 0.3 * io, "{wait} of {io}");
    }
}
