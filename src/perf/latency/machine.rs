//! A backend as a scenario runs it: its rates under the power mode, the threads and the calibration.

use super::term::{Term, TermKind};
use crate::calibration::{Calibration, FactorId, Origin, Phase};
use crate::device::{Arithmetic, Backend, BackendKind, Device, PowerMode, Source};
use crate::perf::memory::Unrepacked;
use crate::quant::BlockType;
use crate::scenario::{Scenario, Workload};

/// What multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The units of an arithmetic whose peak the data sheet states.
    Peak(Arithmetic),
    /// The cores of a GPU that multiply a matrix with one vector, at a nominal 256 operations per cycle.
    Cores,
}

impl Unit {
    /// The name of the arithmetic, or `cores`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peak(arithmetic) => arithmetic.name(),
            Self::Cores => "cores",
        }
    }
}

/// Operations per core and cycle of which the matrix-vector kernels of a GPU reach a share: the unit of that share. It is what most
/// cores do in FP32; those with half the lanes (NVIDIA's of Volta, Turing and the A100, AMD's before RDNA 3) unpack and multiply
/// blocks no slower, since they issue as many instructions.
const OPERATIONS_PER_CYCLE: f64 = 256.0;

/// Standard deviation of the logarithm of a bandwidth that nobody measured or stated: nine of ten are within 0.5 to 1.9 times the guess.
const GUESSED_BANDWIDTH_SIGMA: f64 = 0.4;

/// Clock at which the cost of an operation is stated, Hz: what begins and ends a kernel, a launch or a barrier, takes cycles.
const OPERATION_CLOCK: f64 = 2e9;

/// What a backend states in a power mode, whatever its threads and its calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    kind: BackendKind,
    bandwidth: f64,
    /// Dense peaks of all cores, by [`Arithmetic`]; those not stated fall back to wider ones.
    peaks: [f64; 4],
    /// [`Unit::Cores`] of all cores; FP32's peak where no clock is stated.
    core_operations: f64,
    fp16_multiplies: bool,
    bf16_multiplies: bool,
    all_cores: f64,
    online_cores: f64,
    /// How often memory is cut in two domains, `log2 domains`: `d ln bandwidth_share / d ln interconnect`.
    halvings: f64,
    /// The mode's clock over the full one.
    clock_ratio: f64,
    /// What the cost of an operation is to be multiplied by when all cores compute.
    operation_scale: f64,
    /// The mode's bandwidth over the nominal one.
    bandwidth_ratio: f64,
    /// Whether nobody measured or stated the bandwidth.
    guessed_bandwidth: bool,
}

impl Rates {
    pub(crate) fn new(device: &Device, kind: BackendKind, backend: &Backend, mode: Option<&PowerMode>) -> Self {
        let clock_ratio = mode
            .and_then(|mode| mode.clocks.get(&kind))
            .zip(backend.clock.as_ref())
            .map_or(1.0, |(mode, full)| mode.value / full.value);
        let memory = backend.memory.as_ref().unwrap_or(&device.memory);
        let nominal = memory.bandwidth.value.get();
        let in_mode = mode
            .and_then(|mode| mode.bandwidth.as_ref())
            .unwrap_or(&memory.bandwidth);
        let bandwidth = in_mode.value.get();
        let all_cores = backend.cores.value.max(1) as f64;
        let online_cores = mode
            .and_then(|mode| mode.cores.get(&kind))
            .map_or(all_cores, |cores| cores.value.max(1) as f64);
        let peak = |arithmetic: Arithmetic| {
            backend
                .peaks
                .get(&arithmetic)
                .map(|peak| peak.value.get() * clock_ratio)
        };
        let (fp32, fp16, bf16) = (peak(Arithmetic::Fp32), peak(Arithmetic::Fp16), peak(Arithmetic::Bf16));
        let widest = fp32.or(fp16).unwrap_or(f64::NAN);
        let clock = backend.clock.as_ref().map(|clock| clock.value.get() * clock_ratio);
        Self {
            kind,
            bandwidth,
            peaks: [
                widest,
                fp16.unwrap_or(widest),
                bf16.unwrap_or(widest),
                peak(Arithmetic::Int8).or(fp16).unwrap_or(widest),
            ],
            core_operations: clock.map_or(widest, |clock| OPERATIONS_PER_CYCLE * all_cores * clock),
            fp16_multiplies: fp16.is_some(),
            bf16_multiplies: bf16.is_some(),
            all_cores,
            online_cores,
            halvings: memory
                .domains
                .as_ref()
                .map_or(0.0, |domains| (domains.value as f64).log2()),
            clock_ratio,
            operation_scale: clock.map_or(clock_ratio.recip(), |clock| OPERATION_CLOCK / clock),
            bandwidth_ratio: bandwidth / nominal,
            guessed_bandwidth: device.sources.get(&in_mode.source).is_some_and(Source::is_guess),
        }
    }

