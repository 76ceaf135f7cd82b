#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::{Dimensions, Family, Model, Role, Stack};

/// A plain Llama.
fn llama(layers: u64, hidden_size: u64, feed_forward_size: u64, kv_heads: u64, vocabulary_size: u64) -> Model {
    let dimensions = Dimensions {
        layers,
        hidden_size,
        feed_forward_size,
        heads: 32,
        kv_heads: Some(kv_heads),
        vocabulary_size,
        ..Dimensions::default()
    };
    Family::Llama.model("test", "Test", &dimensions).unwrap()
}

fn tinyllama() -> Model {
    llama(22, 2048, 5632, 4, 32_000)
}

fn bytes(model: &Model, types: &[BlockType]) -> u64 {
    let sizes = model
        .tensors
        .iter()
        .zip(types)
        .map(|(tensor, block)| block.tensor_bytes(tensor).unwrap());
    sizes.sum()
}

#[test]
fn nominal_bits_are_those_of_llama_3_1_8b() {
    let model = llama(32, 4096, 14_336, 8, 128_256);
    assert_eq!(model.parameters(), 8_030_261_248);
    for &mix in Mix::ALL {
        let bits = 8.0 * bytes(&model, &mix.block_types(&model)) as f64 / model.parameters() as f64;
        let rounded = (bits * 100.0).round() / 100.0;
        assert_eq!(mix.nominal_bits_per_weight(), rounded, "{mix}");
    }
    assert!(Mix::ALL.is_sorted_by_key(|mix| mix.nominal_bits_per_weight()));
}

#[test]
fn tinyllama_takes_the_bytes_of_the_real_file() {
    let model = tinyllama();
    let size = |mix: Mix| bytes(&model, &mix.block_types(&model));
    // llama-bench prints 636.18 MiB and 606.53 MiB for the published files
    assert_eq!(size(Mix::Q4_K_M), 667_078_656);
    assert_eq!(size(Mix::Q4_0), 635_990_016);
    assert_eq!(size(Mix::F16), 2_200_281_088);
}

#[test]
fn the_order_of_the_tensors_does_not_matter() {
    let model = tinyllama();
    let mut reversed = model.clone();
    reversed.tensors.reverse();
    for &mix in Mix::ALL {
        let mut types = mix.block_types(&reversed);
        types.reverse();
        assert_eq!(types, mix.block_types(&model), "{mix}");
    }
}

#[test]
fn an_encoder_decoder_counts_its_layers_in_the_order_of_their_names() {
    let mut model = tinyllama();
    model.architecture = "t5".to_owned();
    let mut encoder = model.tensors.clone();
    encoder.retain(|tensor| tensor.layer.is_some());
    encoder.iter_mut().for_each(|tensor| tensor.stack = Stack::Encoder);
    model.tensors.extend(encoder);
    let types = Mix::Q4_K_S.block_types(&model);
    // the first four value projections: decoder layers 0, 1, 10 and 11
    let values = model
        .tensors
        .iter()
        .zip(types)
        .filter(|(tensor, _)| tensor.role == Role::AttnV);
    let better: Vec<_> = values
        .filter(|&(_, block)| block == BlockType::Q5_K)
        .map(|(tensor, _)| tensor.layer)
        .collect();
    assert_eq!(better, [0, 1, 10, 11].map(Some));
}

#[test]
fn an_importance_matrix_changes_the_first_down_projections() {
    let model = tinyllama();
    let downs = |importance_matrix| {
        let types = Mix::Q4_0.block_types_given(&model, importance_matrix);
        types.iter().filter(|&&block| block == BlockType::Q4_1).count()
    };
    assert_eq!((downs(false), downs(true)), (0, 22 / 8));
}

#[test]
fn nf4_leaves_embeddings_head_and_norms_in_half_precision() {
    let model = tinyllama();
    let types = Precision::Nf4.block_types(&model).unwrap();
    for (tensor, block) in model.tensors.iter().zip(types) {
        let outside = matches!(tensor.role, Role::TokenEmbedding | Role::Output) || tensor.rows == 1;
        assert_eq!(
            block,
            if outside { BlockType::F16 } else { BlockType::NF4 },
            "{:?}",
            tensor.role
        );
    }
}

fn distilbert() -> Model {
    let dimensions = Dimensions {
        layers: 6,
        hidden_size: 768,
        feed_forward_size: 3072,
        heads: 12,
        vocabulary_size: 30_522,
        context_length: Some(512),
        ..Dimensions::default()
    };
    Family::Bert.model("distilbert", "DistilBERT", &dimensions).unwrap()
}

