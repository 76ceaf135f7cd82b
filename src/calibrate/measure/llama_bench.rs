//! An installed `llama-bench`, run on the same files: for builds without feature `llama`, for GPUs, and for whoever wants the numbers
//! of their own build.

use super::{MeasureError, Measured, Run, Stop, Test, Timing};
use crate::calibrate::Phase;
use crate::calibrate::plan::PREFILL_RUNS;
use crate::power::now_s;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The `llama-bench` on the PATH, if there is one.
#[must_use]
pub fn find() -> Option<PathBuf> {
    let name = format!("llama-bench{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(&name))
        .find(|program| program.is_file())
}

/// Times a run; see [`super::Engine::run`]. One invocation for every set of tests that `llama-bench` takes as a product of lists.
///
/// # Errors
/// [`MeasureError`] if the program cannot be run or fails, or the user interrupts.
pub fn run(
    program: &Path,
    run: &Run,
    stop: &Stop,
    finished: &mut dyn FnMut(&Timing),
) -> Result<Measured, MeasureError> {
    let mut measured = Measured::default();
    let products = if run.apart {
        run.tests.iter().map(|test| vec![*test]).collect()
    } else {
        products(&run.tests)
    };
    for product in products {
        stop.check()?;
        let from_s = now_s();
        let lines = invoke(program, run, &product, stop)?;
        // It loads and warms up first, and measures to its end.
        let to_s = now_s();
        for test in &product {
            let line = lines
                .iter()
                .find(|line| line.test() == Some(*test))
                .ok_or_else(|| MeasureError::NoResult {
                    program: program.to_owned(),
                    path: run.path.clone(),
                    test: *test,
                })?;
            measured.build = format!(
                "llama-bench {} ({}, {})",
                line.build_number, line.build_commit, line.backends
            );
            if let Some(timing) = Timing::from_seconds(*test, &line.seconds_per_token(test)) {
                let measured_s = timing.mean * timing.test.tokens as f64 * timing.samples as f64;
                let timing = Timing {
                    window: (product.len() == 1).then_some([from_s.max(to_s - measured_s), to_s]),
                    ..timing
                };
                finished(&timing);
                measured.timings.push(timing);
            }
        }
    }
    Ok(measured)
}

/// A line of `-o jsonl`: what is read of it.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    build_commit: String,
    #[serde(default)]
    build_number: u64,
    #[serde(default)]
    backends: String,
    n_threads: u64,
    n_prompt: u64,
    n_gen: u64,
    #[serde(default)]
    n_depth: u64,
    samples_ns: Vec<f64>,
}

impl Line {
    /// The test that it is of; none if it both reads and generates.
    fn test(&self) -> Option<Test> {
        let (phase, tokens) = match (self.n_prompt, self.n_gen) {
            (tokens, 0) => (Phase::Prefill, tokens),
            (0, tokens) => (Phase::Decode, tokens),
            _ => return None,
        };
        Some(Test {
            phase,
            tokens,
            depth: self.n_depth,
            threads: self.n_threads,
        })
    }

    fn seconds_per_token(&self, test: &Test) -> Vec<f64> {
        self.samples_ns
            .iter()
            .map(|ns| ns * 1e-9 / test.tokens as f64)
            .collect()
    }
}

/// Splits tests into sets that are products of lengths, and threads, of one phase and depth; in the order of their first tests.
fn products(tests: &[Test]) -> Vec<Vec<Test>> {
    let mut groups: Vec<Vec<Test>> = Vec::new();
    for test in tests {
        let like = |group: &&mut Vec<Test>| group[0].phase == test.phase && group[0].depth == test.depth;
        match groups.iter_mut().find(like) {
            Some(group) => group.push(*test),
            None => groups.push(vec![*test]),
        }
    }
    groups
        .into_iter()
        .flat_map(|group| {
            let lengths: BTreeSet<u64> = group.iter().map(|test| test.tokens).collect();
            let threads: BTreeSet<u64> = group.iter().map(|test| test.threads).collect();
            if lengths.len() * threads.len() == group.len() {
                return vec![group];
            }
            // Not a product: one set a length, which always is.
            let of_length = |length: &u64| group.iter().copied().filter(|test| test.tokens == *length).collect();
            lengths.iter().map(of_length).collect()
        })
        .collect()
}

