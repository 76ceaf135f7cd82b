//! What must hold of every prediction, whatever the model, the device and the work.

use edgeprof::calibration::Calibration;
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::device::{BackendKind, Device};
use edgeprof::perf::sums::ModelSums;
use edgeprof::perf::{Interval, Prediction, predict, predict_in_ample_memory, predict_split};
use edgeprof::quant::Precision;
use edgeprof::scenario::{MOST_TOKENS, Scenario, Workload};
use edgeprof::units::{ByteRate, Bytes, FlopRate};
use proptest::prelude::*;

const MODELS: [&str; 7] = [
    "tinyllama",
    "qwen2.5-0.5b",
    "gemma-2-2b",
    "mixtral-8x7b",
    "bert-base",
    "t5-small",
    "lfm2-1.2b",
];
const DEVICES: [&str; 5] = ["pi5", "pi4", "orin-nano-super", "a100-40gb", "rtx-4090"];
const PRECISIONS: [&str; 5] = ["q4_0", "q4_k_m", "q6_k", "q8_0", "f16"];

fn work() -> impl Strategy<Value = Workload> {
    (0_u64..3000, 0_u64..300, 0_u64..3000, 1_u64..5, 1_u64..9, 0_u32..12).prop_map(
        |(prompt, generate, depth, sequences, threads, ubatch)| Workload {
            prompt,
            generate,
            depth,
            sequences,
            threads: Some(threads),
            ubatch: 1 << ubatch,
            ..Workload::default()
        },
    )
}

