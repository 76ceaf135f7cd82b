//! Models over several files.

use super::bytes::{Gguf, tiny};
use edgeprof::gguf::{GgufError, read_header};
use edgeprof::quant::BlockType;
use std::path::PathBuf;
use tempfile::TempDir;

fn save(folder: &TempDir, name: &str, file: &Gguf) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, file.finish()).unwrap();
    path
}

fn part(file: Gguf, number: u16, count: u16) -> Gguf {
    file.value("split.no", 2, &number.to_le_bytes())
        .value("split.count", 2, &count.to_le_bytes())
}

fn second() -> Gguf {
    Gguf::new().tensor("output.weight", &[32, 4], BlockType::F16)
}

#[test]
fn any_part_gives_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let first = save(&folder, "m-00001-of-00002.gguf", &part(tiny(), 0, 2));
    let other = save(&folder, "m-00002-of-00002.gguf", &part(second(), 1, 2));
    let whole = read_header(&first).unwrap();
    assert_eq!(whole, read_header(&other).unwrap());
    assert_eq!(whole.metadata.architecture(), Some("llama"));
    assert_eq!(whole.tensors.len(), 3);
    assert_eq!(whole.tensor_bytes(), 136 + 128 + 256);
    let lengths = [first, other].map(|path| std::fs::metadata(path).unwrap().len());
    assert_eq!(whole.file_bytes, lengths[0] + lengths[1]);
}

#[test]
fn a_missing_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let first = save(&folder, "m-00001-of-00003.gguf", &part(tiny(), 0, 3));
    save(&folder, "m-00003-of-00003.gguf", &part(second(), 2, 3));
    let error = read_header(&first).unwrap_err();
    assert!(
        matches!(&error, GgufError::MissingPart { path, number: 2, count: 3 } if path.ends_with("m-00002-of-00003.gguf"))
    );
    assert!(error.to_string().contains("m-00002-of-00003.gguf"), "{error}");
}

#[test]
fn a_renamed_part_says_what_its_name_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "model.gguf", &part(tiny(), 0, 2));
    let error = read_header(&path).unwrap_err();
    assert!(matches!(error, GgufError::PartName { count: 2, .. }));
    assert!(error.to_string().contains("-00001-of-00002.gguf"), "{error}");
}

#[test]
fn parts_that_are_mixed_up_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "m-00001-of-00002.gguf", &part(tiny(), 0, 2));
    save(&folder, "m-00002-of-00002.gguf", &part(second(), 0, 2));
    assert!(matches!(
        read_header(&path),
        Err(GgufError::WrongPart {
            number: 2,
            found: 1,
            ..
        })
    ));
}

#[test]
fn a_tensor_in_two_parts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "m-00001-of-00002.gguf", &part(tiny(), 0, 2));
    save(&folder, "m-00002-of-00002.gguf", &part(tiny(), 1, 2));
    assert!(matches!(read_header(&path), Err(GgufError::Header { .. })));
}

#[test]
fn a_single_file_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "m-00001-of-00009.gguf", &tiny());
    assert_eq!(read_header(&path).unwrap().tensors.len(), 2);
}
