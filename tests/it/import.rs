//! Measurements from files: the published table, and llama-bench's five formats.

use edgeprof::calibrate::import::{self, ImportError, Known, Summary};
use edgeprof::calibrate::measurement::{Measurement, Measurements, Phase};
use edgeprof::device::{BackendKind, Device};
use edgeprof::model::{Model, ModelFile, Stack, Use};
use edgeprof::quant::Precision;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Everything in the shipped catalogue.
struct Catalogue {
    models: Vec<Model>,
    devices: Vec<Device>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue {
    models: files("models")
        .map(|(id, text)| ModelFile::parse(&text).unwrap().model(&id).unwrap())
        .collect(),
    devices: files("hardware")
        .map(|(id, text)| Device::parse(&id, &text).unwrap())
        .collect(),
});

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Ids and texts of the TOML files of a folder, in order.
fn files(folder: &str) -> impl Iterator<Item = (String, String)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.into_iter().map(|path| {
        (
            path.file_stem().unwrap().to_str().unwrap().to_owned(),
            std::fs::read_to_string(&path).unwrap(),
        )
    })
}

fn with_catalogue<T>(run: impl FnOnce(Known) -> T) -> T {
    let models: Vec<&Model> = CATALOGUE.models.iter().collect();
    let devices: Vec<&Device> = CATALOGUE.devices.iter().collect();
    run(Known {
        models: &models,
        devices: &devices,
    })
}

fn parse(text: &str) -> Result<Measurements, ImportError> {
    with_catalogue(|known| import::parse(text, "test", known))
}

fn sample(file: &str) -> String {
    std::fs::read_to_string(root().join("tests/data/llama-bench").join(file)).unwrap()
}

fn published() -> Measurements {
    with_catalogue(|known| import::read(&root().join("calibration/measurements/published.csv"), known)).unwrap()
}

fn published_row(line: u64) -> Measurement {
    published()
        .kept
        .into_iter()
        .find(|row| row.line == line)
        .unwrap_or_else(|| panic!("line {line} is left out"))
}

#[test]
fn every_published_row_is_kept_or_left_out_with_a_reason() {
    let measurements = published();
    assert_eq!(measurements.rows(), 1500);
    let mut lines: Vec<u64> = measurements.kept.iter().map(|row| row.line).collect();
    lines.extend(measurements.left_out.iter().map(|row| row.line));
    lines.sort_unstable();
    assert_eq!(lines, (2..=1501).collect::<Vec<u64>>());
    for row in &measurements.left_out {
        assert!(!row.reason.is_empty(), "line {}", row.line);
    }
    for row in &measurements.kept {
        assert!(
            row.tokens > 0 && row.tokens_per_s > 0.0 && row.weight > 0.0 && row.weight <= 1.0,
            "line {}",
            row.line
        );
        let device = CATALOGUE.devices.iter().find(|device| device.id == row.device).unwrap();
        assert!(
            device.backends.contains_key(&row.backend),
            "line {}: {} has no {}",
            row.line,
            row.device,
            row.backend
        );
        if let Some(mode) = &row.power_mode {
            assert!(
                device.power_modes.contains_key(mode),
                "line {}: {} has no mode {mode}",
                row.line,
                row.device
            );
        }
    }
}

/// The counts are committed; `EDGEPROF_BLESS=1 cargo test` writes them anew after a change that is meant.
#[test]
fn counts_of_the_published_table_are_as_committed() {
    let path = root().join("tests/data/published-counts.txt");
    let counts = Summary::of(&published()).to_string();
    if std::env::var_os("EDGEPROF_BLESS").is_some() {
        std::fs::write(&path, &counts).unwrap();
    }
    assert_eq!(counts, std::fs::read_to_string(&path).unwrap_or_default());
}

#[test]
fn settings_of_published_rows_are_read_from_their_words() {
    let pi4 = published_row(58);
    assert_eq!(
        (pi4.device.as_str(), pi4.backend, pi4.threads),
        ("pi4", BackendKind::Cpu, Some(4))
    );
    assert_eq!(
        (pi4.model.as_str(), pi4.precision.as_str(), pi4.test().as_str()),
        ("llama-3.2-1b", "f16", "pp512")
    );
    assert_eq!(pi4.model_size.unwrap().get(), 2_471_764_096.0);
    assert_eq!((pi4.samples, pi4.date.as_deref()), (Some(5), Some("2025-11-22")));
}