/// Predicts `work` on a device's own backend with the calibration that the catalogue has for it, whether it fits or not, and hands on
/// the prediction.
fn ask<T>(
    sums: &ModelSums,
    device: &Device,
    calibration: &Calibration,
    work: Workload,
    take: impl Fn(&Prediction<'_>) -> T,
) -> T {
    let scenario = Scenario::new(sums, device, None, "q4_0".parse().unwrap(), None, work).unwrap();
    take(&predict_in_ample_memory(&scenario, calibration))
}

fn seconds(prediction: &Prediction<'_>) -> f64 {
    prediction.prefill_s.unwrap_or(0.0) + prediction.decode_s_per_token.unwrap_or(0.0)
}

fn sums_of(catalog: &Catalog, model: &str, precision: &str) -> ModelSums {
    ModelSums::of(&catalog.model(model).unwrap(), precision.parse::<Precision>().unwrap()).unwrap()
}

fn check_figures<'a>(scenario: &Scenario<'a>, p: &Prediction<'a>) -> Result<(), TestCaseError> {
    let figures = [
        Some(p.flops_per_token),
        Some(p.bytes_per_token),
        Some(p.memory_bytes),
        p.end_to_end_s,
        p.prefill_s,
        p.prefill_tokens_per_s,
        p.ttft_s,
        p.decode_s_per_token,
        p.decode_tokens_per_s,
        p.compute_s,
        p.memory_s,
        p.overhead_s,
        p.io_s,
        p.h2d_s,
        p.repack_s,
        p.network_s,
        p.energy_j_per_token,
        p.prefill_energy_j_per_token,
        p.decode_energy_j_per_token,
    ];
    for figure in figures.into_iter().flatten() {
        prop_assert!(figure.is_finite() && figure >= 0.0, "{figure} in {p:?}");
    }
    let holds = |interval: Option<Interval>, figure: Option<f64>| match (interval, figure) {
        (Some([low, high]), Some(figure)) => low <= figure && figure <= high,
        (interval, figure) => interval.is_none() && figure.is_none(),
    };
    let intervals = p.intervals(scenario);
    prop_assert!(holds(intervals.decode_tokens_per_s, p.decode_tokens_per_s));
    prop_assert!(holds(intervals.prefill_tokens_per_s, p.prefill_tokens_per_s));
    prop_assert!(holds(intervals.memory_bytes, Some(p.memory_bytes)));
    prop_assert!(holds(intervals.decode_energy_j_per_token, p.decode_energy_j_per_token));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn predictions_are_sane_and_follow_the_hardware(
        model in 0..MODELS.len(), device in 0..DEVICES.len(), precision in 0..PRECISIONS.len(), work in work(),
    ) {
        let catalog = Catalog::builtin();
        let sums = sums_of(&catalog, MODELS[model], PRECISIONS[precision]);
        let device = catalog.device(DEVICES[device]).unwrap();
        let calibration = catalog.calibration_for(&device, device.default_backend, &Choice::Best).unwrap();
        let scenario = Scenario::new(&sums, &device, None, "q4_0".parse().unwrap(), None, work).unwrap();
        check_figures(&scenario, &predict_in_ample_memory(&scenario, &calibration))?;
        let before = ask(&sums, &device, &calibration, work, seconds);

        // Twice the bandwidth, twice the peaks: never slower.
        let mut faster = Device::clone(&device);
        let twice = |rate: &mut ByteRate| *rate = ByteRate(2.0 * rate.get());
        let kind = faster.default_backend;
        twice(&mut faster.memory.bandwidth.value);
        let backend = faster.backends.get_mut(&kind).unwrap();
        if let Some(memory) = &mut backend.memory {
            twice(&mut memory.bandwidth.value);
        }
        for peak in backend.peaks.values_mut() {
            peak.value = FlopRate(2.0 * peak.value.get());
        }
        let after = ask(&sums, &faster, &calibration, work, seconds);
        prop_assert!(after <= before);

        // Twice the memory: what fitted still fits.
        let mut larger = Device::clone(&device);
        larger.memory.usable.value = Bytes(2.0 * larger.memory.usable.value.get());
        let fits = |device: &Device| ask(&sums, device, &calibration, work, |p| p.fits);
        prop_assert!(!fits(&device) || fits(&larger));

        // Deeper, longer: never faster.
        let deeper = Workload { depth: work.depth + 500, ..work };
        prop_assert!(ask(&sums, &device, &calibration, deeper, seconds) >= before * (1.0 - 1e-12));
        let longer = Workload { prompt: work.prompt + 100, ..work };
        let prefill = |work| ask(&sums, &device, &calibration, work, |p| p.prefill_s.unwrap_or(0.0));
        prop_assert!(prefill(longer) >= prefill(work));
    }

    #[test]
    fn what_fits_has_a_speed_and_what_does_not_has_none(
        model in 0..MODELS.len(), device in 0..DEVICES.len(), precision in 0..PRECISIONS.len(), work in work(), backend in any::<bool>(),
    ) {
        let catalog = Catalog::builtin();
        let sums = sums_of(&catalog, MODELS[model], PRECISIONS[precision]);
        let device = catalog.device(DEVICES[device]).unwrap();
        let kind = if backend { BackendKind::Cpu } else { device.default_backend };
        prop_assume!(device.backends.contains_key(&kind));
        let calibration = catalog.calibration_for(&device, kind, &Choice::Best).unwrap();
        let scenario = Scenario::new(&sums, &device, Some(kind), Precision::Int4, None, work).unwrap();
        let (told, ample) = (predict(&scenario, &calibration), predict_in_ample_memory(&scenario, &calibration));
        if told.fits {
            prop_assert_eq!(told, ample);
            return Ok(());
        }
        let speeds = [
            told.compute_s, told.memory_s, told.overhead_s, told.h2d_s, told.repack_s, told.end_to_end_s, told.prefill_s,
            told.prefill_tokens_per_s, told.ttft_s, told.decode_s_per_token, told.decode_tokens_per_s, told.energy_j_per_token,
            told.prefill_energy_j_per_token, told.decode_energy_j_per_token,
        ];
        prop_assert_eq!(speeds, [None; 14]);
        prop_assert_eq!((told.memory_bytes, told.io_s, told.intervals(&scenario).memory_bytes), (ample.memory_bytes, ample.io_s, ample.intervals(&scenario).memory_bytes));
        // No longer than reading all of the weights again, and only where pages can be read again.
        if let Some(wait) = told.paging_s_per_token {
            prop_assert!(kind == BackendKind::Cpu && wait > 0.0 && wait <= told.io_s.unwrap() * (1.0 + 1e-12));
        }
    }

    #[test]
    fn the_more_layers_on_the_gpu_the_faster(layers in 0_u64..22, generate in 1_u64..100) {
        let catalog = Catalog::builtin();
        let sums = sums_of(&catalog, "tinyllama", "q4_k_m");
        // A CPU of plain peaks beside a GPU that is faster in everything.
        let device = catalog.device("orin-nano-super").unwrap();
        let kind = device.default_backend;
        let calibration = |kind| catalog.calibration_for(&device, kind, &Choice::Class).unwrap();
        let (gpu, cpu) = (calibration(kind), calibration(BackendKind::Cpu));
        let step = |kind, gpu_layers| {
            let work = Workload { prompt: 0, generate, gpu_layers, ..Workload::default() };
            let scenario = Scenario::new(&sums, &device, Some(kind), Precision::Int4, None, work).unwrap();
            let prediction = if kind == BackendKind::Cpu { predict(&scenario, &cpu) } else { predict_split(&scenario, &gpu, &cpu) };
            prediction.decode_s_per_token.unwrap()
        };
        let (none, all) = (step(BackendKind::Cpu, None), step(kind, None));
        prop_assert!((step(kind, Some(0)) / none - 1.0).abs() < 1e-12, "without layers on it the GPU has no part");
        prop_assert_eq!(step(kind, Some(99)), all);
        let (fewer, more) = (step(kind, Some(layers + 1)), step(kind, Some(layers + 2)));
        prop_assert!((more - fewer) * (all - none) >= 0.0, "{none} .. {fewer}, {more} .. {all}");
    }
}

#[test]
fn fewer_bits_are_never_more_bytes() {
    let catalog = Catalog::builtin();
    for model in MODELS {
        let bytes = ["q4_0", "q8_0", "f16", "f32"].map(|precision| sums_of(&catalog, model, precision).weight_bytes);
        assert!(bytes.is_sorted(), "{model}: {bytes:?}");
    }
}

#[test]
fn extreme_work_is_answered() {
    let catalog = Catalog::builtin();
    for model in MODELS {
        let sums = sums_of(&catalog, model, "q4_0");
        let device = catalog.device("pi5").unwrap();
        let calibration = catalog
            .calibration_for(&device, device.default_backend, &Choice::Best)
            .unwrap();
        for (prompt, generate, depth) in [(MOST_TOKENS, 0, 0), (0, MOST_TOKENS, 0), (1, 1, MOST_TOKENS), (0, 0, 0)] {
            let work = Workload {
                prompt,
                generate,
                depth,
                batch: 1,
                ubatch: 1,
                ..Workload::default()
            };
            ask(&sums, &device, &calibration, work, |p| {
                assert!(p.end_to_end_s.is_some_and(f64::is_finite) && p.memory_bytes.is_finite());
            });
        }
    }
}
