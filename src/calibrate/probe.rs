//! What the machine's memory, cores and storage do by themselves, in seconds of time: the terms that need no model.

use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Barrier;
use std::time::Instant;

/// How much is probed.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeOptions {
    /// Threads of the many-threaded probes, as a rule the cores.
    pub threads: u64,
    /// The last-level cache, bytes: the arrays are four times as large, so that they come from memory.
    pub last_level_cache: u64,
    /// Most memory that the arrays may take, bytes.
    pub memory: u64,
    /// Bytes of the file that storage is read with.
    pub file_bytes: u64,
    /// Times that each probe is repeated; the best counts, as in STREAM, since everything else that runs only slows it down.
    pub repeats: u32,
}

/// A rate and how it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StorageRate {
    /// Bytes per second of one sequential read.
    pub bytes_per_s: f64,
    /// Whether the page cache was told to forget the file first. Where it was not, the rate may be that of memory.
    pub uncached: bool,
}

/// The machine's own rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probes {
    /// Threads of the rates that are not those of one core.
    pub threads: u64,
    /// Read rate of all threads, bytes per second: what streams weights.
    pub read_bandwidth: f64,
    /// Read rate of one thread, bytes per second.
    pub core_read_bandwidth: f64,
    /// STREAM triad `a = b + s·c` of all threads, 24 bytes an element as STREAM counts (a write's own read is not counted).
    pub triad_bandwidth: f64,
    /// The same of one thread.
    pub core_triad_bandwidth: f64,
    /// Storage; none if no file could be written.
    pub storage: Option<StorageRate>,
    /// Rate at which that file was written and synchronised, bytes per second.
    pub write_rate: Option<f64>,
    /// Bytes that the arrays of all threads took together.
    pub array_bytes: u64,
    /// Clock of the slowest of those threads while all of them run, Hz.
    #[serde(default)]
    pub clock: f64,
    /// Rate at which llama.cpp copies weights from memory to the GPU that is calibrated, bytes per second; none if it does not.
    #[serde(default)]
    pub host_to_device: Option<f64>,
}

/// Probes memory, and storage in `folder`; what only llama.cpp can tell is left open.
///
/// Takes a second or two: every array is read `repeats` times.
#[must_use]
pub fn probe(options: &ProbeOptions, folder: &Path) -> Probes {
    let threads = options.threads.max(1);
    let array_bytes = (4 * options.last_level_cache)
        .clamp(64 << 20, 1 << 30)
        .min(options.memory.max(1 << 16));
    let storage = storage(&folder.join("probe-storage.bin"), options.file_bytes);
    Probes {
        threads,
        read_bandwidth: read_rate(threads, array_bytes, options.repeats),
        core_read_bandwidth: read_rate(1, array_bytes, options.repeats),
        triad_bandwidth: triad_rate(threads, array_bytes, options.repeats),
        core_triad_bandwidth: triad_rate(1, array_bytes, options.repeats),
        storage: storage.as_ref().map(|(_, read)| read.clone()),
        write_rate: storage.map(|(write, _)| write),
        array_bytes,
        clock: clock(threads, options.repeats),
        host_to_device: None,
    }
}

