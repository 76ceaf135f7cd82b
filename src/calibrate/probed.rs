//! Probed rates as numbers of the device that was probed.

use super::collect::Machine;
use super::probe::Probes;
use crate::device::{BackendKind, Device, Evidence, Source, Sourced};
use crate::units::ByteRate;

/// Key of the probes in [`Device::sources`]: a file that has it was written by edgeprof.
pub const SOURCE: &str = "edgeprof-probe";
/// Key of the bandwidth that follows from them.
const BANDWIDTH: &str = "edgeprof-probe-bandwidth";

/// Puts probed rates into a device: storage, what one core draws from memory, and the memory's bandwidth where that was a guess.
///
/// The law takes the nominal bandwidth, of which devices of the class stream the share `class_share`. A guess of it is replaced by
/// the one of which that share is the measured read rate, `read_bandwidth / class_share`; what a data sheet states is left alone.
pub fn take(device: &mut Device, machine: &Machine, probes: &Probes, class_share: f64, date: &str) {
    let when = format!("{} ({}), {date}", machine.name, machine.system);
    let sourced = |rate: f64, source: &str| Sourced {
        value: ByteRate(rate.round()),
        source: source.to_owned(),
    };
    let measured = |text: String| Source {
        evidence: Evidence::Measured,
        text,
    };
    device.sources.insert(
        SOURCE.to_owned(),
        measured(format!("`edgeprof calibrate --probe` on {when}")),
    );
    if let Some(storage) = probes.storage.as_ref().filter(|storage| storage.uncached) {
        device.storage_bandwidth = Some(sourced(storage.bytes_per_s, SOURCE));
    }
    if let Some(cpu) = device.backends.get_mut(&BackendKind::Cpu) {
        cpu.core_bandwidth = Some(sourced(probes.core_read_bandwidth, SOURCE));
    }
    let guessed = device
        .sources
        .get(&device.memory.bandwidth.source)
        .is_some_and(|source| matches!(source.evidence, Evidence::Estimated | Evidence::Assumed));
    if guessed && probes.read_bandwidth > 0.0 && class_share > 0.0 {
        device.memory.bandwidth = sourced(probes.read_bandwidth / class_share, BANDWIDTH);
        device.sources.insert(
            BANDWIDTH.to_owned(),
            measured(format!(
                "{:.2} GB/s read by {} threads of {when}, over the share {class_share:.3} that devices of its class stream",
                probes.read_bandwidth / 1e9,
                probes.threads
            )),
        );
    }
    device.prune_sources();
}