#[test]
fn the_encoder_study_s_precisions_of_distilbert() {
    let model = distilbert();
    assert_eq!(model.parameters(), 66_362_880);
    let size = |precision: Precision| bytes(&model, &precision.block_types(&model).unwrap());
    assert_eq!(size(Precision::Fp32), 4 * 66_362_880);
    // six layers of four matrices of 768 x 768 and two of 768 x 3072; embeddings of 30 522 + 512 rows; 61 440 in norms and biases
    let small = 294_912 + 9_216 + 4 * 36 + 4;
    let large = 1_179_648 + 36_864 + 4 * 144 + 4;
    let (linear, embeddings, vectors) = (42_467_328, 31_034 * 768, 61_440);
    assert_eq!(
        size(Precision::Nf4),
        6 * (4 * small + 2 * large) + 2 * (embeddings + vectors)
    );
    assert_eq!(
        size(Precision::Int8Dynamic),
        linear + embeddings + 5 * 38 + 4 * vectors,
        "36 matrices and two embeddings, each with its scale and zero point"
    );
    let rows = 6 * (4 * 768 + 3072 + 768);
    assert_eq!(
        size(Precision::Int8Weights),
        linear + 4 * rows + 2 * (embeddings + vectors)
    );
}

#[test]
fn stored_asks_for_a_file() {
    let mut model = tinyllama();
    let error = Precision::Stored.block_types(&model).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`test` was not read from a GGUF file, so it has no stored precision; name one, for example `q4_k_m`"
    );
    model
        .tensors
        .iter_mut()
        .for_each(|tensor| tensor.stored = Some(BlockType::BF16));
    assert!(
        Precision::Stored
            .block_types(&model)
            .unwrap()
            .iter()
            .all(|&block| block == BlockType::BF16)
    );
}

proptest::proptest! {
    #[test]
    fn every_mix_fits_every_shape(
        layers in 1_u64..40, hidden_size in 1_u64..3000, feed_forward_size in 1_u64..6000, tied_embeddings: bool, with_matrix: bool,
    ) {
        let dimensions = Dimensions {
            layers, hidden_size, feed_forward_size, heads: 1, vocabulary_size: 1000, tied_embeddings, ..Dimensions::default()
        };
        let model = Family::Llama.model("test", "Test", &dimensions).unwrap();
        for &mix in Mix::ALL {
            let types = mix.block_types_given(&model, with_matrix);
            assert_eq!(types.len(), model.tensors.len());
            // `bytes` fails where a row is not a whole number of blocks
            assert!(bytes(&model, &types) <= 4 * model.parameters());
        }
    }
}

#[test]
fn every_name_is_read_back_in_any_case() {
    for precision in Precision::all() {
        assert_eq!(precision.name().to_ascii_uppercase().parse(), Ok(precision));
        assert!(!precision.description().is_empty());
    }
    assert_eq!("Q4_K".parse(), Ok(Precision::Mix(Mix::Q4_K_M)));
    assert_eq!("Q3_K".parse(), Ok(Precision::Mix(Mix::Q3_K_M)));
    assert_eq!("fp16".parse(), Ok(Precision::Fp16));
    assert_eq!("iq2_m".parse(), Ok(Mix::IQ2_M));
}

#[test]
fn a_wrong_name_is_told_its_neighbours() {
    let error = "q4_k_x".parse::<Precision>().unwrap_err();
    assert!(error.nearest.contains(&"q4_k_m"), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("`q4_k_x` is not a precision; did you mean `q4_k"),
        "{error}"
    );
    let error = "zzz".parse::<Precision>().unwrap_err();
    assert_eq!(error.to_string(), "`zzz` is not a precision");
}

#[test]
fn the_papers_bytes_per_element() {
    let bytes = |name: &str| name.parse::<Precision>().unwrap().paper_bytes_per_element();
    for (name, expected) in [
        ("fp32", 4.0),
        ("fp16", 2.0),
        ("bf16", 2.0),
        ("int8", 1.0),
        ("int4", 0.5),
        ("q5_k_m", 0.625),
    ] {
        assert_eq!(bytes(name), Some(expected), "{name}");
    }
    assert_eq!(bytes("stored"), None);
}

#[test]
fn the_exact_meaning_of_the_papers_names() {
    assert_eq!(Precision::Int8.mix(), Some(Mix::Q8_0));
    assert_eq!(Precision::Int4.mix(), Some(Mix::Q4_K_M));
    assert_eq!(Precision::Nf4.mix(), None);
}
