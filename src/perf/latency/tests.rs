//! The closed forms against numbers worked by hand.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::calibration::{Calibration, FactorId};
use crate::device::Device;
use crate::perf::sums::{FormatSums, ModelSums};
use crate::quant::BlockType;
use crate::scenario::Workload;

const DEVICE: &str = include_str!("../../../tests/it/data/hardware/test-board.toml");
const CALIBRATION: &str = include_str!("../../../tests/it/data/calibration/test-board-cpu.toml");

/// A model of 1e9 weights in 0.5e9 bytes of Q4_K, 1 % of experts in use if `expert_share` says so, without attention.
fn sums(expert_share: f64) -> ModelSums {
    let catalog = crate::catalog::Catalog::builtin();
    let mut sums = ModelSums::of(&catalog.model("tinyllama").unwrap(), "q4_k_m".parse().unwrap()).unwrap();
    let (dense, expert) = if expert_share < 1.0 { (0.0, 1.0) } else { (1.0, 0.0) };
    sums.decoder.formats = vec![FormatSums {
        block_type: BlockType::Q4_K,
        dense_bytes: 0.5e9 * dense,
        dense_weights: 1e9 * dense,
        expert_bytes: 0.5e9 * expert,
        expert_weights: 1e9 * expert,
    }];
    sums.decoder.other_bytes = 0.0;
    sums.head.formats.clear();
    sums.head.other_bytes = 0.0;
    sums.attention.clear();
    sums.decoder_activation_bytes = 0.0;
    sums.decoder_operations = 100.0;
    sums.expert_share = expert_share;
    sums
}

fn terms(sums: &ModelSums, mode: &str, work: Workload) -> (Terms, Terms) {
    let device = device();
    let calibration = Calibration::parse("test", CALIBRATION).unwrap();
    let scenario = Scenario::new(sums, &device, None, "q4_k_m".parse().unwrap(), Some(mode), work).unwrap();
    let machine = Machine::new(&scenario, &calibration);
    (
        super::terms(Phase::Prefill, &scenario, &machine),
        super::terms(Phase::Decode, &scenario, &machine),
    )
}

fn summed(phase: Phase, scenario: &Scenario<'_>, machine: &Machine<'_>) -> Summary {
    summary(phase, scenario, machine, &prepare(phase, scenario, machine))
}

fn device() -> Device {
    Device::parse("test-board", DEVICE).unwrap()
}

fn close(value: f64, by_hand: f64) {
    assert!((value / by_hand - 1.0).abs() < 1e-9, "{value} is not {by_hand}");
}

/// Share of the bandwidth that 4 threads draw which each draw 0.55: `(1 + 2.2⁻⁴)^(-1/4)`, 2.2⁴ = 23.4256.
const FOUR_THREADS: f64 = 0.989_603_837_292_894;

#[test]
fn each_halving_of_the_memory_costs_what_crosses() {
    let sums = sums(1.0);
    let text = CALIBRATION.replace(
        "core-share =",
        "interconnect = { value = 0.8, error = 0.1 }\ncore-share =",
    );
    let calibration = Calibration::parse("test", &text).unwrap();
    let streamed = |domains: u64| {
        let stated = format!(
            "bandwidth = {{ value = \"20 GB/s\", source = \"made-up\" }}\ndomains = {{ value = {domains}, source = \"made-up\" }}"
        );
        let stated = DEVICE.replacen("bandwidth = { value = \"20 GB/s\", source = \"made-up\" }", &stated, 1);
        let device = Device::parse("test-board", &stated).unwrap();
        let work = Workload::default();
        let scenario = Scenario::new(&sums, &device, None, "q4_k_m".parse().unwrap(), None, work).unwrap();
        let machine = Machine::new(&scenario, &calibration);
        let summary = summed(Phase::Decode, &scenario, &machine);
        let errors = errors(Phase::Decode, &scenario, &machine);
        (summary.totals.memory_s(), errors.variance(&summary.derivatives))
    };
    let (one, two, four) = (streamed(1), streamed(2), streamed(4));
    close(two.0, one.0 / 0.8);
    close(four.0, one.0 / 0.64);
    assert!(one.1 < two.1 && two.1 < four.1, "{one:?} {two:?} {four:?}");
}

