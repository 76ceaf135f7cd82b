//! KV cache and compute buffer against what llama.cpp's own allocator says.

use edgeprof::model::{Dimensions, Family, Model, ModelFile};
use edgeprof::perf::memory::{Context, MemorySums};
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::{CacheType, Mix};
use proptest::prelude::*;
use std::collections::BTreeMap;
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

/// A model as tests/data/memory-models.toml states it.
#[derive(serde::Deserialize)]
struct Shape {
    family: Family,
    #[serde(flatten)]
    dimensions: Dimensions,
}

fn shapes() -> BTreeMap<String, Shape> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/memory-models.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn they_are_so_for_other_architectures_and_settings() {
    let sums: BTreeMap<String, MemorySums> = shapes()
        .into_iter()
        .map(|(id, shape)| {
            let model = shape.family.model(&id, &id, &shape.dimensions).unwrap();
            let types = Mix::F16.block_types(&model);
            (id, MemorySums::new(&model, &types))
        })
        .collect();
    let rows = rows("memory-extended.csv");
    let mut exact = 0;
    for row in &rows {
        let (sums, context) = (&sums[&row[0]], context(row));
        let cache = sums.kv_cache_bytes(&context).unwrap() as f64 / MEBIBYTE;
        let compute = sums.compute_buffer_bytes(&context) as f64 / MEBIBYTE;
        let (true_cache, true_compute): (f64, f64) = (row[6].parse().unwrap(), row[7].parse().unwrap());
        assert!((cache - true_cache).abs() < 1.0, "{row:?}: cache {cache:.2}");
        let error = (cache + compute - true_cache - true_compute).abs();
        assert!(
            error < (0.03 * (true_cache + true_compute)).max(8.0),
            "{row:?}: {compute:.2}"
        );
        exact += usize::from(error < 0.05);
    }
    println!("{exact} of {} rows exact", rows.len());
    // the others: Gemma 3n, the dense and sparse layers of Gemma 4 26B, Phi-2, BitNet, Qwen3-Next, T5
    assert_eq!((exact, rows.len()), (692, 733));
}

fn shape(id: &str) -> Model {
    let shape = &shapes()[id];
    shape.family.model(id, id, &shape.dimensions).unwrap()
}

