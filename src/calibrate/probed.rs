//! Probed rates as numbers of the device that was probed.

use super::collect::Machine;
use super::measurement::{Measurement, Phase};
use super::probe::Probes;
use crate::device::{BackendKind, Device, Evidence, Source, Sourced};
use crate::units::{ByteRate, Hertz};

/// Key of the probes in [`Device::sources`]: a file that has it was written by edgeprof.
pub const SOURCE: &str = "edgeprof-probe";
/// Key of the bandwidth that follows from them.
const BANDWIDTH: &str = "edgeprof-probe-bandwidth";

/// Puts probed rates into a device: storage, what one core draws from memory, and the clock and the memory's bandwidth where those
/// were guesses.
///
/// A guest is told a nominal clock, above which its cores run as a rule: of that and the probed one the higher holds, and peaks that
/// were worked out from the lower rise with it.
///
/// The law takes the nominal bandwidth, of which devices of the class stream the share `class_share`. A guess of it is replaced by
/// the one of which that share is the measured rate, `max(read_bandwidth, streamed) / class_share`, where `streamed` is the highest
/// rate at which decoding read weights; what a data sheet states is left alone.
///
/// A copy rate goes to `backend` if that has memory of its own: elsewhere the law knows no copy.
pub fn take(
    device: &mut Device,
    backend: BackendKind,
    machine: &Machine,
    probes: &Probes,
    streamed: f64,
    class_share: f64,
    date: &str,
) {
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
        let guessed = |source: &str| device.sources.get(source).is_some_and(Source::is_guess);
        let nominal = cpu.clock.as_ref().filter(|clock| guessed(&clock.source));
        if let Some(faster) = nominal
            .map(|clock| probes.clock / clock.value.get())
            .filter(|&faster| faster > 1.0)
        {
            for peak in cpu.peaks.values_mut().filter(|peak| guessed(&peak.source)) {
                peak.value.0 *= faster;
            }
            cpu.clock = Some(Sourced {
                value: Hertz(probes.clock.round()),
                source: SOURCE.to_owned(),
            });
        }
    }
    let card = device
        .backends
        .get_mut(&backend)
        .filter(|_| backend != BackendKind::Cpu);
    if let (Some(card), Some(rate)) = (card, probes.host_to_device) {
        card.host_to_device = Some(sourced(rate, SOURCE));
    }
    let guessed = device
        .sources
        .get(&device.memory.bandwidth.source)
        .is_some_and(Source::is_guess);
    let rate = probes.read_bandwidth.max(streamed);
    if guessed && rate > 0.0 && class_share > 0.0 {
        device.memory.bandwidth = sourced(rate / class_share, BANDWIDTH);
        device.sources.insert(
            BANDWIDTH.to_owned(),
            measured(format!(
                "{:.2} GB/s read by {} threads of {when}, over the share {class_share:.3} that devices of its class stream",
                rate / 1e9,
                probes.threads
            )),
        );
        // What was assumed no longer is.
        let assumed = |sentence: &&str| !sentence.contains("until `edgeprof calibrate` measures it");
        device.note = device.note.as_ref().map(|note| {
            let sentences: Vec<&str> = note.split_inclusive(". ").filter(assumed).collect();
            sentences.concat().trim().to_owned()
        });
        device.note = device.note.take().filter(|note| !note.is_empty());
    }
    device.prune_sources();
}

/// The highest rate at which a decode of these rows read weights that no cache holds, bytes per second; none: zero.
#[must_use]
pub fn streamed(device: &Device, rows: &[Measurement]) -> f64 {
    let cache = device
        .backends
        .get(&BackendKind::Cpu)
        .and_then(|cpu| cpu.last_level_cache.as_ref())
        .map_or(0.0, |cache| cache.value.get());
    rows.iter()
        .filter(|row| row.backend == BackendKind::Cpu && row.phase == Phase::Decode)
        .filter_map(|row| Some((row.model_size?.get(), row.tokens_per_s)))
        .filter(|(bytes, _)| *bytes > 2.0 * cache)
        .map(|(bytes, tokens_per_s)| bytes * tokens_per_s)
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_guess_gives_way_to_what_was_probed_and_a_data_sheet_does_not() {
        let probes = Probes {
            threads: 4,
            read_bandwidth: 12e9,
            core_read_bandwidth: 7e9,
            triad_bandwidth: 9e9,
            core_triad_bandwidth: 6e9,
            storage: None,
            write_rate: None,
            array_bytes: 1 << 26,
            clock: 3e9,
            host_to_device: Some(5e9),
        };
        let mut device = Catalog::builtin().device("pi5").unwrap().value.clone();
        let stated = device.memory.bandwidth.clone();
        let machine = Machine::of(&device);
        let take = |device: &mut Device, backend, streamed| {
            take(device, backend, &machine, &probes, streamed, 0.75, "2026-01-01");
        };
        take(&mut device, BackendKind::Cpu, 0.0);
        assert_eq!(device.memory.bandwidth, stated);
        let source = stated.source;
        device.sources.get_mut(&source).unwrap().evidence = Evidence::Estimated;
        take(&mut device, BackendKind::Cpu, 0.0);
        assert_eq!(device.memory.bandwidth.value, ByteRate(16e9));
        device.sources.get_mut(BANDWIDTH).unwrap().evidence = Evidence::Estimated;
        take(&mut device, BackendKind::Cpu, 15e9);
        assert_eq!(device.memory.bandwidth.value, ByteRate(20e9));
        assert_eq!(
            device.backends[&BackendKind::Cpu]
                .core_bandwidth
                .as_ref()
                .unwrap()
                .value,
            ByteRate(7e9)
        );
        let text = device.to_toml().unwrap();
        assert_eq!(Device::parse("pi5", &text).unwrap(), device);
        assert_eq!(device.backends[&BackendKind::Cpu].host_to_device, None);
        // The data sheet's clock stays; a guess of it gives way to a higher one, and takes guessed peaks along.
        let cpu = device.backends[&BackendKind::Cpu].clone();
        let clock = cpu.clock.clone().unwrap();
        assert_ne!(clock.value, Hertz(3e9));
        for source in cpu.peaks.values().map(|peak| &peak.source).chain([&clock.source]) {
            device.sources.get_mut(source).unwrap().evidence = Evidence::Estimated;
        }
        take(&mut device, BackendKind::Cpu, 0.0);
        let faster = &device.backends[&BackendKind::Cpu];
        assert_eq!(faster.clock.as_ref().unwrap().value, Hertz(3e9));
        for (arithmetic, peak) in &faster.peaks {
            let ratio = peak.value.get() / cpu.peaks[arithmetic].value.get();
            assert!((ratio * clock.value.get() / 3e9 - 1.0).abs() < 1e-12, "{arithmetic:?}");
        }
        let mut card = Catalog::builtin().device("rtx-4090").unwrap().value.clone();
        take(&mut card, BackendKind::Cuda, 0.0);
        let copied = card.backends[&BackendKind::Cuda].host_to_device.clone().unwrap();
        assert_eq!((copied.value, copied.source.as_str()), (ByteRate(5e9), SOURCE));
        let text = card.to_toml().unwrap();
        assert_eq!(Device::parse("rtx-4090", &text).unwrap(), card);
    }
}
