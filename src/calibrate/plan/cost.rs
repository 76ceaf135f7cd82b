//! How long measuring takes, so that a plan can keep to its budget.

use super::{PlanOptions, Probe, Shape, Source};
use crate::calibrate::Phase;
use crate::calibrate::measure::Test;
use crate::model::{Mixer, Use};

/// What a machine is expected to do, before any model has been measured on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Bytes per second that one core reads.
    pub core_bandwidth: f64,
    /// Bytes per second that all cores read.
    pub bandwidth: f64,
    /// FLOPs per second of one core in a matrix product.
    pub core_flops: f64,
    /// FLOPs per second of one core in attention.
    pub core_attention: f64,
    /// Bytes per second of writing a synthetic file.
    pub write: f64,
    /// Bytes per second of loading and repacking it.
    pub load: f64,
    /// Seconds of a pass beyond that, per layer.
    pub layer: f64,
}

impl Default for Rates {
    /// A small Arm board; [`Rates::of_machine`] knows better.
    fn default() -> Self {
        Self {
            core_bandwidth: 4e9,
            bandwidth: 6e9,
            core_flops: 8e9,
            core_attention: 1.5e9,
            write: 0.3e9,
            load: 0.3e9,
            layer: 50e-6,
        }
    }
}

/// Tokens that are run and not counted before a test.
pub const WARM_UP_TOKENS: u64 = 3;

/// Runs of a prefill test.
pub const PREFILL_RUNS: u64 = 3;

impl Rates {
    /// The rates of a machine whose memory gives these bandwidths.
    ///
    /// What its cores compute is guessed from the bandwidth of one of them, with whose square it grows from small Arm cores (4 GB/s,
    /// 8 GFLOP/s) to large x86 cores (13 GB/s, 130 GFLOP/s); it only decides what is measured, and the first tests correct it.
    #[must_use]
    pub fn of_machine(core_bandwidth: f64, bandwidth: f64) -> Self {
        let small = Self::default();
        let scale = core_bandwidth / small.core_bandwidth;
        Self {
            core_bandwidth,
            bandwidth,
            core_flops: (small.core_flops * scale * scale).clamp(small.core_flops, 100e9),
            core_attention: (small.core_attention * scale * scale).clamp(small.core_attention, 15e9),
            write: small.write * scale.clamp(1.0, 4.0),
            load: small.load * scale.clamp(1.0, 3.0),
            layer: small.layer / scale.clamp(0.5, 4.0),
        }
    }

    /// A GPU, of which nothing is known beforehand.
    #[must_use]
    pub const fn of_gpu() -> Self {
        Self {
            core_bandwidth: 3e11,
            bandwidth: 3e11,
            core_flops: 3e12,
            core_attention: 5e11,
            write: 0.8e9,
            load: 0.5e9,
            layer: 50e-6,
        }
    }

    /// Bandwidth of a number of threads: that of so many cores, as far as the memory goes.
    fn bandwidth_of(&self, threads: u64) -> f64 {
        (self.core_bandwidth * threads as f64).min(self.bandwidth.max(self.core_bandwidth))
    }

    /// Seconds of one pass over `tokens` from `depth`.
    fn pass_seconds(&self, probe: &Probe, tokens: u64, depth: u64, threads: u64) -> f64 {
        let weights: u64 = probe
            .model
            .tensors
            .iter()
            .filter(|tensor| tensor.layer.is_some() && matches!(tensor.usage, Use::Multiply))
            .map(|tensor| tensor.elements() * tensor.experts_used / tensor.experts.max(1))
            .sum();
        let attention: f64 = probe
            .model
            .mixers
            .iter()
            .map(|mixer| match mixer {
                Mixer::Attention(attention) => {
                    (2 * attention.heads * (attention.key_length + attention.value_length)) as f64
                }
                Mixer::Recurrent(recurrent) => recurrent.flops_per_token as f64,
            })
            .sum();
        let positions = depth as f64 + tokens as f64 / 2.0;
        probe.weight_bytes as f64 / self.bandwidth_of(threads)
            + (2.0 * weights as f64 / self.core_flops + attention * positions / self.core_attention) * tokens as f64
                / threads as f64
            + self.layer * probe.model.mixers.len() as f64
    }