/// Runs `work` on every thread at once, each on its own `state`, `repeats` times over; the seconds from the first start to the last
/// end of the quickest time.
fn quickest<S>(threads: u64, repeats: u32, state: impl Fn() -> S + Sync, work: impl Fn(&mut S) + Sync) -> f64 {
    let barrier = Barrier::new(threads as usize);
    let spans: Vec<Vec<(Instant, Instant)>> = std::thread::scope(|scope| {
        let run = || {
            let mut state = state();
            let mut spans = Vec::new();
            for _ in 0..repeats.max(1) {
                barrier.wait();
                let start = Instant::now();
                work(&mut state);
                spans.push((start, Instant::now()));
            }
            spans
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
    });
    (0..repeats.max(1) as usize)
        .filter_map(|repeat| {
            let first = spans.iter().map(|spans| spans[repeat].0).min()?;
            let last = spans.iter().map(|spans| spans[repeat].1).max()?;
            Some((last - first).as_secs_f64().max(1e-9))
        })
        .fold(f64::INFINITY, f64::min)
}

/// Bytes per second at which `threads` together sum `bytes` of memory, each its own part.
fn read_rate(threads: u64, bytes: u64, repeats: u32) -> f64 {
    let words = (bytes / 8 / threads).max(64) as usize;
    let seconds = quickest(
        threads,
        repeats,
        || vec![1u64; words],
        |words| {
            // The plainest of loops: whatever the vectors, compilers know it. (Sixteen sums side by side ran at a tenth of the
            // memory's rate on Zen 5, as gathers.)
            black_box(
                black_box(&*words)
                    .iter()
                    .fold(0u64, |sum, &word| sum.wrapping_add(word)),
            );
        },
    );
    threads as f64 * words as f64 * 8.0 / seconds
}

/// Bytes per second of the triad `a = b + s·c` over three arrays of `bytes` together, 24 bytes an element.
fn triad_rate(threads: u64, bytes: u64, repeats: u32) -> f64 {
    let elements = (bytes / 24 / threads).max(64) as usize;
    let seconds = quickest(
        threads,
        repeats,
        // Not zero: the kernel would only give those pages when they are first written, inside the measured time.
        || (vec![0.5; elements], vec![1.0; elements], vec![2.0; elements]),
        |(a, b, c)| {
            let s = black_box(3.0);
            for ((a, b), c) in a.iter_mut().zip(b.iter()).zip(c.iter()) {
                *a = *b + s * *c;
            }
            black_box(a);
        },
    );
    threads as f64 * elements as f64 * 24.0 / seconds
}

/// Clock of the slowest of `threads`, Hz: steps of a chain in which each waits for the one before, an addition and an exclusive or,
/// which take a cycle each on every core.
fn clock(threads: u64, repeats: u32) -> f64 {
    const STEPS: u32 = 4_000_000;
    // Some milliseconds each: the first are over before the clock has risen.
    let seconds = quickest(
        threads,
        8 * repeats,
        || (1u64, 0x9e37_79b9_7f4a_7c15, 0x2545_f491_4f6c_dd1d),
        |state| {
            // Numbers that the compiler and the core's renaming cannot know.
            let (start, addend, mask) = black_box(*state);
            state.0 = (0..STEPS).fold(start, |x, _| x.wrapping_add(addend) ^ mask);
        },
    );
    2.0 * f64::from(STEPS) / seconds
}

/// Writes a file, makes the page cache forget it, reads it, removes it: (write rate, read rate). None where files cannot be written.
fn storage(path: &Path, bytes: u64) -> Option<(f64, StorageRate)> {
    let result = written(path, bytes).and_then(|write| Ok((write, read_back(path)?)));
    // The file is no one's: whatever happened, it goes.
    let _ = std::fs::remove_file(path);
    result.ok()
}

fn written(path: &Path, bytes: u64) -> std::io::Result<f64> {
    // Bytes that do not compress, from a linear congruential generator.
    let mut state = 1u64;
    let block: Vec<u8> = (0..1 << 20)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    let start = Instant::now();
    let mut file = std::fs::File::create(path)?;
    let mut left = bytes.max(1);
    while left > 0 {
        let length = left.min(block.len() as u64);
        file.write_all(&block[..length as usize])?;
        left -= length;
    }
    file.sync_all()?;
    Ok(bytes.max(1) as f64 / start.elapsed().as_secs_f64().max(1e-9))
}

fn read_back(path: &Path) -> std::io::Result<StorageRate> {
    let mut file = std::fs::File::open(path)?;
    let uncached = forget(&file);
    let mut buffer = vec![0u8; 4 << 20];
    let mut bytes = 0u64;
    let start = Instant::now();
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        black_box(&buffer);
    }
    Ok(StorageRate {
        bytes_per_s: bytes as f64 / start.elapsed().as_secs_f64().max(1e-9),
        uncached,
    })
}

/// Asks the kernel to drop the file's pages from its cache; whether it was asked.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn forget(file: &std::fs::File) -> bool {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn forget(_file: &std::fs::File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes so small that the test takes no time; the rates then mean nothing but must still be rates.
    #[test]
    fn every_probe_gives_a_finite_rate_and_leaves_no_file() {
        let folder = std::env::temp_dir().join(format!("edgeprof-probe-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let options = ProbeOptions {
            threads: 2,
            last_level_cache: 1,
            memory: 1 << 20,
            file_bytes: 3 << 20,
            repeats: 1,
        };
        let probes = probe(&options, &folder);
        for rate in [
            probes.read_bandwidth,
            probes.core_read_bandwidth,
            probes.triad_bandwidth,
            probes.core_triad_bandwidth,
            probes.clock,
            probes.write_rate.unwrap_or(0.0),
            probes.storage.as_ref().map_or(0.0, |storage| storage.bytes_per_s),
        ] {
            assert!(rate.is_finite() && rate > 0.0, "{probes:?}");
        }
        assert_eq!(probes.array_bytes, 1 << 20);
        assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 0);
        std::fs::remove_dir(&folder).expect("the folder is empty");
    }

    #[test]
    fn a_folder_that_cannot_be_written_only_leaves_storage_out() {
        let options = ProbeOptions {
            threads: 1,
            last_level_cache: 1,
            memory: 1 << 16,
            file_bytes: 1,
            repeats: 1,
        };
        assert_eq!(probe(&options, Path::new("/nonexistent")).storage, None);
    }
}
