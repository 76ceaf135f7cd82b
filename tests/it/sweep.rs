//! `sweep`: ranges, selections, parts and formats against what is worked out the slow way from the plain CSV.

use crate::cli::{DATA, edgeprof, run};
use edgeprof::catalog::{Catalog, Choice};
use edgeprof::economy::Terms;
use edgeprof::output::COLUMNS;
use edgeprof::sweep::{Asked, CHUNK, Done, Intervals, Pick, Rows, Run, Space, Text, TextFormat, write};
use insta::assert_snapshot;
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A sweep of the made-up model and board.
fn arguments(more: &str) -> String {
    format!("sweep --data {DATA} --model test-model --hw test-board {more}")
}

fn sweep(more: &str) -> String {
    run(&arguments(more))
}

/// What such a sweep writes, which must succeed.
fn output(arguments: &str) -> Vec<u8> {
    let output = edgeprof().args(arguments.split_whitespace()).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Header and rows of a sweep.
fn csv(arguments: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let bytes = output(&format!("{arguments} --format csv"));
    let mut reader = csv::Reader::from_reader(&*bytes);
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    (header, rows.collect())
}

/// A few hundred rows that differ in everything.
const MANY: &str = "sweep --model tinyllama,gemma-3-1b --hw pi5,orin-nano-super --backend all --prec q4_0,f16 --power-mode all \
                    --threads 2,4 --kv-type f16,q8_0 --prompt 64..512*8 --generate 0,128 --depth 0..1024+1024";

fn number(header: &[String], row: &[String], column: &str) -> f64 {
    let at = header.iter().position(|name| name == column).unwrap();
    row[at].parse().unwrap_or(f64::NAN)
}

fn text<'a>(header: &[String], row: &'a [String], column: &str) -> &'a str {
    &row[header.iter().position(|name| name == column).unwrap()]
}

#[test]
fn a_terminal_shows_the_first_rows_under_the_names_of_the_columns() {
    assert_snapshot!(sweep("--prec q4_0,q8_0 --threads all --depth 0..1024+512 --rows 8"));
    assert_snapshot!(sweep(
        "--prec all --where fits --sort -weight_bytes --top 3 --format markdown"
    ));
    assert_snapshot!(sweep(
        "--prec all --pareto weight_bytes,decode_tokens_per_s --columns precision,weight_bytes,decode_tokens_per_s"
    ));
    assert_snapshot!(sweep(
        "--prec q4_0 --depth 0,512 --format jsonl --columns model,threads,gpu_layers,depth,fits,decode_tokens_per_s"
    ));
    assert_snapshot!(sweep("--where prompt>512"));
}

#[test]
fn what_cannot_be_asked_says_why() {
    assert_snapshot!(sweep("--threads 99"));
    assert_snapshot!(sweep("--backend cuda"));
    assert_snapshot!(sweep("--backend npu"));
    assert_snapshot!(sweep("--power-mode turbo"));
    assert_snapshot!(sweep("--gpu-layers 3"));
    assert_snapshot!(sweep("--prec stored"));
    assert_snapshot!(sweep("--prompt 128..8192"));
    assert_snapshot!(sweep("--prompt 4294967297"));
    assert_snapshot!(sweep("--batch 0"));
    assert_snapshot!(sweep("--context 512 --prompt 512..1024+512"));
    assert_snapshot!(sweep("--where decode_token_per_s>5"));
    assert_snapshot!(sweep("--sort decode_tokens"));
    assert_snapshot!(sweep("--pareto prompt,memory_bytes"));
    assert_snapshot!(sweep("--columns model,models"));
    assert_snapshot!(sweep("--top 3"));
    assert_snapshot!(sweep("--shard 4/3"));
    assert_snapshot!(sweep("--model nothing"));
}

#[test]
fn what_cannot_be_asked_with_all_is_left_out_and_counted() {
    assert_snapshot!(run(
        "sweep --model tinyllama --hw pi4,pi5,orin-nano-super --backend cpu,cuda --threads 1..6+1 --context 600,1200 --prompt 256,512 --rows 3 --columns hardware,backend,threads,context,prompt"
    ));
}