#[test]
fn a_guessed_bandwidth_is_as_uncertain_as_a_guess_until_something_was_measured_there() {
    let sums = sums(1.0);
    let of_bandwidth = |source: &str| format!("bandwidth = {{ value = \"20 GB/s\", source = \"{source}\" }}");
    let guessed = DEVICE.replacen(&of_bandwidth("made-up"), &of_bandwidth("guess"), 1);
    assert_ne!(guessed, DEVICE);
    let of_class = CALIBRATION.replace("origin = \"device\"", "origin = \"class\"");
    let variance = |device: &str, calibration: &str| {
        let device = Device::parse("test-board", device).unwrap();
        let calibration = Calibration::parse("test", calibration).unwrap();
        let work = Workload::default();
        let scenario = Scenario::new(&sums, &device, None, "q4_k_m".parse().unwrap(), None, work).unwrap();
        let machine = Machine::new(&scenario, &calibration);
        let summary = summed(Phase::Decode, &scenario, &machine);
        let errors = errors(Phase::Decode, &scenario, &machine);
        (errors.variance(&summary.derivatives), summary.derivatives.common[0])
    };
    let (known, streaming) = variance(DEVICE, &of_class);
    let (unknown, _) = variance(&guessed, &of_class);
    close(unknown - known, (0.4 * streaming).powi(2));
    assert_eq!(variance(DEVICE, CALIBRATION), variance(&guessed, CALIBRATION));
}

#[test]
fn a_token_sees_what_the_window_leaves() {
    // 1, 2, 3, 4
    assert_eq!(mean_visible(f64::INFINITY, 0.0, 4.0), 2.5);
    // 101 .. 104
    assert_eq!(mean_visible(f64::INFINITY, 100.0, 4.0), 102.5);
    // 1, 2, 3, 3
    assert_eq!(mean_visible(3.0, 0.0, 4.0), 2.25);
    // 9, 10, 10, 10
    assert_eq!(mean_visible(10.0, 8.0, 4.0), 9.75);
    // long past the window
    assert_eq!(mean_visible(10.0, 1000.0, 4.0), 10.0);
    assert_eq!(mean_visible(10.0, 5.0, 0.0), 0.0);
}

#[test]
fn a_cache_that_threads_split_costs_whole_blocks() {
    // 1, 2, 3, 4: one block is shared out by heads
    assert_eq!(mean_in_blocks(None, 0.0, 4.0), 2.5);
    // 256, 512, 512
    close(mean_in_blocks(None, 255.0, 3.0), 1280.0 / 3.0);
    // 256 times 768, then 1024
    close(mean_in_blocks(None, 512.0, 257.0), (256.0 * 768.0 + 1024.0) / 257.0);
    // 511, 512, 513 see 512, 512 and, where there are no more, 512
    close(mean_in_blocks(Some(512), 510.0, 3.0), 512.0);
    assert_eq!(mean_in_blocks(Some(512), 5000.0, 7.0), 512.0);
    // Step by step
    let cells = |context: f64| {
        if context <= 256.0 {
            context
        } else {
            (context / 256.0).ceil() * 256.0
        }
    };
    let steps: f64 = (1..=3000).map(|step| cells(100.0 + f64::from(step))).sum();
    close(mean_in_blocks(None, 100.0, 3000.0), steps / 3000.0);

    let catalog = crate::catalog::Catalog::builtin();
    let sums = ModelSums::of(&catalog.model("tinyllama").unwrap(), "q4_k_m".parse().unwrap()).unwrap();
    let split = Calibration::parse("test", &format!("splits_cache = true\n{CALIBRATION}")).unwrap();
    let heads = Calibration::parse("test", CALIBRATION).unwrap();
    let device = device();
    let attention = |calibration: &Calibration, threads, sequences, key_type| {
        let work = Workload {
            prompt: 0,
            generate: 1,
            depth: 256,
            threads: Some(threads),
            sequences,
            key_type,
            ..Workload::default()
        };
        let scenario = Scenario::new(&sums, &device, None, "q4_k_m".parse().unwrap(), None, work).unwrap();
        let summary = summed(Phase::Decode, &scenario, &Machine::new(&scenario, calibration));
        summary.totals.attention.arithmetic_s
    };
    use crate::quant::CacheType::{F16, Q8_0};
    // The 257th position of 2 threads begins another block of 256.
    close(
        attention(&split, 2, 1, F16),
        attention(&heads, 2, 1, F16) * 512.0 / 257.0,
    );
    // One thread, several sequences, a quantised cache: as ever.
    for (threads, sequences, key_type) in [(1, 1, F16), (2, 2, F16), (2, 1, Q8_0)] {
        assert_eq!(
            attention(&split, threads, sequences, key_type),
            attention(&heads, threads, sequences, key_type)
        );
    }
}

