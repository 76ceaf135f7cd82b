//! The closed forms of EdgeProfiler (arXiv 2506.09061), equation by equation, for reproduction and comparison.
//!
//! Symbols: `L` layers, `H` hidden size, `I` feed-forward size, `V` vocabulary, `S` sequence length, `B` bytes per element.

use crate::device::{Arithmetic, Backend, Device, PaperConstants, Sourced};
use crate::model::PaperShape;
use crate::units::ByteRate;

/// The rates and constants of a device that the equations take, base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperDevice {
    /// Peak FLOPs per second.
    pub peak_flops: f64,
    /// Memory bandwidth, bytes per second.
    pub memory_bandwidth: f64,
    /// Storage read rate; no term without it.
    pub storage_bandwidth: Option<f64>,
    /// Host-to-device copy rate; no term without it.
    pub host_to_device_bandwidth: Option<f64>,
    /// Network rate; no term without it.
    pub network_bandwidth: Option<f64>,
    /// `U_compute`.
    pub compute_utilization: f64,
    /// `U_memory`.
    pub memory_utilization: f64,
    /// `U_storage`.
    pub storage_utilization: f64,
    /// `U_h2d`.
    pub host_to_device_utilization: f64,
    /// `U_net`.
    pub network_utilization: f64,
    /// `e_flop`, joules.
    pub energy_per_flop: f64,
    /// `e_byte`, joules.
    pub energy_per_byte: f64,
}

impl PaperDevice {
    /// The rates of a device's backend with these constants. The paper knows one peak, whatever the precision: the 32-bit one, or
    /// the widest that is stated. None if none is.
    #[must_use]
    pub fn of(device: &Device, backend: &Backend, constants: &PaperConstants) -> Option<Self> {
        let peak = [Arithmetic::Fp32, Arithmetic::Fp16, Arithmetic::Bf16, Arithmetic::Int8]
            .iter()
            .find_map(|arithmetic| backend.peaks.get(arithmetic))?;
        let rate = |rate: &Option<Sourced<ByteRate>>| rate.as_ref().map(|rate| rate.value.get());
        Some(Self {
            peak_flops: peak.value.get(),
            memory_bandwidth: backend.memory.as_ref().unwrap_or(&device.memory).bandwidth.value.get(),
            storage_bandwidth: rate(&device.storage_bandwidth),
            host_to_device_bandwidth: rate(&backend.host_to_device),
            network_bandwidth: rate(&device.network_bandwidth),
            compute_utilization: constants.compute_utilization,
            memory_utilization: constants.memory_utilization,
            storage_utilization: constants.storage_utilization,
            host_to_device_utilization: constants.host_to_device_utilization,
            network_utilization: constants.network_utilization,
            energy_per_flop: constants.energy_per_flop.get(),
            energy_per_byte: constants.energy_per_byte.get(),
        })
    }
}

/// What the equations give.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PaperPrediction {
    /// Equation 7.
    pub parameters: u64,
    /// Equation 8.
    pub flops_per_token: f64,
    /// First term of equation 9.
    pub weight_bytes: f64,
    /// Second term of equation 9.
    pub activation_bytes: f64,
    /// Third term of equation 9.
    pub kv_cache_bytes: f64,
    /// Equation 9.
    pub memory_bytes: f64,
    /// FLOPs over memory bytes.
    pub arithmetic_intensity: f64,
    /// Equation 10.
    pub compute_s: f64,
    /// Equation 11.
    pub memory_s: f64,
    /// Equation 12.
    pub io_s: Option<f64>,
    /// Equation 13.
    pub h2d_s: Option<f64>,
    /// Equation 14.
    pub network_s: Option<f64>,
    /// `max(compute, memory) + io + h2d + network`.
    pub end_to_end_s: f64,
    /// Equation 15.
    pub energy_j_per_token: f64,
}

/// Equation 7, `P = L·4H² + L·2HI + 2VH`.
#[must_use]
pub const fn parameters(shape: &PaperShape) -> u64 {
    let &PaperShape {
        layers: l,
        hidden_size: h,
        feed_forward_size: i,
        vocabulary_size: v,
    } = shape;
    l * 4 * h * h + l * 2 * h * i + 2 * v * h
}