#[test]
fn a_row_is_what_predict_says() {
    let predict = "--model tinyllama,gemma-3-1b --prec q4_0,q8_0 --hw pi5,orin-nano-super --depth 1024 --price 0.2EUR/kWh --format csv";
    let predicted = output(&format!("predict {predict}"));
    let swept = output(&format!("sweep {predict}"));
    // Both name models first, then predict devices and sweep precisions.
    let sorted = |bytes: Vec<u8>| {
        let mut lines: Vec<String> = String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(swept), sorted(predicted));
}

#[test]
fn rows_are_in_the_order_of_the_axes() {
    let (header, rows) = csv(MANY);
    let axes = [
        "model",
        "precision",
        "hardware",
        "backend",
        "power_mode",
        "cache_type_k",
        "threads",
        "prompt",
        "generate",
        "depth",
    ];
    let mut seen: Vec<Vec<&str>> = Vec::new();
    for row in &rows {
        seen.push(axes.iter().map(|axis| text(&header, row, axis)).collect());
    }
    // Each axis is a run of equal values within the axes before it: no prefix comes back once it was left.
    for length in 1..=axes.len() {
        let mut prefixes: Vec<&[&str]> = seen.iter().map(|row| &row[..length]).collect();
        prefixes.dedup();
        let runs = prefixes.len();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), runs, "{}", axes[length - 1]);
    }
    assert_eq!(
        seen.iter().collect::<std::collections::BTreeSet<_>>().len(),
        rows.len(),
        "no row twice"
    );
    // On a CPU two numbers of threads, on a GPU one; the Orin in each of its modes, and each with 2 models, 2 precisions, 2 cache types,
    // 2 prompts, 2 generations and 2 depths.
    let cpu = rows.iter().filter(|row| text(&header, row, "backend") == "cpu").count();
    let orin = Catalog::builtin().device("orin-nano-super").unwrap();
    let (modes, gpus) = (orin.power_modes.len(), orin.backends.len() - 1);
    assert_eq!((cpu, rows.len() - cpu), (64 * 2 * (1 + modes), 64 * gpus * modes));
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let one = output(&format!("{MANY} --format csv --jobs 1"));
    assert_eq!(output(&format!("{MANY} --format csv --jobs 3")), one);
    let folder = tempfile::tempdir().unwrap();
    let file = |jobs: u8| {
        let path = folder.path().join(format!("{jobs}.jsonl"));
        output(&format!("{MANY} --jobs {jobs} -o {}", path.display()));
        std::fs::read(path).unwrap()
    };
    assert_eq!(file(1), file(3));
}

#[test]
fn parts_are_disjoint_and_together_the_whole() {
    let (_, whole) = csv(MANY);
    for parts in [1, 2, 7] {
        let mut together = Vec::new();
        for part in 1..=parts {
            together.extend(csv(&format!("{MANY} --shard {part}/{parts}")).1);
        }
        assert_eq!(together, whole, "{parts} parts");
    }
}

#[test]
fn a_folder_holds_the_whole_in_files_of_so_many_rows_that_parts_share() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let into = |more: &str| format!("{MANY} --format csv --rows-per-file 50 -o {}{more}", path.display());
    // Once it is there, it needs no slash to be known as a folder.
    for part in ["/ --shard 2/2", " --shard 1/2"] {
        output(&into(part));
    }
    let mut files: Vec<_> = std::fs::read_dir(&path)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut together = Vec::new();
    for file in &files {
        let mut reader = csv::Reader::from_path(file).unwrap();
        let rows = reader
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>());
        let before = together.len();
        together.extend(rows);
        assert!((1..=50).contains(&(together.len() - before)), "{}", file.display());
    }
    let (_, whole) = csv(MANY);
    assert!(whole.len() > 100);
    assert_eq!(together, whole);
    // A second sweep would mix with the first.
    let again = edgeprof().args(into("").split_whitespace()).output().unwrap();
    let stderr = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr.contains("is there already") && stderr.contains("hint: "),
        "{stderr}"
    );
}

