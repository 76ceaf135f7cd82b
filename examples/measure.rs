//! Times one model file with llama.cpp in this process, as `llama-bench` times it, and prints a line per test.
//!
//! `RUSTFLAGS="-C target-cpu=native" cargo run --release --features llama --example measure -- FILE.gguf [TEST ...]`, a test being
//! `pp512`, `tg32` or `tg32@512` (at a depth), followed by `/T` for T threads: `tg32@512/2`.

use edgeprof::calibrate::Phase;
use edgeprof::calibrate::measure::{InProcess, Run, Stop, Test};
use edgeprof::device::BackendKind;
use std::error::Error;

fn test(text: &str) -> Option<Test> {
    let (text, threads) = text.split_once('/').unwrap_or((text, "1"));
    let (text, depth) = text.split_once('@').unwrap_or((text, "0"));
    let (phase, tokens) = match text.split_at_checked(2)? {
        ("pp", tokens) => (Phase::Prefill, tokens),
        ("tg", tokens) => (Phase::Decode, tokens),
        _ => return None,
    };
    Some(Test {
        phase,
        tokens: tokens.parse().ok()?,
        depth: depth.parse().ok()?,
        threads: threads.parse().ok()?,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: measure FILE.gguf [pp512/1 tg32@512/2 ...]")?;
    let mut tests = arguments
        .map(|text| test(&text).ok_or(text))
        .collect::<Result<Vec<_>, _>>()?;
    if tests.is_empty() {
        tests.extend(["pp512", "tg32"].iter().filter_map(|text| test(text)));
    }
    let engine = InProcess::start(BackendKind::Cpu)?;
    eprintln!("{}", engine.build());
    let measured = engine.run(&Run::new(path.into(), tests), &Stop::new(), &mut |timing| {
        println!(
            "{:<28} {:>9.2} tokens/s, by the mean {:.2}  +-{:.1} % ({} samples)",
            timing.test.to_string(),
            timing.tokens_per_s(),
            1.0 / timing.mean,
            timing.half_width() * 100.0,
            timing.samples
        );
    })?;
    eprintln!(
        "load {:.3} s, first token {:.3} s",
        measured.load_s.unwrap_or(0.0),
        measured.first_token_s.unwrap_or(0.0)
    );
    Ok(())
}