#[test]
fn json_and_csv_of_one_run_are_the_same_measurements() {
    let json = parse(&sample("two-models.json")).unwrap();
    let mut csv = parse(&sample("two-models.csv")).unwrap();
    assert_eq!(json.rows(), 8);
    let from_json = json.kept.iter().chain(&[]);
    for (json, csv) in from_json.zip(&mut csv.kept) {
        assert_eq!(json.samples, Some(2));
        csv.samples = json.samples;
        csv.line = json.line;
        assert_eq!(json, csv);
    }
    assert_eq!(json.kept.len(), csv.kept.len());
    let tinyllama: Vec<String> = json
        .kept
        .iter()
        .filter(|row| row.model == "tinyllama")
        .map(Measurement::test)
        .collect();
    assert_eq!(tinyllama, ["pp16", "tg4", "pp16 @ d32", "tg4 @ d32"]);
}

#[test]
fn jsonl_is_json_a_line() {
    let objects: Vec<serde_json::Value> = serde_json::from_str(&sample("two-models.json")).unwrap();
    let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
    assert_eq!(parse(&lines).unwrap(), parse(&sample("two-models.json")).unwrap());
}

#[test]
fn markdown_is_sql_of_the_same_run_rounded() {
    let sql = parse(&sample("smollm2.sql")).unwrap().kept;
    let markdown = parse(&sample("smollm2.md")).unwrap().kept;
    assert_eq!((sql.len(), markdown.len()), (4, 4));
    for (sql, markdown) in sql.iter().zip(&markdown) {
        assert!((sql.tokens_per_s - markdown.tokens_per_s).abs() <= 0.005_001);
        let what = |row: &Measurement| {
            (
                row.precision.clone(),
                row.backend,
                row.threads,
                row.test(),
                row.flash_attention,
                row.build.clone(),
            )
        };
        assert_eq!(what(sql), what(markdown));
        // The table does not name the file, and SmolLM has SmolLM2's shape: the first of them stands for both.
        assert_eq!(
            (sql.model.as_str(), markdown.model.as_str()),
            ("smollm2-360m", "smollm-360m")
        );
        assert_eq!(sql.flash_attention, Some(false));
    }
}

#[test]
fn runs_without_repacking_are_left_out() {
    for file in ["repack-off.jsonl", "repack-off.md"] {
        let measurements = parse(&sample(file)).unwrap();
        assert_eq!((measurements.kept.len(), measurements.left_out.len()), (0, 4), "{file}");
        assert_eq!(measurements.left_out[0].reason, "run with repacking turned off");
    }
}