/// They are worked out for who asks alone: as a column, in a condition, to sort by, as a goal.
#[test]
fn intervals_are_there_for_whoever_asks() {
    let low = "decode_tokens_per_s_low";
    let (header, whole) = csv(MANY);
    let lows: Vec<&str> = whole.iter().map(|row| text(&header, row, low)).collect();
    assert!(lows.iter().filter(|low| !low.is_empty()).count() > 50);
    let (_, alone) = csv(&format!("{MANY} --columns {low}"));
    assert_eq!(alone.concat(), lows);
    let above = |figure: &str, least: f64| whole.iter().filter(|row| number(&header, row, figure) > least).count();
    for figure in [low, "decode_tokens_per_s"] {
        let (_, kept) = csv(&format!("{MANY} --columns model --where {figure}>20"));
        assert_eq!(kept.len(), above(figure, 20.0), "{figure}");
    }
    assert!(above(low, 20.0) < above("decode_tokens_per_s", 20.0));
    let first = |choice: &str| {
        csv(&format!("{MANY} --columns {low} {choice}")).1[0][0]
            .parse::<f64>()
            .unwrap()
    };
    let best = lows.iter().filter_map(|low| low.parse().ok()).fold(0.0, f64::max);
    assert_eq!(first(&format!("--sort -{low} --top 1")), best);
    assert_eq!(first(&format!("--pareto {low}:max --sort -{low}")), best);
}

#[test]
fn kept_rows_are_those_of_which_the_condition_is_true() {
    let (header, rows) = csv(MANY);
    let kept = |row: &&Vec<String>| {
        number(&header, row, "decode_tokens_per_s") > 5.3
            && number(&header, row, "memory_bytes") < 2.0 * 1024_f64.powi(3)
            && (text(&header, row, "backend") == "cuda" || number(&header, row, "threads") == 4.0)
    };
    let expected: Vec<&Vec<String>> = rows.iter().filter(kept).collect();
    assert!(!expected.is_empty() && expected.len() < rows.len());
    let condition = "decode_tokens_per_s>5.3&&memory_bytes<2GiB&&(backend=='cuda'||threads==4)";
    assert_eq!(
        csv(&format!("{MANY} --where {condition}")).1.iter().collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn sorted_rows_are_in_order_and_the_first_are_the_top() {
    let (header, mut rows) = csv(MANY);
    let key = |row: &Vec<String>| {
        let rate = number(&header, row, "decode_tokens_per_s");
        (rate.is_nan(), -rate)
    };
    rows.sort_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or_else(|| key(a).0.cmp(&key(b).0)));
    assert_eq!(csv(&format!("{MANY} --sort -decode_tokens_per_s")).1, rows);
    assert_eq!(csv(&format!("{MANY} --sort -decode_tokens_per_s --top 7")).1, rows[..7]);
    rows.sort_by(|a, b| {
        text(&header, a, "power_mode")
            .is_empty()
            .cmp(&text(&header, b, "power_mode").is_empty())
            .then_with(|| text(&header, a, "power_mode").cmp(text(&header, b, "power_mode")))
    });
    let names = |rows: &[Vec<String>]| {
        rows.iter()
            .map(|row| text(&header, row, "power_mode").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&csv(&format!("{MANY} --sort power_mode")).1), names(&rows));
}

#[test]
fn the_front_is_what_no_row_is_better_than() {
    let (header, rows) = csv(MANY);
    let point = |row: &Vec<String>| {
        [
            -number(&header, row, "decode_tokens_per_s"),
            number(&header, row, "decode_energy_j_per_token"),
            -number(&header, row, "depth"),
        ]
    };
    let better = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| *a <= b) && a != b;
    let there: Vec<&Vec<String>> = rows
        .iter()
        .filter(|row| point(row).iter().all(|figure| !figure.is_nan()))
        .collect();
    let expected: Vec<Vec<String>> = there
        .iter()
        .filter(|row| !there.iter().any(|other| better(point(other), point(row))))
        .map(|row| (*row).clone())
        .collect();
    assert!(expected.len() > 1 && expected.len() < rows.len());
    let goals = "decode_tokens_per_s,decode_energy_j_per_token,depth:max";
    assert_eq!(csv(&format!("{MANY} --pareto {goals}")).1, expected);
}

