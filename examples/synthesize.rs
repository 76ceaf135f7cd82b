//! Writes a model file with random weights: `cargo run --release --example synthesize -- MODEL MIX OUT.gguf [sparse] [LAYERS]`.
//!
//! MODEL is a catalogue file's id or path; LAYERS shortens the model to its first layers.

use edgeprof::calibrate::synthetic::{Options, SyntheticData, write};
use edgeprof::model::ModelFile;
use edgeprof::quant::Mix;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, mix, output, rest @ ..] = arguments.as_slice() else {
        return Err("usage: synthesize MODEL MIX OUT.gguf [sparse] [LAYERS]".into());
    };
    let path = match Path::new(model).exists() {
        true => PathBuf::from(model),
        false => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("models")
            .join(format!("{model}.toml")),
    };
    let mut file = ModelFile::parse(&std::fs::read_to_string(&path)?)?;
    if let Some(layers) = rest.iter().find_map(|word| word.parse().ok()) {
        file.dimensions.layers = layers;
    }
    let model = file.model(&path.file_stem().unwrap_or_default().to_string_lossy())?;
    let mix: Mix = mix.parse()?;
    let types = mix.block_types(&model);
    let data = match rest.iter().any(|word| word == "sparse") {
        true => SyntheticData::Sparse,
        false => SyntheticData::Random,
    };
    let options = Options { data, mix: Some(mix) };
    let bytes = write(&model, &types, Path::new(output), options, &mut |_, _| {
        ControlFlow::Continue(())
    })?;
    let tensors: u64 = model
        .tensors
        .iter()
        .zip(&types)
        .filter_map(|(tensor, block_type)| block_type.tensor_bytes(tensor))
        .sum();
    println!(
        "{output}: {} parameters, {tensors} bytes of tensors ({:.2} MiB), {bytes} bytes",
        model.parameters(),
        tensors as f64 / 1048576.0
    );
    Ok(())
}
