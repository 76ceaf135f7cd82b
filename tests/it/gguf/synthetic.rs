//! Files that the crate writes itself: read back, they are the model that they were written from.

use edgeprof::calibrate::synthetic::{Options, SyntheticData, SyntheticError, file_bytes, write};
use edgeprof::gguf::{GgufError, Value, WriteError, read_header};
use edgeprof::model::gguf::read;
use edgeprof::model::{Dimensions, Family, Model, ModelFile, Role};
use edgeprof::quant::{BlockType, Mix};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that goes away with the test, and a path in it.
struct Temporary {
    folder: TempDir,
    path: PathBuf,
}

impl Temporary {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        Self { folder, path }
    }
}

fn small() -> Model {
    let dimensions = Dimensions {
        layers: 2,
        hidden_size: 256,
        feed_forward_size: 512,
        heads: 4,
        kv_heads: Some(2),
        vocabulary_size: 100,
        context_length: Some(512),
        ..Dimensions::default()
    };
    Family::Llama.model("small", "Small", &dimensions).unwrap()
}

fn sparse(mix: Mix) -> Options {
    Options {
        data: SyntheticData::Sparse,
        mix: Some(mix),
    }
}

fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The model as its file should give it: the same, but for what only dimensions know.
fn as_read(model: &Model, types: &[BlockType]) -> Model {
    let mut expected = model.clone();
    for (tensor, &block_type) in expected.tensors.iter_mut().zip(types) {
        tensor.stored = Some(block_type);
    }
    expected.dimensions = None;
    expected.paper_context = None;
    expected.variant_of = None;
    expected
}

#[test]
fn every_model_of_the_catalogue_is_read_back_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let file = Temporary::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let id = "model";
        let model = ModelFile::parse(&text).unwrap().model(id).unwrap();
        let types = Mix::Q4_K_M.block_types(&model);
        write(&model, &types, &file.path, sparse(Mix::Q4_K_M), &mut go_on).unwrap();
        let mut found = read(&file.path).unwrap();
        let mut expected = as_read(&model, &types);
        // Only one of the families of an architecture can be told by it.
        (found.family, expected.family) = (None, None);
        // A file has to state a context.
        expected.context_length = expected.context_length.or(Some(4096));
        let differs = found
            .tensors
            .iter()
            .zip(&expected.tensors)
            .find(|(found, expected)| found != expected);
        assert_eq!(differs, None, "{}", path.display());
        assert_eq!(found.mixers, expected.mixers, "{}", path.display());
        assert_eq!(found.cross_attention, expected.cross_attention, "{}", path.display());
        for model in [&mut found, &mut expected] {
            model.tensors.clear();
            model.mixers.clear();
            model.cross_attention.clear();
            // What others publish of it is in no GGUF.
            model.quality.clear();
        }
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn random_data_fills_the_file_to_the_byte_that_was_announced() {
    let (model, file) = (small(), Temporary::new());
    for mix in [Mix::Q4_K_M, Mix::IQ2_XXS, Mix::F16] {
        let (types, options) = (
            mix.block_types(&model),
            Options {
                mix: Some(mix),
                ..Options::default()
            },
        );
        let mut last = (0, 0);
        let mut progress = |written, total| {
            assert!(written >= last.0, "progress went back");
            last = (written, total);
            ControlFlow::Continue(())
        };
        let bytes = write(&model, &types, &file.path, options, &mut progress).unwrap();
        assert_eq!(bytes, file_bytes(&model, &types, options).unwrap());
        assert_eq!((bytes, bytes), last);
        assert_eq!(bytes, std::fs::metadata(&file.path).unwrap().len());
        let header = read_header(&file.path).unwrap();
        assert_eq!(
            header.metadata.get("general.file_type"),
            Some(&Value::U32(mix.file_type()))
        );
        let tensors: u64 = model
            .tensors
            .iter()
            .zip(&types)
            .map(|(tensor, block)| block.tensor_bytes(tensor).unwrap())
            .sum();
        assert_eq!(header.tensor_bytes(), tensors);
    }
}

#[test]
fn norms_are_near_one_and_matrices_are_not_all_alike() {
    let (model, file) = (small(), Temporary::new());
    let types = Mix::F32.block_types(&model);
    write(&model, &types, &file.path, Options::default(), &mut go_on).unwrap();
    let (header, bytes) = (read_header(&file.path).unwrap(), std::fs::read(&file.path).unwrap());
    let values = |name: &str| -> Vec<f32> {
        let tensor = header.tensors.iter().find(|tensor| tensor.name == name).unwrap();
        let start = (header.header_bytes + tensor.offset) as usize;
        let data = &bytes[start..start + tensor.bytes as usize];
        data.chunks_exact(4)
            .map(|word| f32::from_le_bytes(word.try_into().unwrap()))
            .collect()
    };
    assert!(
        values("blk.1.attn_norm.weight")
            .iter()
            .all(|value| (1.0..1.25).contains(value))
    );
    let [first, second] = ["blk.0.attn_q.weight", "blk.1.attn_q.weight"].map(values);
    assert!(first.iter().all(|value| (0.015..0.032).contains(&value.abs())));
    assert_ne!(first, second);
}

#[test]
fn a_writing_that_is_stopped_leaves_nothing_and_harms_nothing() {
    let (model, file) = (small(), Temporary::new());
    let types = Mix::F16.block_types(&model);
    std::fs::write(&file.path, b"from before").unwrap();
    let mut calls = 0;
    let mut stop = |_, _| {
        calls += 1;
        if calls == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let error = write(&model, &types, &file.path, Options::default(), &mut stop).unwrap_err();
    assert!(
        matches!(error, SyntheticError::Write(WriteError::Stopped { .. })),
        "{error}"
    );
    assert_eq!(std::fs::read(&file.path).unwrap(), b"from before");
    assert_eq!(std::fs::read_dir(file.folder.path()).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_written_is_said() {
    let (model, file) = (small(), Temporary::new());
    let write = |model: &Model, types: &[BlockType]| {
        write(model, types, &file.path, Options::default(), &mut go_on).unwrap_err()
    };
    assert!(matches!(
        write(&model, &[BlockType::F32]),
        SyntheticError::Types { types: 1, .. }
    ));
    let nf4 = vec![BlockType::NF4; model.tensors.len()];
    assert!(matches!(
        write(&model, &nf4),
        SyntheticError::Write(WriteError::Tensor { .. })
    ));
    let mut strange = model.clone();
    strange.tensors[0].role = Role::Other;
    assert!(matches!(
        write(&strange, &Mix::F16.block_types(&model)),
        SyntheticError::Unknown { .. }
    ));
    let mut empty = model.clone();
    empty.mixers.clear();
    assert!(matches!(
        write(&empty, &Mix::F16.block_types(&model)),
        SyntheticError::NoLayers { .. }
    ));
    assert!(matches!(read(&file.path), Err(GgufError::Io { .. })));
}