#[test]
fn a_dry_run_counts_the_rows() {
    let rows = csv(MANY).1.len();
    let told = String::from_utf8(output(&format!("{MANY} --dry-run"))).unwrap();
    assert!(
        told.starts_with(&format!(
            "{} rows, about ",
            edgeprof::output::number::count(rows as f64)
        )),
        "{told}"
    );
}

/// A space of several chunks, and its rows as CSV with the columns of the axes and the rate.
/// Five chunks of rows: a thread is at most two ahead of the one that was taken.
fn long_space() -> Space {
    let asked = Asked {
        models: Pick::Listed(vec!["tinyllama".to_owned()]),
        precisions: Pick::Own,
        hardware: Pick::Listed(vec!["pi5".to_owned()]),
        backends: Pick::Own,
        power_modes: Pick::Own,
        caches: Pick::Own,
        gpu_layers: Pick::Own,
        threads: Pick::Own,
        batch: vec![2048],
        ubatch: vec![512],
        sequences: vec![1],
        context: Vec::new(),
        prompt: vec![512],
        generate: vec![128],
        depth: (0..5 * CHUNK).collect(),
        repack: true,
        terms: Terms::default(),
        calibration: Choice::Best,
    };
    Space::new(&Catalog::builtin(), &asked).unwrap()
}

#[test]
fn an_interrupted_sweep_leaves_what_was_done() {
    let space = long_space();
    let stop = AtomicBool::new(false);
    let run = Run {
        rows: Rows::Range(0..space.rows()),
        jobs: NonZeroUsize::MIN,
        stop: &stop,
        intervals: Intervals::Kept,
    };
    let columns: Vec<_> = COLUMNS
        .iter()
        .filter(|column| ["depth", "decode_tokens_per_s"].contains(&column.name))
        .collect();
    let text = Text {
        format: TextFormat::Csv,
        columns: &columns,
    };
    let mut bytes = Vec::new();
    let done = write(&space, &run, &text, |_| true, &mut bytes, &mut |_: &Done| {
        stop.store(true, Ordering::Relaxed)
    })
    .unwrap();
    assert!(done.end >= CHUNK && done.end < space.rows(), "{done:?}");
    let mut reader = csv::Reader::from_reader(&*bytes);
    let depths: Vec<u64> = reader.records().map(|row| row.unwrap()[0].parse().unwrap()).collect();
    assert_eq!(depths, (0..done.end).collect::<Vec<_>>());
    assert_eq!(done.kept, done.end);
}

/// What a long sweep left in `file` that got this signal once it was writing.
#[cfg(unix)]
fn interrupted(signal: &str, file: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    /// More bytes than stand before the first rows: names of columns, a table's mark.
    const HEAD: u64 = 64;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    let mut child = Command::new(env!("CARGO_BIN_EXE_edgeprof"))
        .args("sweep --model tinyllama --hw pi5 --depth 0..900000+1 --generate 1..1000+1 --columns depth,generate,ttft_s -o".split(' '))
        .arg(&path)
        .env("XDG_DATA_HOME", "/nonexistent")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Until it writes: its file is beside the final one.
    let writes = || {
        std::fs::read_dir(folder.path())
            .unwrap()
            .any(|entry| entry.unwrap().metadata().is_ok_and(|metadata| metadata.len() > HEAD))
    };
    while !writes() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its first rows");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("interrupted after") && told.contains("is complete up to there"),
        "{told}"
    );
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.iter().eq([&path]), "nothing is left beside it: {left:?}");
    (folder, path)
}

