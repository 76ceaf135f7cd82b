//! llama.cpp in this process, on a model of a few hundred kilobytes: what is done, not how fast.

use edgeprof::calibrate::Phase;
use edgeprof::calibrate::measure::{InProcess, MeasureError, Run, Stop, Test};
use edgeprof::calibrate::plan::Shape;
use edgeprof::calibrate::synthetic;
use edgeprof::device::BackendKind;
use edgeprof::quant::{CacheType, Mix};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn tiny(folder: &Path, mix: Mix) -> PathBuf {
    let model = Shape::operations(2).model().unwrap();
    let path = folder.join(format!("{}.gguf", mix.name()));
    let options = synthetic::Options {
        mix: Some(mix),
        ..synthetic::Options::default()
    };
    let types = mix.block_types(&model);
    synthetic::write(&model, &types, &path, options, &mut |_, _| ControlFlow::Continue(())).unwrap();
    path
}

fn test(phase: Phase, tokens: u64, depth: u64, threads: u64) -> Test {
    Test {
        phase,
        tokens,
        depth,
        threads,
    }
}

#[test]
fn every_test_of_a_run_is_timed_at_its_depth_and_threads() {
    let folder = tempfile::tempdir().unwrap();
    let engine = InProcess::start_unchecked(BackendKind::Cpu).unwrap();
    let tests = vec![
        test(Phase::Prefill, 16, 0, 1),
        test(Phase::Decode, 4, 0, 2),
        test(Phase::Decode, 4, 40, 1),
        test(Phase::Prefill, 600, 40, 2),
    ];
    for mix in [Mix::Q8_0, Mix::Q4_0, Mix::F16] {
        let mut told = Vec::new();
        let run = Run::new(tiny(folder.path(), mix), tests.clone());
        let measured = engine
            .run(&run, &Stop::new(), &mut |timing| told.push(timing.test))
            .unwrap();
        assert_eq!(told, tests, "{mix:?}");
        for timing in &measured.timings {
            let rate = timing.tokens_per_s();
            assert!(
                rate.is_finite() && rate > 0.0 && timing.low <= timing.high,
                "{timing:?}"
            );
            assert!(timing.samples >= 3);
        }
        assert!(measured.load_s.is_some_and(|seconds| seconds > 0.0));
        assert!(measured.first_token_s.is_some_and(|seconds| seconds > 0.0));
        assert!(measured.build.contains("ggml"), "{}", measured.build);
    }
}

#[test]
fn a_quantised_cache_with_flash_attention_runs() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run {
        key_type: CacheType::Q8_0,
        value_type: CacheType::Q8_0,
        flash_attention: Some(true),
        ..Run::new(tiny(folder.path(), Mix::Q8_0), vec![test(Phase::Decode, 2, 8, 1)])
    };
    let engine = InProcess::start_unchecked(BackendKind::Cpu).unwrap();
    assert_eq!(engine.run(&run, &Stop::new(), &mut |_| {}).unwrap().timings.len(), 1);
}

#[test]
fn no_model_and_an_interrupt_are_errors_that_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = InProcess::start_unchecked(BackendKind::Cpu).unwrap();
    let path = folder.path().join("none.gguf");
    std::fs::write(&path, "not a model").unwrap();
    let error = engine
        .run(&Run::new(path, Vec::new()), &Stop::new(), &mut |_| {})
        .unwrap_err();
    assert!(matches!(error, MeasureError::Load { .. }), "{error}");
    let stop = Stop::new();
    stop.raise();
    let run = Run::new(tiny(folder.path(), Mix::Q8_0), vec![test(Phase::Decode, 2, 0, 1)]);
    assert!(matches!(
        engine.run(&run, &stop, &mut |_| {}),
        Err(MeasureError::Interrupted)
    ));
}

/// On whichever GPU the build can use and finds here, which on most machines is none.
#[test]
fn a_gpu_is_measured_and_copied_to_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    for backend in BackendKind::ALL.into_iter().filter(|kind| *kind != BackendKind::Cpu) {
        let engine = match InProcess::start_unchecked(backend) {
            Ok(engine) => engine,
            Err(error) => {
                assert!(
                    matches!(error, MeasureError::NoGpu { backend: asked } if asked == backend),
                    "{error}"
                );
                continue;
            }
        };
        let gpu = engine.gpu().unwrap();
        assert!(engine.build().ends_with(&format!(" on {gpu}")), "{}", engine.build());
        if backend != BackendKind::Metal {
            let rate = gpu.copy_rate(1 << 20, 2).unwrap();
            assert!(rate.is_finite() && rate > 0.0, "{rate}");
        }
        assert_eq!(gpu.copy_rate(0, 1), None);
        let run = Run {
            gpu_layers: Some(99),
            ..Run::new(
                tiny(folder.path(), Mix::Q8_0),
                vec![test(Phase::Prefill, 16, 0, 1), test(Phase::Decode, 2, 8, 1)],
            )
        };
        assert_eq!(engine.run(&run, &Stop::new(), &mut |_| {}).unwrap().timings.len(), 2);
    }
}
