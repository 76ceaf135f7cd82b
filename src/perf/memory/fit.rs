//! What would fit where a scenario does not.

use super::Footprint;
use crate::device::BackendKind;
use crate::model::Model;
use crate::quant::{BlockType, Mix};
use crate::scenario::{MOST_TOKENS, Scenario, Workload};

/// Contexts are tried in steps of this many tokens, which is how llama.cpp rounds them.
const STEP: u64 = 256;

/// A mix that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixThatFits {
    /// The mix.
    pub mix: Mix,
    /// Bytes of all tensors in it.
    pub weight_bytes: u64,
}

impl Scenario<'_> {
    /// What the scenario needs in memory.
    #[must_use]
    pub const fn memory(&self) -> Footprint {
        self.footprint
    }

    fn fits_with(&self, work: Workload) -> bool {
        Footprint::new(self.sums, self.backend_kind, self.backend, &work)
            .is_ok_and(|footprint| footprint.fits(self.device, self.backend))
    }

    fn fits_with_context(&self, context: u64) -> bool {
        self.fits_with(Workload {
            context: Some(context),
            ..self.workload
        })
    }

    /// The longest context, a multiple of 256 tokens and no longer than the model was trained for, with which it fits; none if it
    /// fits with none.
    #[must_use]
    pub fn longest_context_that_fits(&self) -> Option<u64> {
        let most = self
            .sums
            .memory
            .context_length
            .unwrap_or(MOST_TOKENS)
            .clamp(STEP, MOST_TOKENS)
            / STEP;
        if !self.fits_with_context(STEP) {
            return None;
        }
        let (mut fitting, mut beyond) = (1, most + 1);
        while beyond - fitting > 1 {
            let middle = fitting.midpoint(beyond);
            if self.fits_with_context(middle * STEP) {
                fitting = middle;
            } else {
                beyond = middle;
            }
        }
        Some(fitting * STEP)
    }

    /// The most layers, the head counting as one, that fit on a GPU with memory of its own while the host holds the others; none if that is no
    /// way out: not even the fewest fit, or the device describes no CPU for the others.
    #[must_use]
    pub fn most_gpu_layers_that_fit(&self) -> Option<u64> {
        if self.backend.memory.is_none() || !self.device.backends.contains_key(&BackendKind::Cpu) {
            return None;
        }
        let fits = |&gpu_layers: &u64| {
            self.fits_with(Workload {
                gpu_layers: Some(gpu_layers),
                ..self.workload
            })
        };
        (1..=self.sums.memory.layers() + 1).rev().find(fits)
    }

    /// The largest mix of `model` that is smaller than what the scenario stores and fits with its workload.
    #[must_use]
    pub fn smaller_mix_that_fits(&self, model: &Model) -> Option<MixThatFits> {
        let host = self.device.memory.usable.value.get() - self.footprint.on_host();
        let device = self
            .backend
            .memory
            .as_ref()
            .map(|memory| memory.usable.value.get() - self.footprint.on_device);
        let excess = -device.map_or(host, |device| device.min(host));
        // what must go, at least, if copies shrink with the weights
        let most = (self.footprint.weights - excess.max(0.0)).max(0.0);
        Mix::ALL
            .iter()
            .map(|&mix| MixThatFits {
                mix,
                weight_bytes: weight_bytes(model, &mix.block_types(model)),
            })
            .filter(|candidate| {
                candidate.weight_bytes < self.sums.weight_bytes && candidate.weight_bytes as f64 <= most
            })
            .max_by_key(|candidate| candidate.weight_bytes)
    }
}

fn weight_bytes(model: &Model, types: &[BlockType]) -> u64 {
    model
        .tensors
        .iter()
        .zip(types)
        .map(|(tensor, block_type)| block_type.tensor_bytes(tensor).unwrap_or(0))
        .sum()
}
