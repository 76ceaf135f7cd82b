//! A backend as a scenario runs it: its rates under the power mode, the threads and the calibration.

use super::term::{Term, TermKind};
use crate::calibration::{Calibration, FactorId, Phase};
use crate::device::{Arithmetic, Backend, BackendKind};
use crate::quant::BlockType;
use crate::scenario::Scenario;

/// The rates of a backend as this scenario runs it: threads, power mode and calibration applied.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// The factors that scale its rates.
    pub calibration: &'a Calibration,
    /// Nominal bandwidth in the power mode, bytes per second.
    pub bandwidth: f64,
    /// Share of the saturated bandwidth that the threads draw.
    pub bandwidth_share: f64,
    /// What streams, `bandwidth · bandwidth_share · U_memory`, bytes per second.
    pub streamed: f64,
    /// `d ln bandwidth_share / d ln core_share`, for the uncertainty.
    pub core_share_sensitivity: f64,
    /// Dense peaks in the power mode with the threads in use, by [`Arithmetic`]; those not stated fall back to wider ones.
    peaks: [f64; 4],
    int8_multiplies: bool,
    fp16_multiplies: bool,
    bf16_multiplies: bool,
    on_cpu: bool,
    /// Slow-down of fixed costs in the power mode, clock over mode's clock.
    pub overhead_scale: f64,
    pub(super) part: Part,
}

/// The part of a model that a machine computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Share of the layers.
    pub layers: f64,
    /// The head, and what a pass costs once.
    pub head: bool,
}

/// Share of the saturated bandwidth that cores draw which alone would draw `drawn` times as much, `(1 + drawn⁻⁴)^(-1/4)`, and
/// `d ln share / d ln drawn`. The exponent is the steepness of the turn from bandwidth per core to saturated bandwidth.
fn saturation(drawn: f64) -> (f64, f64) {
    let square = drawn * drawn;
    let inverse = 1.0 / (square * square);
    ((1.0 + inverse).sqrt().sqrt().recip(), inverse / (1.0 + inverse))
}

impl<'a> Machine<'a> {
    /// The rates of `scenario`'s backend under `calibration`, to compute every layer of the model.
    #[must_use]
    pub fn new(scenario: &Scenario<'_>, calibration: &'a Calibration) -> Self {
        let all = Part {
            layers: 1.0,
            head: true,
        };
        Self::of(scenario, scenario.backend_kind, scenario.backend, calibration, all)
    }

    /// The same, to compute the layers that [`Workload::gpu_layers`](crate::scenario::Workload::gpu_layers) leaves to it, and
    /// the machine on the host that computes the others; none if there are none.
    #[must_use]
    pub fn split(
        scenario: &Scenario<'_>,
        calibration: &'a Calibration,
        host_calibration: &'a Calibration,
    ) -> Option<(Self, Self)> {
        let host = scenario.host?;
        let gpu = Part {
            layers: scenario
                .sums
                .memory
                .offloaded_layers_share(scenario.workload.gpu_layers),
            head: scenario.workload.gpu_layers != Some(0),
        };
        let rest = Part {
            layers: 1.0 - gpu.layers,
            head: !gpu.head,
        };
        Some((
            Self::of(scenario, scenario.backend_kind, scenario.backend, calibration, gpu),
            Self::of(scenario, BackendKind::Cpu, host, host_calibration, rest),
        ))
    }

