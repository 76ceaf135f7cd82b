//! How many predictions a second a sweep makes: none of which is kept, into typed columns in memory, past a condition, onto a Pareto front, and as CSV and
//! Parquet written to nowhere.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::economy::Terms;
use edgeprof::output::{COLUMNS, Column};
use edgeprof::quant::Precision;
use edgeprof::sweep::{
    Asked, Batch, Filter, Goal, Intervals, Numbers, Pick, Rows, Run, Space, Text, TextFormat, Walk, front, in_order,
    write,
};
use std::error::Error;
use std::hint::black_box;
use std::io::sink;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;

/// What most sweeps ask: some models and devices, many workloads.
fn space() -> Result<Space, Box<dyn Error>> {
    let names = |names: &[&str]| Pick::Listed(names.iter().map(|&name| name.to_owned()).collect());
    let numbers = |text: &str| text.parse().map(|Numbers(numbers)| numbers);
    let precisions = ["q4_0", "q4_k_m", "q8_0"].map(str::parse::<Precision>);
    let asked = Asked {
        models: names(&["tinyllama", "llama-3.2-1b", "gemma-3-1b"]),
        precisions: Pick::Listed(precisions.into_iter().collect::<Result<_, _>>()?),
        hardware: names(&["pi4", "pi5", "orin-nano-super"]),
        backends: Pick::All,
        power_modes: Pick::All,
        caches: Pick::Own,
        gpu_layers: Pick::Own,
        threads: Pick::All,
        batch: vec![2048],
        ubatch: numbers("64..512*2")?,
        sequences: vec![1],
        context: Vec::new(),
        prompt: numbers("128..4096*2")?,
        generate: numbers("128,512")?,
        depth: numbers("0..8192+256")?,
        repack: true,
        terms: Terms::default(),
        calibration: Choice::Best,
    };
    Ok(Space::new(&Catalog::builtin(), &asked)?)
}

/// The columns that a table on a terminal has, and the axes.
const FEW: [&str; 14] = [
    "model",
    "hardware",
    "backend",
    "precision",
    "power_mode",
    "threads",
    "ubatch",
    "prompt",
    "generate",
    "depth",
    "memory_bytes",
    "fits",
    "decode_tokens_per_s",
    "decode_energy_j_per_token",
];

fn sweeps(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let space = space()?;
    let stop = AtomicBool::new(false);
    let run = Run {
        rows: Rows::Range(0..space.rows()),
        jobs: available_parallelism()?,
        stop: &stop,
        intervals: Intervals::None,
    };
    let with_intervals = Run {
        intervals: Intervals::Kept,
        ..run.clone()
    };
    let few: Vec<&'static Column> = FEW.iter().filter_map(|name| Column::named(name)).collect();
    let all: Vec<&'static Column> = COLUMNS.iter().collect();
    let condition: Filter = "fits && decode_tokens_per_s > 5.3 && memory_bytes < 4GiB".parse()?;
    let goals: Vec<Goal> = ["decode_tokens_per_s".parse()?, "decode_energy_j_per_token".parse()?].into();

    let mut group = criterion.benchmark_group("sweep");
    group.sample_size(10).throughput(Throughput::Elements(space.rows()));
    group.bench_function("predictions in memory", |bencher| {
        bencher.iter(|| {
            let worker = || {
                |walk: &mut Walk<'_>, part: &Rows<'_>| {
                    let mut fastest: f64 = 0.0;
                    walk.predictions(part, |row| {
                        fastest = fastest.max(row.prediction.decode_tokens_per_s.unwrap_or(0.0));
                        ControlFlow::Continue(())
                    })?;
                    Ok(fastest)
                }
            };
            let done = in_order(&space, &run, worker, |chunk| {
                black_box(chunk.made);
                Ok(())
            });
            black_box(done.is_ok())
        });
    });
    for (name, columns, run) in [
        ("14 typed columns in memory", &few, &run),
        ("all typed columns in memory", &all, &with_intervals),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let done = in_order(
                    &space,
                    run,
                    || {
                        |walk, part| {
                            let mut batch = Batch::new(columns, usize::try_from(part.len()).unwrap_or(0));
                            walk.each(part, |_, record| {
                                batch.push(record);
                                ControlFlow::Continue(())
                            })?;
                            Ok(batch)
                        }
                    },
                    |chunk| {
                        black_box(chunk.made.rows());
                        Ok(())
                    },
                );
                black_box(done.is_ok())
            });
        });
    }
    group.bench_function("Pareto front of two figures of what a condition keeps", |bencher| {
        bencher.iter(|| front(&space, &run, |record| condition.keeps(record), &goals, &mut |_| {}).is_ok());
    });
    group.bench_function("14 columns as CSV", |bencher| {
        let text = Text {
            format: TextFormat::Csv,
            columns: &few,
        };
        bencher.iter(|| write(&space, &run, &text, |_| true, &mut sink(), &mut |_| {}).is_ok());
    });
    #[cfg(feature = "tables")]
    for (name, columns, run) in [
        ("14 columns as Parquet", &few, &run),
        ("all columns as Parquet", &all, &with_intervals),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| edgeprof::table::write(&space, run, columns, None, sink(), &mut |_| {}).is_ok());
        });
    }
    group.finish();
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    if let Err(error) = sweeps(criterion) {
        panic!("{error}");
    }
}

criterion_group!(group, benches);
criterion_main!(group);