fn arguments(run: &Run, product: &[Test]) -> Vec<String> {
    let list = |values: BTreeSet<u64>| values.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let lengths = list(product.iter().map(|test| test.tokens).collect());
    let (prompt, generate, repeats) = match product[0].phase {
        Phase::Prefill => (lengths, "0".to_owned(), PREFILL_RUNS),
        // A sample is a whole run here, not a token: fewer tokens and more runs would be all warm-up.
        Phase::Decode => ("0".to_owned(), lengths, PREFILL_RUNS),
    };
    let mut arguments: Vec<String> = [
        ("-p", prompt),
        ("-n", generate),
        ("-d", product[0].depth.to_string()),
        ("-t", list(product.iter().map(|test| test.threads).collect())),
        ("-r", repeats.to_string()),
        ("-b", run.batch.to_string()),
        ("-ub", run.ubatch.to_string()),
        ("-ctk", run.key_type.name().to_owned()),
        ("-ctv", run.value_type.name().to_owned()),
        ("-ngl", run.gpu_layers.unwrap_or(0).to_string()),
        ("-o", "jsonl".to_owned()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    if let Some(on) = run.flash_attention {
        arguments.extend(["-fa".to_owned(), u8::from(on).to_string()]);
    }
    arguments
}

/// Runs the program, and ends it when the user interrupts.
fn invoke(program: &Path, run: &Run, product: &[Test], stop: &Stop) -> Result<Vec<Line>, MeasureError> {
    let refused = |source| MeasureError::Program {
        program: program.to_owned(),
        source,
    };
    let mut child = Command::new(program)
        .arg("-m")
        .arg(&run.path)
        .args(arguments(run, product))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(refused)?;
    let drain = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What could be read of it is what there is.
            let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = drain(
        child
            .stdout
            .take()
            .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    );
    let err = drain(
        child
            .stderr
            .take()
            .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    );
    let status = loop {
        if let Some(status) = child.try_wait().map_err(refused)? {
            break status;
        }
        if stop.raised() {
            // It may have ended by itself, of the same Ctrl-C.
            let _ = child.kill();
            let _ = child.wait();
            return Err(MeasureError::Interrupted);
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    stop.check()?;
    if !status.success() {
        let tail: Vec<_> = err
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(3)
            .collect();
        let tail: Vec<_> = tail.into_iter().rev().collect();
        let message = if tail.is_empty() {
            status.to_string()
        } else {
            format!("{status}: {}", tail.join("; "))
        };
        return Err(MeasureError::Failed {
            program: program.to_owned(),
            path: run.path.clone(),
            message,
        });
    }
    Ok(out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn test(phase: Phase, tokens: u64, depth: u64, threads: u64) -> Test {
        Test {
            phase,
            tokens,
            depth,
            threads,
        }
    }

    #[test]
    fn tests_are_grouped_into_as_few_invocations_as_may_be() {
        let (pp, tg) = (Phase::Prefill, Phase::Decode);
        let tests = [
            test(pp, 512, 0, 2),
            test(pp, 512, 0, 1),
            test(tg, 32, 0, 2),
            test(tg, 32, 512, 2),
            test(pp, 128, 0, 2),
        ];
        let groups = products(&tests);
        let sizes: Vec<_> = groups.iter().map(Vec::len).collect();
        // pp512 on 1 and 2 threads and pp128 on 2 are no product: two invocations.
        assert_eq!(sizes, [1, 2, 1, 1]);
        assert_eq!(groups.concat().len(), tests.len());
    }

    #[test]
    fn the_arguments_are_those_of_llama_bench() {
        let run = Run {
            flash_attention: Some(true),
            gpu_layers: Some(99),
            ..Run::new("m.gguf".into(), Vec::new())
        };
        let arguments = arguments(
            &run,
            &[test(Phase::Decode, 32, 512, 1), test(Phase::Decode, 32, 512, 2)],
        )
        .join(" ");
        assert_eq!(
            arguments,
            "-p 0 -n 32 -d 512 -t 1,2 -r 3 -b 2048 -ub 512 -ctk f16 -ctv f16 -ngl 99 -o jsonl -fa 1"
        );
    }

    #[cfg(unix)]
    mod with_a_script {
        use super::*;
        use std::os::unix::fs::PermissionsExt;

        /// A program that answers as a real llama-bench (build 1, commit 0c1e570) did, shortened to the keys in question.
        fn script(folder: &Path, body: &str) -> PathBuf {
            let path = folder.join("llama-bench");
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        const LINE: &str = r#"{"build_commit": "0c1e570", "build_number": 1, "cpu_info": "x", "backends": "CPU", "n_threads": 2, "n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ns": 2000000000, "samples_ns": [ 1024000000, 1126400000, 9999000000 ], "samples_ts": [ 500.0, 454.5, 51.2 ]}"#;

        #[test]
        fn its_samples_become_a_median() {
            let folder = tempfile::tempdir().unwrap();
            let program = script(folder.path(), &format!("echo noise; echo '{LINE}'; echo more >&2"));
            let wanted = test(Phase::Prefill, 512, 0, 2);
            let mut told = Vec::new();
            let measured = super::super::run(
                &program,
                &Run::new("m.gguf".into(), vec![wanted]),
                &Stop::new(),
                &mut |timing| {
                    told.push(timing.test);
                },
            )
            .unwrap();
            assert_eq!(told, [wanted]);
            assert!((measured.timings[0].seconds_per_token - 0.0022).abs() < 1e-12);
            assert_eq!(measured.build, "llama-bench 1 (0c1e570, CPU)");
        }

        #[test]
        fn a_failure_a_missing_result_and_a_missing_program_are_told_apart() {
            let folder = tempfile::tempdir().unwrap();
            let run = Run::new("m.gguf".into(), vec![test(Phase::Decode, 8, 0, 1)]);
            let go = |program: &Path| super::super::run(program, &run, &Stop::new(), &mut |_| {}).unwrap_err();
            let failed = go(&script(folder.path(), "echo 'error: failed to load model' >&2; exit 1"));
            assert!(failed.to_string().contains("failed to load model"), "{failed}");
            let silent = go(&script(folder.path(), "exit 0"));
            assert!(matches!(silent, MeasureError::NoResult { .. }), "{silent}");
            assert!(matches!(go(&folder.path().join("none")), MeasureError::Program { .. }));
        }

        #[test]
        fn an_interrupt_ends_the_program() {
            let folder = tempfile::tempdir().unwrap();
            let program = script(folder.path(), "exec sleep 60");
            let stop = Stop::new();
            let run = Run::new("m.gguf".into(), vec![test(Phase::Decode, 8, 0, 1)]);
            let error = std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(100));
                    stop.raise();
                });
                super::super::run(&program, &run, &stop, &mut |_| {}).unwrap_err()
            });
            assert!(matches!(error, MeasureError::Interrupted));
        }
    }
}