#[cfg(unix)]
#[test]
fn signals_end_a_sweep_with_a_whole_file() {
    // Ctrl-C, and what a scheduler sends when the time is over.
    for signal in ["-INT", "-TERM"] {
        let (_folder, path) = interrupted(signal, "long.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() > 1);
        assert!(text.lines().all(|line| line.matches(',').count() == 2));
    }
}

#[cfg(feature = "tables")]
mod tables {
    use super::*;
    use edgeprof::output::Values;
    use edgeprof::table;
    use polars::prelude::{DataFrame, ParquetReader, SerReader};
    use std::fs::File;
    use std::path::Path;

    fn read(path: &Path) -> DataFrame {
        ParquetReader::new(File::open(path).unwrap()).finish().unwrap()
    }

    /// The cells of a table as the CSV would write them.
    fn cells(frame: &DataFrame) -> Vec<Vec<String>> {
        let columns: Vec<Vec<String>> = frame
            .columns()
            .iter()
            .map(|column| {
                let values = match edgeprof::output::Column::named(column.name()).unwrap().values {
                    Values::Text(_) => column.cast(&polars::prelude::DataType::String).unwrap(),
                    _ => column.clone(),
                };
                (0..values.len())
                    .map(|row| match values.get(row).unwrap() {
                        polars::prelude::AnyValue::Null => String::new(),
                        polars::prelude::AnyValue::Float64(number) => edgeprof::output::number::plain(number),
                        polars::prelude::AnyValue::String(text) => text.to_owned(),
                        value => value.to_string(),
                    })
                    .collect()
            })
            .collect();
        (0..frame.height())
            .map(|row| columns.iter().map(|column| column[row].clone()).collect())
            .collect()
    }

    #[test]
    fn a_parquet_file_holds_what_the_csv_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("many.parquet");
        for selection in ["", " --where fits&&depth>0", " --sort -ttft_s --top 40"] {
            output(&format!("{MANY}{selection} -o {}", path.display()));
            let (header, rows) = csv(&format!("{MANY}{selection}"));
            let frame = read(&path);
            let names: Vec<&str> = frame.get_column_names().iter().map(|name| name.as_str()).collect();
            assert_eq!(names, header);
            assert_eq!(cells(&frame), rows, "{selection}");
        }
    }

    #[test]
    fn parts_as_parquet_are_together_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, more: &str| {
            let path = folder.path().join(name);
            output(&format!("{MANY} {more} -o {}", path.display()));
            path
        };
        let whole = read(&file("whole.parquet", "--jobs 2"));
        let mut together = Vec::new();
        for part in 1..=3 {
            let path = file(&format!("{part}.parquet"), &format!("--shard {part}/3"));
            together.extend(cells(&read(&path)));
        }
        assert_eq!(together, cells(&whole));
        let bytes = |jobs: u8| std::fs::read(file("again.parquet", &format!("--jobs {jobs}"))).unwrap();
        assert_eq!(bytes(1), bytes(3));
    }

    #[cfg(unix)]
    #[test]
    fn signals_end_a_sweep_with_a_whole_table() {
        let (_folder, path) = interrupted("-INT", "long.parquet");
        let frame = read(&path);
        let depths = frame.column("depth").unwrap().i64().unwrap().into_no_null_iter();
        assert!(frame.height() > 0 && depths.eq((0..=900_000).cycle().take(frame.height())));
    }

    #[test]
    fn an_interrupted_table_can_be_read() {
        let space = long_space();
        let stop = AtomicBool::new(false);
        let run = Run {
            rows: Rows::Range(0..space.rows()),
            jobs: NonZeroUsize::MIN,
            stop: &stop,
            intervals: Intervals::Kept,
        };
        let columns: Vec<_> = COLUMNS.iter().collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.parquet");
        let file = File::create(&path).unwrap();
        let done = table::write(&space, &run, &columns, None, file, &mut |_| {
            stop.store(true, Ordering::Relaxed)
        })
        .unwrap();
        assert!(done.end >= CHUNK && done.end < space.rows(), "{done:?}");
        let frame = read(&path);
        assert_eq!(frame.height() as u64, done.end);
        let depths = frame.column("depth").unwrap().i64().unwrap().into_no_null_iter();
        assert!(depths.eq(0..i64::try_from(done.end).unwrap()));
    }
}

#[test]
fn what_is_asked_wrongly_says_what_can_be_asked() {
    let error = |more: &str| {
        let output = edgeprof().args(arguments(more).split_whitespace()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{more}");
        String::from_utf8(output.stderr).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.json");
    let said = error(&format!("-o {}", file.display()));
    assert!(said.contains("names no format") && said.contains(".jsonl"), "{said}");
    assert!(!file.exists());
    let said = error("--kv-type q8_0,q7");
    assert!(
        said.contains("`q7`") && said.contains("hint: a KV cache can be of"),
        "{said}"
    );
}