#[test]
fn a_decoded_token_reads_and_multiplies_every_weight_once() {
    let (_, decode) = terms(&sums(1.0), "fast", Workload::default());
    let totals = decode.totals();
    // 0.5e9 B / (20e9 B/s · 0.72 · g)
    close(totals.memory_s(), 0.5e9 / (20e9 * 0.72 * FOUR_THREADS));
    // 2e9 FLOP / (400e9 FLOP/s · 0.18)
    close(totals.compute_s(), 0.027_777_777_777_8);
    // 100 operations of 2 µs and a pass of 100 µs
    close(totals.overhead_s, 300e-6);
    assert_eq!((totals.flops, totals.bytes), (2e9, 0.5e9));
    // half of each hides behind the other where they are alike: √(M² + C²) + fixed
    let expected = totals.memory_s().hypot(totals.compute_s()) + 300e-6;
    close(decode.seconds(), expected);
    close(decode.contributions().map(|(_, seconds)| seconds).sum(), expected);
}

#[test]
fn streaming_and_arithmetic_overlap_in_part() {
    let kernels = |stream_s, arithmetic_s| Kernels { stream_s, arithmetic_s };
    close(kernels(3.0, 4.0).at_once(), 5.0);
    close(kernels(3.0, 4.0).in_turn(), 7.0);
    // never less than the longer of the two, never more than their sum
    close(kernels(3.0, 0.0).at_once(), 3.0);
    let totals = Totals {
        matrices: kernels(3.0, 4.0),
        activations_s: 2.0,
        ..Totals::default()
    };
    // 3 · 3/5 and 4 · 4/5, and activations as they are
    let visible = totals.visible(Overlap::Weights);
    close(visible.matrices.stream_s, 1.8);
    close(visible.matrices.arithmetic_s, 3.2);
    close(visible.activations_s, 2.0);
    // 3 + 2 read behind 12: 5 · 5/13, of which three fifths are weights, and 12 · 12/13
    let decoded = Totals {
        matrices: kernels(3.0, 12.0),
        ..totals
    };
    let visible = decoded.visible(Overlap::Both);
    close(visible.matrices.stream_s, 15.0 / 13.0);
    close(visible.activations_s, 10.0 / 13.0);
    close(visible.matrices.arithmetic_s, 144.0 / 13.0);
}

#[test]
fn what_hides_depends_on_phase_and_machine() {
    let kernels = |stream_s, arithmetic_s| Kernels { stream_s, arithmetic_s };
    let totals = Totals {
        matrices: kernels(3.0, 4.0),
        attention: kernels(12.0, 5.0),
        activations_s: 0.5,
        overhead_s: 1.0,
        ..Totals::default()
    };
    let seconds = |overlap| totals.overlapping(overlap).seconds();
    // √(3.5² + 4²) + 13 + 1, where all in one root would be √(15.5² + 9²) + 1
    close(seconds(Overlap::Both), 28.25_f64.sqrt() + 14.0);
    // 5 + 0.5 + 17 + 1
    close(seconds(Overlap::Weights), 23.5);
    close(seconds(Overlap::None), 25.5);
    for overlap in [Overlap::Both, Overlap::Weights, Overlap::None] {
        let visible = totals.visible(overlap);
        close(visible.compute_s() + visible.memory_s() + 1.0, seconds(overlap));
    }
}

#[test]
fn a_prompt_streams_the_weights_once_a_micro_batch() {
    let work = Workload {
        prompt: 1000,
        ..Workload::default()
    };
    let (prefill, _) = terms(&sums(1.0), "fast", work);
    let totals = prefill.totals();
    // two passes of 500 tokens
    assert_eq!(totals.bytes, 1e9);
    // 2 · 1000 · 1e9 FLOP / (400e9 FLOP/s · 0.2)
    close(totals.compute_s(), 25.0);
}