/// Equation 8, `F = L·(6H² + 4HS + 4HI + 4IH + 9H)`.
#[must_use]
pub fn flops_per_token(shape: &PaperShape, sequence_length: u64) -> f64 {
    let [l, h, i] = [shape.layers, shape.hidden_size, shape.feed_forward_size].map(|size| size as f64);
    let s = sequence_length as f64;
    l * (6.0 * h * h + 4.0 * h * s + 4.0 * h * i + 4.0 * i * h + 9.0 * h)
}

/// Equations 7 to 15 for one model shape, device, sequence length `S` and bytes per element `B`.
#[must_use]
pub fn predict(
    shape: &PaperShape,
    device: &PaperDevice,
    sequence_length: u64,
    bytes_per_element: f64,
) -> PaperPrediction {
    let parameters = parameters(shape);
    let flops = flops_per_token(shape, sequence_length);
    let [l, h, s] = [shape.layers, shape.hidden_size, sequence_length].map(|size| size as f64);
    let b = bytes_per_element;
    let weight_bytes = parameters as f64 * b;
    let activation_bytes = s * h * b;
    let kv_cache_bytes = 2.0 * l * s * h * b;
    let memory_bytes = weight_bytes + activation_bytes + kv_cache_bytes;
    let compute_s = flops / (device.peak_flops * device.compute_utilization);
    let memory_s = memory_bytes / (device.memory_bandwidth * device.memory_utilization);
    let over = |bytes: f64, rate: Option<f64>, utilization: f64| rate.map(|rate| bytes / (rate * utilization));
    let io_s = over(weight_bytes, device.storage_bandwidth, device.storage_utilization);
    let h2d_s = over(
        weight_bytes,
        device.host_to_device_bandwidth,
        device.host_to_device_utilization,
    );
    let network_s = over(activation_bytes, device.network_bandwidth, device.network_utilization);
    let transfers = [io_s, h2d_s, network_s].into_iter().flatten().sum::<f64>();
    PaperPrediction {
        parameters,
        flops_per_token: flops,
        weight_bytes,
        activation_bytes,
        kv_cache_bytes,
        memory_bytes,
        arithmetic_intensity: flops / memory_bytes,
        compute_s,
        memory_s,
        io_s,
        h2d_s,
        network_s,
        end_to_end_s: compute_s.max(memory_s) + transfers,
        energy_j_per_token: flops * device.energy_per_flop + memory_bytes * device.energy_per_byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINYLLAMA: PaperShape = PaperShape {
        layers: 24,
        hidden_size: 2048,
        feed_forward_size: 8192,
        vocabulary_size: 50257,
    };
    const PI4: PaperDevice = PaperDevice {
        peak_flops: 50e9,
        memory_bandwidth: 19e9,
        storage_bandwidth: Some(0.5e9),
        host_to_device_bandwidth: Some(12e9),
        network_bandwidth: Some(0.1e9),
        compute_utilization: 0.7,
        memory_utilization: 0.6,
        storage_utilization: 0.8,
        host_to_device_utilization: 0.7,
        network_utilization: 0.8,
        energy_per_flop: 1e-12,
        energy_per_byte: 1e-9,
    };

    #[test]
    fn equations_7_and_8_by_hand() {
        // 24·4·2048² + 24·2·2048·8192 + 2·50257·2048 = 402 653 184 + 805 306 368 + 205 852 672
        assert_eq!(parameters(&TINYLLAMA), 1_413_812_224);
        // 24·(6·2048² + 4·2048·1024 + 8·2048·8192 + 9·2048)
        assert_eq!(flops_per_token(&TINYLLAMA, 1024), 4_026_974_208.0);
    }

    #[test]
    fn the_figures_that_the_paper_quotes_for_a_pi_4() {
        let fp32 = predict(&TINYLLAMA, &PI4, 1024, 4.0);
        assert!((fp32.end_to_end_s - 15.448).abs() < 5e-4, "{}", fp32.end_to_end_s);
        let int8 = predict(&TINYLLAMA, &PI4, 1024, 1.0);
        assert!((int8.end_to_end_s - 3.862).abs() < 5e-4, "{}", int8.end_to_end_s);
        assert!((int8.io_s.unwrap_or_default() - 3.534).abs() < 1e-3);
        assert!((int8.memory_s - 0.133).abs() < 5e-4);
        assert!((int8.compute_s - 0.115).abs() < 5e-4);
    }
}