    fn of(
        scenario: &Scenario<'_>,
        kind: BackendKind,
        backend: &Backend,
        calibration: &'a Calibration,
        part: Part,
    ) -> Self {
        let on_cpu = kind == BackendKind::Cpu;
        let mode = scenario.power_mode.map(|(_, mode)| mode);
        let clock_ratio = mode
            .and_then(|mode| mode.clocks.get(&kind))
            .zip(backend.clock.as_ref())
            .map_or(1.0, |(mode, full)| mode.value / full.value);
        let nominal = backend
            .memory
            .as_ref()
            .unwrap_or(&scenario.device.memory)
            .bandwidth
            .value;
        let bandwidth = mode
            .and_then(|mode| mode.bandwidth.as_ref())
            .map_or(nominal, |bandwidth| bandwidth.value)
            .get();
        let all_cores = backend.cores.value.max(1) as f64;
        let online = mode
            .and_then(|mode| mode.cores.get(&kind))
            .map_or(all_cores, |cores| cores.value.max(1) as f64);
        let (core_ratio, bandwidth_share, core_share_sensitivity) = if on_cpu {
            let threads = scenario.workload.threads.or(calibration.file.threads);
            let threads = threads.map_or(online, |threads| (threads as f64).min(online));
            let (share, sensitivity) = saturation(threads * calibration.factor(FactorId::CoreShare));
            (threads / all_cores, share, sensitivity)
        } else {
            (online / all_cores, 1.0, 0.0)
        };
        let scale = clock_ratio * core_ratio;
        let peak = |arithmetic: Arithmetic| backend.peaks.get(&arithmetic).map(|peak| peak.value.get() * scale);
        let (fp32, fp16, bf16) = (peak(Arithmetic::Fp32), peak(Arithmetic::Fp16), peak(Arithmetic::Bf16));
        let widest = fp32.or(fp16).unwrap_or(f64::NAN);
        Self {
            calibration,
            bandwidth,
            bandwidth_share,
            streamed: bandwidth * bandwidth_share * calibration.factor(FactorId::Memory),
            core_share_sensitivity,
            peaks: [
                widest,
                fp16.unwrap_or(widest),
                bf16.unwrap_or(widest),
                peak(Arithmetic::Int8).or(fp16).unwrap_or(widest),
            ],
            int8_multiplies: matches!(kind, BackendKind::Cpu | BackendKind::Cuda),
            fp16_multiplies: fp16.is_some(),
            bf16_multiplies: bf16.is_some(),
            on_cpu,
            overhead_scale: if on_cpu { 1.0 / clock_ratio } else { 1.0 / scale },
            part,
        }
    }

    /// The arithmetic that multiplies weights of a block type in a phase.
    ///
    /// A CPU turns activations into 8-bit blocks and takes integer dot products for every quantised type. A GPU does so in
    /// prefill where its kernels use integer matrix units; its matrix-vector kernels of the decode phase are bound by the plain
    /// arithmetic units that unpack the blocks.
    #[must_use]
    #[inline]
    pub fn arithmetic(&self, phase: Phase, block_type: BlockType) -> Arithmetic {
        match block_type {
            BlockType::F32 => Arithmetic::Fp32,
            BlockType::F16 if self.on_cpu && !self.fp16_multiplies => Arithmetic::Fp32,
            BlockType::BF16 if self.on_cpu && !self.bf16_multiplies => Arithmetic::Fp32,
            _ if !self.on_cpu && phase == Phase::Decode => Arithmetic::Fp32,
            BlockType::F16 => Arithmetic::Fp16,
            BlockType::BF16 => Arithmetic::Bf16,
            _ if self.int8_multiplies => Arithmetic::Int8,
            _ => Arithmetic::Fp16,
        }
    }

    /// The term of streaming `bytes`.
    #[inline]
    pub(super) fn stream(&self, kind: TermKind, bytes: f64) -> Term {
        Term {
            kind,
            factor: FactorId::Memory,
            amount: bytes,
            rate: self.bandwidth * self.bandwidth_share,
            seconds: bytes / self.streamed,
        }
    }

    /// The term of `flops` at a utilization of an arithmetic's peak.
    #[inline]
    pub(super) fn compute(&self, kind: TermKind, factor: FactorId, arithmetic: Arithmetic, flops: f64) -> Term {
        let rate = self.peaks[arithmetic as usize];
        Term {
            kind,
            factor,
            amount: flops,
            rate,
            seconds: flops / (rate * self.calibration.factor(factor)),
        }
    }

    /// The term of attention and recurrences.
    #[inline]
    pub(super) fn attend(&self, phase: Phase, flops: f64) -> Term {
        let arithmetic = if !self.on_cpu && phase == Phase::Decode {
            Arithmetic::Fp32
        } else {
            Arithmetic::Fp16
        };
        self.compute(TermKind::Attend, FactorId::Attention(phase), arithmetic, flops)
    }

    /// The term of `count` times a fixed cost.
    #[inline]
    pub(super) fn fixed(&self, kind: TermKind, factor: FactorId, count: f64) -> Term {
        let amount = count * self.overhead_scale;
        Term {
            kind,
            factor,
            amount,
            rate: 1.0,
            seconds: amount * self.calibration.factor(factor),
        }
    }
}