#[test]
fn without_repacking_a_prompt_is_slower_and_a_token_is_not() {
    let work = Workload {
        prompt: 1000,
        repack: false,
        ..Workload::default()
    };
    let (prefill, decode) = terms(&sums(1.0), "fast", work);
    // the 25 s of the same prompt times what pairs of runs in Q4_K differ by
    close(prefill.totals().compute_s(), 25.0 * 1.97);
    assert_eq!(prefill.totals().bytes, 1e9);
    let repacked = Workload { repack: true, ..work };
    assert_eq!(decode, terms(&sums(1.0), "fast", repacked).1);
}

#[test]
fn half_the_clock_halves_the_arithmetic_and_two_threads_again() {
    let work = Workload {
        threads: Some(2),
        ..Workload::default()
    };
    let (_, decode) = terms(&sums(1.0), "slow", work);
    let totals = decode.totals();
    close(totals.compute_s(), 4.0 * 0.027_777_777_777_8);
    close(totals.overhead_s, 600e-6);
    // 1.1⁴ = 1.4641; (1 + 1/1.4641)^(-1/4) = 0.877_956_...
    close(
        totals.memory_s(),
        0.5e9 / (20e9 * 0.72 * (1.0_f64 + 1.0 / 1.4641).powf(-0.25)),
    );
}

#[test]
fn an_operation_takes_cycles_and_a_pass_time() {
    let device = Device::parse("test-board", &DEVICE.replace("\"2 GHz\"", "\"4 GHz\"")).unwrap();
    let calibration = Calibration::parse("test", CALIBRATION).unwrap();
    let sums = sums(1.0);
    let precision = "q4_k_m".parse().unwrap();
    let overhead = |mode: &str| {
        let scenario = Scenario::new(&sums, &device, None, precision, Some(mode), Workload::default()).unwrap();
        let summary = summed(Phase::Decode, &scenario, &Machine::new(&scenario, &calibration));
        summary.totals.overhead_s
    };
    // 100 operations of 2 µs at 2 GHz, in half the time at 4, and a pass of 100 µs
    close(overhead("fast"), 200e-6);
    // at 1 GHz 400 µs, and a pass four times as long as at the full clock
    close(overhead("slow"), 800e-6);
}

#[test]
fn a_mixture_reads_the_experts_that_its_tokens_touch() {
    let sums = sums(0.25);
    let one = terms(&sums, "fast", Workload::default()).1.totals();
    assert_eq!((one.flops, one.bytes), (0.5e9, 0.125e9));
    let work = Workload {
        sequences: 2,
        ..Workload::default()
    };
    // 1 - 0.75² = 0.4375 of them
    let two = terms(&sums, "fast", work).1.totals();
    assert_eq!((two.flops, two.bytes), (1e9, 0.218_75e9));
}

/// What the summary spells out is the quadratic form `sᵀ C s` over the contributions of the terms, in both phases, deep and in domains.
#[test]
fn the_variance_of_a_summary_is_that_of_its_terms() {
    let catalog = crate::catalog::Catalog::builtin();
    let calibration = catalog.calibration("pi5-cpu").unwrap();
    let model = catalog.model("llama-3.2-1b").unwrap();
    let (device, precision) = (catalog.device("pi5").unwrap(), "q4_k_m".parse().unwrap());
    let sums = ModelSums::of(&model, precision).unwrap();
    let work = Workload {
        prompt: 300,
        depth: 5000,
        threads: Some(2),
        ..Workload::default()
    };
    let scenario = Scenario::new(&sums, &device, None, precision, None, work).unwrap();
    let machine = Machine::new(&scenario, &calibration);
    for phase in [Phase::Prefill, Phase::Decode] {
        let (terms, summary) = (
            super::terms(phase, &scenario, &machine),
            summed(phase, &scenario, &machine),
        );
        close(summary.totals.seconds(), terms.seconds());
        let mut sensitivities = [0.0; FactorId::COUNT];
        for (term, seconds) in terms.contributions() {
            sensitivities[term.factor.index()] += term.factor.sign() * seconds;
            if term.factor == FactorId::Memory {
                for (factor, of_it) in machine.bandwidth_sensitivities() {
                    sensitivities[factor.index()] -= of_it * seconds;
                }
            }
        }
        let mut variance = 0.0;
        for (a, of_a) in sensitivities.iter().enumerate() {
            for (b, of_b) in sensitivities.iter().enumerate() {
                variance += of_a * of_b * calibration.covariances().all[a][b];
            }
        }
        assert!(variance > 0.0);
        close(
            errors(phase, &scenario, &machine).variance(&summary.derivatives),
            variance,
        );
    }
}