fn features(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn sums(model: &Model, mix: Mix) -> ModelSums {
    ModelSums::new(model, &mix.block_types(model))
}

#[test]
fn repacked_weights_are_those_of_the_loaders_logs() {
    // Android phones with i8mm, MiB in the CPU and the CPU_REPACK buffer (github:a-ghorbani/pocketpal-ai, e2e/baselines);
    // files of other mixes than llama-quantize's own (importance matrices, another type for the embedding) left out
    let phone = features(&["neon", "dotprod", "i8mm"]);
    for (id, mix, cpu, repacked) in [
        ("qwen2.5-1.5b", Mix::Q4_K_M, 183.12, 934.14),
        ("qwen2.5-1.5b", Mix::Q8_0, 237.03, 1564.07),
        ("qwen3-1.7b", Mix::Q8_0, 315.77, 1743.30),
        ("gemma3-1b", Mix::Q4_K_M, 605.64, 462.85),
        ("gemma3-1b", Mix::Q8_0, 306.51, 1013.03),
        ("smollm2-1.7b", Mix::Q4_K_M, 79.13, 1004.62),
        ("smollm2-1.7b", Mix::Q8_0, 102.38, 1734.00),
        ("phi3.5-mini", Mix::Q8_0, 100.57, 3771.81),
        ("phi4-mini", Mix::Q8_0, 623.52, 3886.76),
        ("lfm2-1.2b", Mix::Q4_0, 105.50, 660.75),
        ("lfm2-1.2b", Mix::Q4_K_M, 105.50, 694.27),
        ("lfm2-1.2b", Mix::Q8_0, 136.50, 1185.75),
    ] {
        let sums = sums(&shape(id), mix);
        let found = sums.memory.repacked(&phone);
        let found_repacked = found.bytes as f64 / MEBIBYTE;
        let found_cpu = (sums.weight_bytes + found.needed_twice - found.bytes) as f64 / MEBIBYTE;
        assert!(
            (found_repacked - repacked).abs() < 0.02 && (found_cpu - cpu).abs() < 0.02,
            "{id} {mix:?}: {found_cpu:.2} + {found_repacked:.2}"
        );
    }
}

#[test]
fn a_gpu_has_its_inputs_on_the_host_as_well() {
    // both compute buffers of OpenCL on Adreno without flash attention, MiB (same source)
    for (id, published) in [
        ("qwen2.5-1.5b", 310.76),
        ("gemma3-1b", 526.76),
        ("smollm2-1.7b", 176.02),
        ("phi3.5-mini", 184.02),
        ("qwen3-1.7b", 316.76),
    ] {
        let sums = sums(&shape(id), Mix::Q4_0);
        let context = Context {
            flash_attention: false,
            ..Context::new(2048)
        };
        let (device, host) = (
            sums.memory.compute_buffer_bytes(&context),
            sums.memory.host_input_bytes(&context),
        );
        let found = (device + host) as f64 / MEBIBYTE;
        assert!((found - published).abs() < 0.02, "{id}: {found:.2}");
    }
}

#[test]
fn kv_caches_worked_by_hand() {
    let mebibytes = |id: &str, context: &Context| {
        sums(&shape(id), Mix::F16).memory.kv_cache_bytes(context).unwrap() as f64 / MEBIBYTE
    };
    let context = Context::new(2048);
    // 2 (keys, values) · layers · kv_heads · head · 2 bytes · 2048
    assert_eq!(mebibytes("tinyllama", &context), 44.0, "2·22·4·64·2·2048");
    assert_eq!(mebibytes("qwen2.5-1.5b", &context), 56.0, "2·28·2·128·2·2048");
    assert_eq!(mebibytes("qwen3-1.7b", &context), 224.0, "2·28·8·128·2·2048");
    assert_eq!(mebibytes("smollm2-1.7b", &context), 384.0, "2·24·32·64·2·2048");
    assert_eq!(mebibytes("phi3.5-mini", &context), 768.0, "2·32·32·96·2·2048");
    // 22 of Gemma 3 1B's 26 layers have a window of 512: 1024 cells of 1 KiB each, 22 MiB; the other 4 have 2048 cells, 8 MiB
    assert_eq!(mebibytes("gemma3-1b", &context), 30.0);
    // 6 attention layers: 2·6·8·64·2·2048 = 24 MiB; 10 convolutions: two positions of 2048 in F32
    assert_eq!(
        mebibytes("lfm2-1.2b", &context),
        24.0 + 10.0 * 2.0 * 2048.0 * 4.0 / MEBIBYTE
    );
    // q8_0: 34 bytes for 32 elements
    let quantised = Context {
        key_type: CacheType::Q8_0,
        value_type: CacheType::Q8_0,
        ..context
    };
    assert_eq!(mebibytes("tinyllama", &quantised), 44.0 * 34.0 / 64.0);
}

#[test]
fn caches_that_llama_cpp_refuses_are_errors_with_the_cure() {
    let sums = sums(&shape("tinyllama"), Mix::F16);
    let context = Context {
        value_type: CacheType::Q8_0,
        flash_attention: false,
        ..Context::new(2048)
    };
    let error = sums.memory.kv_cache_bytes(&context).unwrap_err();
    assert_eq!(
        error.to_string(),
        "values can be cached as q8_0 only with flash attention; turn it on, or choose f16 for them"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn a_longer_context_or_more_bits_never_take_less(
        size in 1_u64..200_000, more in 0_u64..100_000, ubatch in 1_u64..4096, sequences in 1_u64..5, narrow in 0_usize..9, wide in 0_usize..9,
    ) {
        let (wide, narrow) = (narrow.min(wide), narrow.max(wide));
        for (id, shape) in shapes() {
            let model = shape.family.model(&id, &id, &shape.dimensions).unwrap();
            let sums = MemorySums::new(&model, &[]);
            let context = Context { ubatch, sequences, ..Context::new(size) };
            let bytes = |context: &Context| sums.kv_cache_bytes(context).unwrap();
            prop_assert!(bytes(&Context { size: size + more, ..context }) >= bytes(&context), "{id}");
            let typed = |at: usize| Context { key_type: CacheType::ALL[at], value_type: CacheType::ALL[at], ..context };
            // the last types are of equal width
            if CacheType::ALL[wide].block_type().bits_per_weight() >= CacheType::ALL[narrow].block_type().bits_per_weight() {
                prop_assert!(bytes(&typed(wide)) >= bytes(&typed(narrow)), "{id}");
            }
            // whatever the context: embeddings that could be an input, the last hidden states and the logits, in single precision
            let least = 4 * context.tokens() * (model.vocabulary_size + 2 * model.hidden_size);
            prop_assert!(sums.compute_buffer_bytes(&context) >= least, "{id}");
        }
    }
}
