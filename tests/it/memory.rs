//! KV cache and compute buffer against what llama.cpp's own allocator says.

use edgeprof::model::{Model, ModelFile};
use edgeprof::perf::memory::{Context, MemorySums};
use edgeprof::quant::Mix;
use std::path::Path;

const MEBIBYTE: f64 = 1_048_576.0;

/// A model of the catalogue by its id.
fn model(id: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("models")
        .join(format!("{id}.toml"));
    ModelFile::parse(&std::fs::read_to_string(path).unwrap())
        .unwrap()
        .model(id)
        .unwrap()
}

/// Rows of a CSV file of tests/data without comments, split at commas.
fn rows(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

fn context(row: &[String]) -> Context {
    Context {
        ubatch: row[2].parse().unwrap(),
        key_type: row[3].parse().unwrap(),
        value_type: row[4].parse().unwrap(),
        flash_attention: row[5] != "off",
        ..Context::new(row[1].parse().unwrap())
    }
}

#[test]
fn kv_cache_and_compute_buffer_are_those_of_llama_cpp() {
    let mut exact = 0;
    let rows = rows("memory.csv");
    for row in &rows {
        let id = match row[0].as_str() {
            "llama3.2-1b" => "llama-3.2-1b",
            "llama3.2-3b" => "llama-3.2-3b",
            "gemma2-2b" => "gemma-2-2b",
            id => id,
        };
        let (model, context) = (model(id), context(row));
        let sums = MemorySums::new(&model, &Mix::F16.block_types(&model));
        let cache = sums.kv_cache_bytes(&context).unwrap() as f64 / MEBIBYTE;
        let compute = sums.compute_buffer_bytes(&context) as f64 / MEBIBYTE;
        // the file's figures are cut off at the decimal point
        let (published_cache, published_compute): (f64, f64) = (row[7].parse().unwrap(), row[8].parse().unwrap());
        assert_eq!(cache.floor(), published_cache, "{row:?}");
        assert_eq!(compute.floor(), published_compute, "{row:?}");
        exact += 1;
    }
    assert_eq!(exact, 60);
}
