//! GGUF headers: what is read of good ones, and the error of each bad one.

mod bytes;
mod hostile;
mod model;
mod split;
mod synthetic;

use bytes::Gguf;
use edgeprof::gguf::{Header, Metadata, ParseError, Value, parse};
use edgeprof::quant::BlockType;
use std::io::Cursor;

fn read(bytes: &[u8]) -> Result<Header, ParseError> {
    parse(Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn metadata_tensors_and_lengths_are_those_of_the_file() {
    let bytes = bytes::tiny().finish();
    let header = read(&bytes).unwrap();
    assert_eq!((header.version, header.alignment), (3, 32));
    assert_eq!(header.metadata.architecture(), Some("llama"));
    assert_eq!(
        header.metadata.of_architecture("block_count").and_then(Value::as_u64),
        Some(1)
    );
    let embedding = &header.tensors[0];
    assert_eq!(
        (embedding.name.as_str(), embedding.dimensions, embedding.dimension_count),
        ("token_embd.weight", [32, 4, 1, 1], 2)
    );
    // 32 x 4 weights are 4 blocks of 34 bytes.
    assert_eq!(
        (embedding.block_type, embedding.bytes, embedding.elements()),
        (BlockType::Q8_0, 136, 128)
    );
    // A norm of 32 weights in F32, at the next multiple of 32 after 136.
    assert_eq!((header.tensors[1].offset, header.tensors[1].bytes), (160, 128));
    assert_eq!(header.tensor_bytes(), 136 + 128);
    assert_eq!(header.file_bytes, bytes.len() as u64);
    assert_eq!(header.header_bytes + 160 + 128, bytes.len() as u64);
}

#[test]
fn version_2_is_read_like_version_3() {
    assert_eq!(read(&bytes::tiny().version(2).finish()).unwrap().version, 2);
}

#[test]
fn every_type_of_value_is_decoded() {
    let bytes = Gguf::new()
        .value("a", 0, &[200])
        .value("b", 1, &[200])
        .value("c", 2, &40_000_u16.to_le_bytes())
        .value("d", 3, &(-2_i16).to_le_bytes())
        .value("e", 4, &4_000_000_000_u32.to_le_bytes())
        .value("f", 5, &(-3_i32).to_le_bytes())
        .value("g", 6, &0.5_f32.to_le_bytes())
        .value("h", 7, &[2])
        .text("i", "word")
        .numbers("j", &[8, 0, 4])
        .value("k", 10, &u64::MAX.to_le_bytes())
        .value("l", 11, &(-4_i64).to_le_bytes())
        .value("m", 12, &0.25_f64.to_le_bytes())
        .finish();
    let metadata: Metadata = read(&bytes).unwrap().metadata;
    let values: Vec<Value> = metadata.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(
        values,
        [
            Value::U8(200),
            Value::I8(-56),
            Value::U16(40_000),
            Value::I16(-2),
            Value::U32(4_000_000_000),
            Value::I32(-3),
            Value::F32(0.5),
            Value::Bool(true),
            Value::Text("word".into()),
            Value::List(vec![Value::U32(8), Value::U32(0), Value::U32(4)]),
            Value::U64(u64::MAX),
            Value::I64(-4),
            Value::F64(0.25),
        ]
    );
}

#[test]
fn of_the_tokenizer_only_lengths_are_kept() {
    let bytes = Gguf::new()
        .texts("tokenizer.ggml.tokens", &["<s>", "", "a token"])
        .numbers("tokenizer.ggml.token_type", &[1, 2, 3])
        .text("tokenizer.chat_template", &"{% x %}".repeat(1000))
        .finish();
    let metadata = read(&bytes).unwrap().metadata;
    assert_eq!(
        metadata.get("tokenizer.ggml.tokens").and_then(Value::list_length),
        Some(3)
    );
    assert_eq!(metadata.get("tokenizer.ggml.token_type"), Some(&Value::LongList(3)));
    assert_eq!(metadata.get("tokenizer.chat_template"), Some(&Value::LongText(7000)));
}

#[test]
fn a_text_that_is_not_utf8_keeps_its_readable_bytes() {
    let bytes = Gguf::new().raw_text("general.name", b"a\xffb").finish();
    assert_eq!(read(&bytes).unwrap().metadata.text("general.name"), Some("a\u{fffd}b"));
}

#[test]
fn lists_within_lists_are_passed_over() {
    // Two lists of two bytes each.
    let inner = |bytes: [u8; 2]| [&0_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &bytes].concat();
    let value = [
        &9_u32.to_le_bytes()[..],
        &2_u64.to_le_bytes(),
        &inner([1, 2]),
        &inner([3, 4]),
    ]
    .concat();
    let bytes = Gguf::new().value("nested", 9, &value).number("after", 7).finish();
    let metadata = read(&bytes).unwrap().metadata;
    assert_eq!(metadata.get("nested"), Some(&Value::LongList(2)));
    assert_eq!(metadata.count("after"), Some(7));
}

#[test]
fn alignment_is_that_of_the_file() {
    let bytes = Gguf::new()
        .number("general.alignment", 64)
        .tensor("a", &[32], BlockType::F32)
        .tensor("b", &[32], BlockType::F32)
        .finish();
    let header = read(&bytes).unwrap();
    assert_eq!(
        (header.alignment, header.header_bytes % 64, header.tensors[1].offset),
        (64, 0, 128)
    );
}
