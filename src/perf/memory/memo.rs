//! Footprints that were worked out before.

use super::{CacheError, Context, Footprint};
use crate::device::{Backend, BackendKind};
use crate::perf::sums::ModelSums;
use crate::quant::CacheType;
use crate::scenario::Workload;

/// How many footprints are remembered; a power of two.
const SLOTS: usize = 1024;

/// All that the footprint of a model on a backend depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    cells: u64,
    tokens: u64,
    sequences: u64,
    key_type: CacheType,
    value_type: CacheType,
    gpu_layers: Option<u64>,
    repack: bool,
}

impl Key {
    fn of(work: &Workload) -> Self {
        let context = Context::from(work);
        Self {
            cells: context.cells(),
            tokens: context.tokens(),
            sequences: work.sequences,
            key_type: work.key_type,
            value_type: work.value_type,
            gpu_layers: work.gpu_layers,
            repack: work.repack,
        }
    }

    /// Where it is remembered. Contexts of a sweep are neighbours, which are to lie in different slots.
    #[allow(clippy::cast_possible_truncation)] // the lowest bits are wanted
    const fn slot(&self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let layers = match self.gpu_layers {
            Some(layers) => layers.wrapping_add(1),
            None => 0,
        };
        let others = (self.key_type as u64) << 8 | (self.value_type as u64) << 16 | self.sequences << 24;
        let mixed = (self.tokens ^ layers.rotate_left(32) ^ others.rotate_left(16)).wrapping_mul(ODD);
        (self.cells / 256).wrapping_add(mixed >> 48) as usize % SLOTS
    }
}

/// The last footprints of one model on one backend. Contexts that llama.cpp rounds up to the same number of cells have the same, and
/// of neighbouring scenarios most do.
#[derive(Debug, Clone)]
pub struct Memo {
    slots: Vec<Option<(Key, Result<Footprint, CacheError>)>>,
}

impl Default for Memo {
    fn default() -> Self {
        Self {
            slots: vec![None; SLOTS],
        }
    }
}

impl Memo {
    /// Forgets everything: for another model, mix or backend.
    pub fn clear(&mut self) {
        self.slots.fill(None);
    }

    /// What [`Footprint::new`] gives. Everything it was asked since it was empty was of the same model, mix and backend.
    ///
    /// # Errors
    /// If llama.cpp refuses the cache types.
    pub fn footprint(
        &mut self,
        sums: &ModelSums,
        kind: BackendKind,
        backend: &Backend,
        work: &Workload,
    ) -> Result<Footprint, CacheError> {
        let key = Key::of(work);
        let slot = &mut self.slots[key.slot()];
        match slot {
            Some((known, footprint)) if *known == key => footprint.clone(),
            slot => {
                let footprint = Footprint::new(sums, kind, backend, work);
                *slot = Some((key, footprint.clone()));
                footprint
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use proptest::prelude::*;

    fn workload() -> impl Strategy<Value = Workload> {
        let cache = || prop::sample::select(CacheType::ALL);
        let sizes = (0..3000_u64, 0..300_u64, 0..5000_u64, 1..700_u64, 1..3_u64);
        let context = prop::option::of(8300..9000_u64);
        (
            sizes,
            context,
            cache(),
            cache(),
            prop::option::of(0..20_u64),
            any::<bool>(),
        )
            .prop_map(
                |((prompt, generate, depth, ubatch, sequences), context, key_type, value_type, gpu_layers, repack)| {
                    Workload {
                        prompt,
                        generate,
                        depth,
                        context,
                        ubatch,
                        sequences,
                        key_type,
                        value_type,
                        gpu_layers,
                        repack,
                        ..Workload::default()
                    }
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_remembered_is_what_would_be_worked_out(
            works in prop::collection::vec(workload(), 1..40),
            model in prop::sample::select(vec!["tinyllama", "gemma-3-1b"]),
            kind in prop::sample::select(vec![BackendKind::Cpu, BackendKind::Cuda]),
        ) {
            let catalog = Catalog::builtin();
            let sums = ModelSums::of(&catalog.model(model).unwrap(), "q4_0".parse().unwrap()).unwrap();
            let device = catalog.device("orin-nano-super").unwrap();
            let backend = &device.backends[&kind];
            let mut memo = Memo::default();
            for _ in 0..2 {
                for work in &works {
                    let remembered = memo.footprint(&sums, kind, backend, work);
                    prop_assert_eq!(remembered, Footprint::new(&sums, kind, backend, work));
                }
            }
        }
    }
}