    #[inline]
    fn on_cpu(&self) -> bool {
        self.kind == BackendKind::Cpu
    }
}

/// The rates of a backend as this scenario runs it: threads, power mode and calibration applied.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// The factors that scale its rates.
    pub calibration: &'a Calibration,
    /// Nominal bandwidth in the power mode, bytes per second.
    pub bandwidth: f64,
    /// Share of it that the threads draw, and that memory in several domains leaves.
    pub bandwidth_share: f64,
    /// What a streamed byte takes, `1 / (bandwidth · bandwidth_share · U_memory)`, seconds.
    pub s_per_byte: f64,
    /// `d ln bandwidth_share / d ln core_share`.
    core_share_sensitivity: f64,
    /// What the cost of an operation is multiplied by: 2 GHz, at which it is stated, over the clock, and for a GPU all cores over those
    /// that compute.
    pub operation_scale: f64,
    /// What the cost of a pass is multiplied by: the full clock over the mode's, and for a GPU all cores over those that compute.
    pub pass_scale: f64,
    rates: Rates,
    /// What it would repack and does not.
    unrepacked: Option<Unrepacked>,
    /// Share of the cores that compute.
    pub core_ratio: f64,
    /// Whether several threads split the cache of one sequence by its blocks.
    pub splits_cache: bool,
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
    let sum = 1.0 + square * square;
    (drawn / sum.sqrt().sqrt(), sum.recip())
}

impl<'a> Machine<'a> {
    /// The rates of `scenario`'s backend under `calibration`, to compute every layer of the model.
    #[must_use]
    #[inline(always)]
    pub fn new(scenario: &Scenario<'_>, calibration: &'a Calibration) -> Self {
        let all = Part {
            layers: 1.0,
            head: true,
        };
        Self::of(scenario.rates, scenario.backend, &scenario.workload, calibration, all)
    }