    /// Seconds of one test, its warm-up included, what fills the cache to its depth not.
    #[must_use]
    pub fn test_seconds(&self, probe: &Probe, test: &Test) -> f64 {
        let pass = |tokens| self.pass_seconds(probe, tokens, test.depth, test.threads);
        match test.phase {
            Phase::Decode => (WARM_UP_TOKENS + test.tokens) as f64 * pass(1),
            Phase::Prefill => (0.3 + PREFILL_RUNS as f64) * pass(test.tokens),
        }
    }

    /// Seconds that the test `at` adds to a probe of which others are `chosen`: the first brings the file with it, and the first of a
    /// depth the prompt that fills the cache.
    pub(super) fn added_seconds(&self, probe: &Probe, chosen: &[bool], at: usize) -> f64 {
        let test = probe.tests[at];
        let earlier = || {
            probe
                .tests
                .iter()
                .zip(chosen)
                .filter(|(_, chosen)| **chosen)
                .map(|(test, _)| test)
        };
        let file = match probe.source {
            _ if earlier().next().is_some() => 0.0,
            Source::Synthetic(_) => probe.weight_bytes as f64 * (1.0 / self.write + 1.0 / self.load),
            Source::File(_) => probe.weight_bytes as f64 / self.load,
        };
        let filled = test.depth == 0 || earlier().any(|earlier| earlier.depth == test.depth);
        let most = probe
            .tests
            .iter()
            .map(|test| test.threads)
            .max()
            .unwrap_or(test.threads);
        let fill = if filled {
            0.0
        } else {
            self.pass_seconds(probe, test.depth, 0, most)
        };
        file + fill + self.test_seconds(probe, &test)
    }

    /// Seconds of a probe: writing and loading it, and its tests.
    #[must_use]
    pub fn probe_seconds(&self, probe: &Probe) -> f64 {
        let mut chosen = vec![false; probe.tests.len()];
        (0..probe.tests.len())
            .map(|at| {
                let seconds = self.added_seconds(probe, &chosen, at);
                chosen[at] = true;
                seconds
            })
            .sum()
    }

    /// Seconds of the probe's needed tests alone.
    #[must_use]
    pub fn needed_seconds(&self, probe: &Probe) -> f64 {
        let mut needed = probe.clone();
        needed.tests.clone_from(&probe.needed);
        self.probe_seconds(&needed)
    }

    /// The lengths of the long and the short prompt: the longest of which one run over so many layers takes, on all cores, no more than
    /// a sixtieth of the budget, and a quarter of it.
    #[must_use]
    pub fn prompt_lengths(&self, layers: u64, options: &PlanOptions) -> (u64, u64) {
        let flops = 2.0 * (layers * Shape::narrow(layers).layer_weights()) as f64;
        let longest = if options.full || options.gpu { 2048 } else { 512 };
        let most = options.budget_s / 60.0 * self.core_flops * options.cores as f64 / flops;
        let long = [2048, 1024, 512, 256, 128]
            .into_iter()
            .find(|&n| n <= longest && n as f64 <= most);
        let long = long.unwrap_or(64);
        (long, long / 4)
    }

    /// The depth of the tests that are deeper than none: the deepest to which the attention probe gets in a fortieth of the budget.
    #[must_use]
    pub fn depth(&self, options: &PlanOptions) -> u64 {
        let deepest = match (options.full, options.gpu) {
            (_, true) => 4096,
            (true, false) => 2048,
            (false, false) => 1024,
        };
        let flops = |depth: u64| (depth * Shape::attention(8).attention_flops(depth / 2)) as f64;
        let most = options.budget_s / 40.0 * self.core_attention * options.cores as f64;
        let depths = [4096, 2048, 1024, 512];
        depths
            .into_iter()
            .find(|&depth| depth <= deepest && flops(depth) <= most)
            .unwrap_or(256)
    }
}