#[test]
fn a_gpu_run_takes_the_name_of_its_gpu() {
    let text = sample("two-models.json")
        .replace(r#""backends": "CPU""#, r#""backends": "CUDA""#)
        .replace(r#""gpu_info": """#, r#""gpu_info": "NVIDIA GeForce RTX 3060""#)
        .replace(r#""n_gpu_layers": -1"#, r#""n_gpu_layers": 10"#)
        .replace(r#""flash_attn": -1"#, r#""flash_attn": true"#);
    for row in parse(&text).unwrap().kept {
        assert_eq!(
            (row.backend, row.gpu_layers, row.flash_attention),
            (BackendKind::Cuda, Some(10), Some(true))
        );
        assert!(row.device.eq_ignore_ascii_case("rtx-3060") || row.device == "NVIDIA GeForce RTX 3060");
    }
    let reasons = |text: &str| -> Vec<String> {
        let left_out = parse(text).unwrap().left_out;
        left_out
            .into_iter()
            .filter(|row| row.model == "llama 1B F16")
            .map(|row| row.reason)
            .collect()
    };
    let several = text.replace(r#""tensor_split": "0.00""#, r#""tensor_split": "1.00/1.00""#);
    assert_eq!(reasons(&several), ["run on several GPUs"; 4]);
    let other = text.replace("\"CUDA\"", "\"SYCL\"");
    assert_eq!(reasons(&other), ["the backend `SYCL` is not known"; 4]);
}

#[test]
fn a_file_that_contradicts_its_name_is_refused() {
    let fewer = sample("two-models.json").replace("\"model_n_params\": 1100048384", "\"model_n_params\": 1000000000");
    let error = parse(&fewer).unwrap_err();
    assert!(matches!(error, ImportError::Contradiction { line: 5, .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("named after tinyllama with 1100048384 parameters, and holds 1000000000"),
        "{error}"
    );

    let smaller = sample("two-models.json").replace("\"model_size\": 2200281088", "\"model_size\": 667080000");
    let error = parse(&smaller).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("tinyllama in f16 takes 2200281088 bytes, and the file says 667080000"),
        "{error}"
    );
}

#[test]
fn an_unnamed_model_of_other_size_is_left_out() {
    let text = sample("smollm2.md").replace("361.82 M", "365.82 M");
    let left_out = parse(&text).unwrap().left_out;
    assert_eq!(left_out.len(), 4);
    assert_eq!(
        left_out[0].reason,
        "the catalogue has no llama model of 365820000 parameters"
    );
}

#[test]
fn hostile_files_are_errors_or_left_out_and_never_panic() {
    let mut texts = vec![
        String::new(),
        "\u{feff}".to_owned(),
        "[]".to_owned(),
        "[{}]".to_owned(),
        "[[[[".to_owned(),
        "{\"avg_ts\": 1e999}".to_owned(),
        "{\"avg_ts\": \"1\"}".to_owned(),
        "INSERT INTO".to_owned(),
        "| t/s".to_owned(),
        "| model | test | t/s |\n| a | pp99999999999999999999 | 1 |\n".to_owned(),
        "device,backend,model,quant,phase,n_tokens,tokens_per_s\n".to_owned(),
        "device,backend,model,quant,phase,n_tokens,tokens_per_s\na,b\n".to_owned(),
        "device,backend,model,quant,phase,n_tokens,tokens_per_s\n\"".to_owned(),
        "device,backend,model,quant,phase,n_tokens,tokens_per_s\nRaspberry Pi 4,CPU,TinyLlama 1.1B,Q4_0,x,pp1,1\n".to_owned(),
        "device,backend,model,quant,phase,n_tokens,tokens_per_s\nRaspberry Pi 4,CPU,TinyLlama 1.1B,Q4_0,decode,pp1,inf\n".to_owned(),
        "a | b".to_owned(),
    ];
    for file in [
        "two-models.json",
        "two-models.csv",
        "smollm2.sql",
        "smollm2.md",
        "repack-off.jsonl",
    ] {
        let whole = sample(file);
        for cut in (0..whole.len()).step_by(97).filter(|&at| whole.is_char_boundary(at)) {
            texts.push(whole[..cut].to_owned());
            texts.push(whole[cut..].to_owned());
            texts.push(format!("{}'\",|(;\u{0}{}", &whole[..cut], &whole[cut..]));
        }
        texts.push(whole.replace("tg4", "tg-4").replace("\"n_gen\": 4", "\"n_gen\": -4"));
    }
    for text in &texts {
        match parse(text) {
            Ok(measurements) => assert!(
                measurements
                    .kept
                    .iter()
                    .all(|row| row.tokens_per_s > 0.0 && row.tokens > 0)
            ),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn unreadable_and_unknown_files_say_what_to_give() {
    let missing = with_catalogue(|known| import::read(Path::new("no-such-file.json"), known)).unwrap_err();
    assert!(
        missing.to_string().starts_with("cannot read no-such-file.json: "),
        "{missing}"
    );
    assert!(parse("hello").unwrap_err().to_string().contains("llama-bench -o json"));
    assert!(matches!(parse("[]"), Err(ImportError::Empty { .. })));
    assert_eq!(Phase::Decode.to_string(), "decode");
}

/// Bytes of the weights that one decoded token reads.
fn bytes_per_token(model: &Model, precision: &str) -> f64 {
    let blocks = precision.parse::<Precision>().unwrap().block_types(model).unwrap();
    let read = model
        .tensors
        .iter()
        .zip(blocks)
        .filter(|(tensor, _)| tensor.usage != Use::LookUp);
    read.map(|(tensor, block)| block.tensor_bytes(tensor).unwrap() as f64 * tensor.active_share())
        .sum()
}

#[test]
fn no_published_decode_that_is_kept_reads_faster_than_its_memory() {
    for row in published().kept.iter().filter(|row| row.phase == Phase::Decode) {
        let device = CATALOGUE.devices.iter().find(|device| device.id == row.device).unwrap();
        let model = CATALOGUE.models.iter().find(|model| model.id == row.model).unwrap();
        let memory = device.backends[&row.backend].memory.as_ref().unwrap_or(&device.memory);
        let share = bytes_per_token(model, &row.precision) * row.tokens_per_s / memory.bandwidth.value.get();
        assert!(
            share < 1.0,
            "line {}: {share:.2} of the bandwidth of {}",
            row.line,
            row.device
        );
    }
}

#[test]
fn no_published_prefill_that_is_kept_computes_faster_than_its_peak() {
    for row in published().kept.iter().filter(|row| row.phase == Phase::Prefill) {
        let device = CATALOGUE.devices.iter().find(|device| device.id == row.device).unwrap();
        let model = CATALOGUE.models.iter().find(|model| model.id == row.model).unwrap();
        let weights: f64 = model
            .tensors
            .iter()
            .filter(|tensor| tensor.usage == Use::Multiply && tensor.stack != Stack::Head)
            .map(|tensor| tensor.elements() as f64 * tensor.active_share())
            .sum();
        let peaks = device.backends[&row.backend]
            .peaks
            .values()
            .map(|peak| peak.value.get());
        let share = 2.0 * weights * row.tokens_per_s / peaks.fold(0.0, f64::max);
        assert!(
            share < 1.0,
            "line {}: {share:.2} of the peak of {}",
            row.line,
            row.device
        );
    }
}
