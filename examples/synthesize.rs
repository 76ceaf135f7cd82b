//! Writes a model file with random weights, of any model of the catalogue and any mix, for llama.cpp to load and run:
//! `cargo run --release --example synthesize -- MODEL MIX OUT.gguf [sparse] [LAYERS]`.
//!
//! `sparse` writes a header and a hole, for tools that look no further; LAYERS shortens the model to its first layers.

use edgeprof::calibrate::synthetic::{Options, SyntheticData, write};
use edgeprof::catalog::Catalog;
use edgeprof::quant::Mix;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, mix, output, rest @ ..] = arguments.as_slice() else {
        return Err("usage: synthesize MODEL MIX OUT.gguf [sparse] [LAYERS]".into());
    };
    let mut model = Catalog::builtin().model(model)?.value.clone();
    let layers = rest.iter().find_map(|word| word.parse().ok());
    if let (Some(layers), Some(family), Some(mut dimensions)) = (layers, model.family, model.dimensions.clone()) {
        dimensions.layers = layers;
        model = family.model(&model.id, &model.name, &dimensions)?;
    }
    let mix: Mix = mix.parse()?;
    let types = mix.block_types(&model);
    let data = if rest.iter().any(|word| word == "sparse") {
        SyntheticData::Sparse
    } else {
        SyntheticData::Random
    };
    let options = Options { data, mix: Some(mix) };
    let mut go_on = |_, _| ControlFlow::Continue(());
    let file_bytes = write(&model, &types, Path::new(output), options, &mut go_on)?;
    let sizes = model
        .tensors
        .iter()
        .zip(&types)
        .filter_map(|(tensor, block_type)| block_type.tensor_bytes(tensor));
    let bytes: u64 = sizes.sum();
    let parameters = model.parameters();
    println!("{output}: {parameters} parameters, {bytes} bytes of tensors, {file_bytes} bytes");
    Ok(())
}