    /// The same, to compute the layers that [`Workload::gpu_layers`](crate::scenario::Workload::gpu_layers) leaves to it, and
    /// the machine on the host that computes the others; none if there are none.
    #[must_use]
    pub fn split(
        scenario: &Scenario<'_>,
        calibration: &'a Calibration,
        host_calibration: &'a Calibration,
    ) -> Option<(Self, Self)> {
        let mode = scenario.power_mode.map(|(_, mode)| mode);
        let host = scenario.host?;
        let host_rates = Rates::new(scenario.device, BackendKind::Cpu, host, mode);
        let work = &scenario.workload;
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
            Self::of(scenario.rates, scenario.backend, work, calibration, gpu),
            Self::of(host_rates, host, work, host_calibration, rest),
        ))
    }

    #[inline(always)]
    fn of(rates: Rates, backend: &Backend, work: &Workload, calibration: &'a Calibration, part: Part) -> Self {
        let Rates {
            bandwidth,
            all_cores,
            online_cores,
            halvings,
            clock_ratio,
            operation_scale,
            ..
        } = rates;
        let on_cpu = rates.on_cpu();
        let (cores, mut bandwidth_share, core_share_sensitivity) = if on_cpu {
            let threads = work.threads.or(calibration.file.threads);
            let threads = threads.map_or(online_cores, |threads| (threads as f64).min(online_cores));
            let (share, sensitivity) = saturation(threads * calibration.factor(FactorId::CoreShare));
            (threads, share, sensitivity)
        } else {
            (online_cores, 1.0, 0.0)
        };
        if halvings > 0.0 {
            bandwidth_share *= calibration.factor(FactorId::Interconnect).powf(halvings);
        }
        let core_ratio = cores / all_cores;
        // A CPU's barriers take as long on fewer cores, a GPU's launches longer.
        let launching = if on_cpu { 1.0 } else { core_ratio };
        Self {
            calibration,
            bandwidth,
            bandwidth_share,
            s_per_byte: (bandwidth * bandwidth_share * calibration.factor(FactorId::Memory)).recip(),
            core_share_sensitivity,
            operation_scale: operation_scale / launching,
            pass_scale: (clock_ratio * launching).recip(),
            rates,
            unrepacked: if on_cpu && !work.repack {
                Unrepacked::on(&backend.features)
            } else {
                None
            },
            core_ratio,
            splits_cache: on_cpu && cores > 1.0 && calibration.file.splits_cache,
            part,
        }
    }

    /// The same with an engine whose threads [split the cache](crate::calibration::CalibrationFile::splits_cache), if it has several.
    #[must_use]
    pub(crate) fn splitting_cache(self) -> Self {
        let several = self.core_ratio * self.rates.all_cores > 1.0;
        Self {
            splits_cache: self.on_cpu() && several,
            ..self
        }
    }

    /// The factors that bound the bandwidth besides [`FactorId::Memory`], and `d ln bandwidth_share / d ln factor` of each.
    #[must_use]
    #[inline]
    pub const fn bandwidth_sensitivities(&self) -> [(FactorId, f64); 2] {
        [
            (FactorId::CoreShare, self.core_share_sensitivity),
            (FactorId::Interconnect, self.rates.halvings),
        ]
    }

    /// Variance of the logarithm of the bandwidth itself. What was measured on the device holds for its bandwidth as well, whatever its
    /// file says of it.
    pub(super) fn bandwidth_variance(&self) -> f64 {
        if self.rates.guessed_bandwidth && self.calibration.file.origin == Origin::Class {
            GUESSED_BANDWIDTH_SIGMA * GUESSED_BANDWIDTH_SIGMA
        } else {
            0.0
        }
    }

    /// Whether it is a CPU.
    #[must_use]
    #[inline]
    pub fn on_cpu(&self) -> bool {
        self.rates.on_cpu()
    }

    /// Clock in the power mode over the full one.
    #[must_use]
    #[inline]
    pub const fn clock_ratio(&self) -> f64 {
        self.rates.clock_ratio
    }

    /// Nominal bandwidth in the power mode over that in none.
    #[must_use]
    #[inline]
    pub const fn bandwidth_ratio(&self) -> f64 {
        self.rates.bandwidth_ratio
    }

    /// Standard deviation of the logarithm of what repacking would gain a prompt; none where nothing that could be repacked is left as
    /// the file has it.
    #[must_use]
    pub fn repacking_error(&self) -> Option<f64> {
        self.unrepacked.map(|unrepacked| unrepacked.error())
    }

    /// How many times as fast it would multiply a prompt by matrices of a block type that it repacked; none where it repacks what it can.
    #[inline]
    pub(super) fn lost_gain(&self, phase: Phase, block_type: BlockType) -> Option<f64> {
        let unrepacked = self.unrepacked.filter(|_| phase == Phase::Prefill)?;
        Some(unrepacked.gain(block_type))
    }

    /// Whether memory lies in more than one domain.
    #[must_use]
    pub fn halves_memory(&self) -> bool {
        self.rates.halvings > 0.0
    }

    /// What multiplies weights of a block type in a phase.
    ///
    /// A CPU turns activations into 8-bit blocks and takes integer dot products for every quantised type. A GPU does so in
    /// prefill where its kernels use integer matrix units; its matrix-vector kernels of the decode phase are bound by how fast the
    /// cores unpack the blocks.
    #[must_use]
    #[inline]
    pub fn unit(&self, phase: Phase, block_type: BlockType) -> Unit {
        let on_cpu = self.rates.on_cpu();
        if !on_cpu && phase == Phase::Decode {
            return Unit::Cores;
        }
        Unit::Peak(match block_type {
            BlockType::F32 => Arithmetic::Fp32,
            BlockType::F16 if on_cpu && !self.rates.fp16_multiplies => Arithmetic::Fp32,
            BlockType::BF16 if on_cpu && !self.rates.bf16_multiplies => Arithmetic::Fp32,
            BlockType::F16 => Arithmetic::Fp16,
            BlockType::BF16 => Arithmetic::Bf16,
            _ if matches!(self.rates.kind, BackendKind::Cpu | BackendKind::Cuda) => Arithmetic::Int8,
            _ => Arithmetic::Fp16,
        })
    }

    /// The term of streaming `bytes`.
    #[inline]
    pub(super) fn stream(&self, kind: TermKind, bytes: f64) -> Term {
        Term {
            kind,
            factor: FactorId::Memory,
            amount: bytes,
            rate: self.bandwidth * self.bandwidth_share,
            seconds: bytes * self.s_per_byte,
        }
    }

    /// The term of `flops` at a utilization of what a unit could do.
    #[inline]
    pub(super) fn compute(&self, kind: TermKind, factor: FactorId, unit: Unit, flops: f64) -> Term {
        let full = match unit {
            Unit::Peak(arithmetic) => self.rates.peaks[arithmetic as usize],
            Unit::Cores => self.rates.core_operations,
        };
        let rate = full * self.core_ratio;
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
        let unit = if !self.rates.on_cpu() && phase == Phase::Decode {
            Unit::Cores
        } else {
            Unit::Peak(Arithmetic::Fp16)
        };
        self.compute(TermKind::Attend, FactorId::Attention(phase), unit, flops)
    }

    /// The term of so many operations.
    #[inline]
    pub(super) fn operations(&self, phase: Phase, count: f64) -> Term {
        let factor = FactorId::Operation(phase);
        self.fixed(TermKind::Operations, factor, count, self.operation_scale)
    }

    /// The term of a pass.
    #[inline]
    pub(super) fn pass(&self, phase: Phase) -> Term {
        self.fixed(TermKind::Pass, FactorId::Pass(phase), 1.0, self.pass_scale)
    }

    /// The term of `count` times a fixed cost, `scale` times what it is stated to be.
    #[inline]
    fn fixed(&self, kind: TermKind, factor: FactorId, count: f64, scale: f64) -> Term {
        Term {
            kind,
            factor,
            amount: count,
            rate: scale.recip(),
            seconds: count * scale * self.calibration.factor(factor),
        }
    }
}
