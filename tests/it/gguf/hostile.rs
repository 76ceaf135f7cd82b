//! Files that are broken or mean harm: one clear error each, and no memory for what is not there.

use super::bytes::{Gguf, text, tiny};
use super::read;
use edgeprof::gguf::{Fault, GgufError, Item, ParseError, limits, parse, read_header};
use edgeprof::quant::BlockType;
use proptest::prelude::*;
use std::io::Cursor;
use std::path::Path;

fn fault(bytes: &[u8]) -> Fault {
    match read(bytes) {
        Err(ParseError::Fault(fault)) => fault,
        other => panic!("expected a fault, not {other:?}"),
    }
}

#[test]
fn an_empty_file() {
    assert_eq!(fault(b""), Fault::Empty);
}

#[test]
fn another_kind_of_file() {
    let fault = fault(b"PK\x03\x04and what follows in an archive");
    assert_eq!(fault, Fault::Magic { magic: *b"PK\x03\x04" });
    assert_eq!(fault.to_string(), "it does not begin with GGUF but with PK\\x03\\x04");
}

#[test]
fn versions_that_are_not_read() {
    assert_eq!(fault(&tiny().version(1).finish()), Fault::Version { version: 1 });
    assert_eq!(fault(&tiny().version(0).finish()), Fault::Version { version: 0 });
    assert_eq!(fault(&tiny().version(4).finish()), Fault::Version { version: 4 });
    assert_eq!(fault(&tiny().version(3_u32.swap_bytes()).finish()), Fault::BigEndian);
}

#[test]
fn a_million_keys_are_refused_before_one_is_read() {
    let bytes = tiny().with_counts(2, 1_000_000);
    assert_eq!(
        fault(&bytes),
        Fault::TooLarge {
            item: Item::Keys,
            offset: 16,
            count: 1_000_000,
            limit: limits::KEYS
        }
    );
}

#[test]
fn counts_near_the_largest_number() {
    let bytes = tiny().with_counts(u64::MAX, 4);
    assert_eq!(
        fault(&bytes),
        Fault::TooLarge {
            item: Item::Tensors,
            offset: 8,
            count: u64::MAX,
            limit: limits::TENSORS
        }
    );
    let bytes = tiny().with_counts(2, u64::MAX - 1);
    assert!(matches!(fault(&bytes), Fault::TooLarge { item: Item::Keys, .. }));
}

#[test]
fn lengths_near_the_largest_number() {
    let huge = u64::MAX.to_le_bytes();
    let key = [
        &b"GGUF\x03\0\0\0"[..],
        &0_u64.to_le_bytes(),
        &1_u64.to_le_bytes(),
        &huge,
        &[0; 64],
    ]
    .concat();
    assert!(matches!(
        fault(&key),
        Fault::TooLarge {
            item: Item::Key,
            offset: 24,
            count: u64::MAX,
            ..
        }
    ));
    let value = Gguf::new().value("general.name", 8, &huge).finish();
    assert!(matches!(
        fault(&value),
        Fault::TooLarge {
            item: Item::Text,
            offset: 48,
            count: u64::MAX,
            ..
        }
    ));
    for kind in 0..13 {
        let list = Gguf::new().list("x", kind, u64::MAX - u64::from(kind), &[]).finish();
        assert!(
            matches!(fault(&list), Fault::TooLarge { item: Item::List, .. }),
            "kind {kind}"
        );
    }
    let element = Gguf::new().list("x", 8, 1, &huge).finish();
    assert!(matches!(
        fault(&element),
        Fault::TooLarge {
            item: Item::Text,
            count: u64::MAX,
            ..
        }
    ));
}

#[test]
fn lengths_that_the_file_does_not_hold() {
    let value = Gguf::new()
        .value("general.name", 8, &1_000_000_u64.to_le_bytes())
        .finish();
    assert_eq!(
        fault(&value),
        Fault::Truncated {
            item: Item::Text,
            offset: 48,
            length: value.len() as u64
        }
    );
    let list = Gguf::new()
        .list("tokenizer.ggml.tokens", 8, 32_000, &text(b"<unk>"))
        .finish();
    assert!(matches!(fault(&list), Fault::Truncated { item: Item::List, .. }));
}

#[test]
fn lists_nested_beyond_the_bound() {
    let mut value = Vec::new();
    for _ in 0..10_000 {
        value.extend(9_u32.to_le_bytes());
        value.extend(1_u64.to_le_bytes());
    }
    let bytes = Gguf::new().value("deep", 9, &value).finish();
    assert!(matches!(
        fault(&bytes),
        Fault::Nesting {
            limit: limits::NESTING,
            ..
        }
    ));
}

#[test]
fn types_that_do_not_exist() {
    assert_eq!(
        fault(&Gguf::new().value("key", 13, &[0; 8]).finish()),
        Fault::ValueType {
            key: "key".into(),
            offset: 35,
            id: 13
        }
    );
    let list = Gguf::new().list("key", u32::MAX, 1, &[0; 8]).finish();
    assert_eq!(
        fault(&list),
        Fault::ValueType {
            key: "key".into(),
            offset: 39,
            id: u32::MAX
        }
    );
    let tensor = Gguf::new().raw_tensor(b"t", &[32], 4000, 0).finish();
    assert_eq!(
        fault(&tensor),
        Fault::BlockType {
            tensor: "t".into(),
            id: 4000
        }
    );
}

#[test]
fn names_that_are_not_names() {
    assert_eq!(
        fault(&Gguf::new().raw_value(b"\xff\xfe", 4, &[0; 4]).finish()),
        Fault::NotText {
            item: Item::Key,
            offset: 24
        }
    );
    assert_eq!(
        fault(&Gguf::new().value("", 4, &[0; 4]).finish()),
        Fault::Nameless {
            item: Item::Key,
            offset: 24
        }
    );
    let name = Gguf::new().raw_tensor(b"blk.\xc3.attn", &[32], 0, 0).finish();
    assert_eq!(
        fault(&name),
        Fault::NotText {
            item: Item::TensorName,
            offset: 24
        }
    );
    let long = Gguf::new().raw_tensor(&[b'x'; 300], &[32], 0, 0).finish();
    assert!(matches!(
        fault(&long),
        Fault::TooLarge {
            item: Item::TensorName,
            count: 300,
            ..
        }
    ));
}

#[test]
fn names_that_stand_twice() {
    let keys = Gguf::new().number("a", 1).number("a", 2).finish();
    assert_eq!(
        fault(&keys),
        Fault::Twice {
            item: Item::Key,
            name: "a".into(),
            offset: 41
        }
    );
    let tensors = Gguf::new()
        .tensor("t", &[32], BlockType::F32)
        .tensor("t", &[32], BlockType::F32)
        .finish();
    assert!(matches!(fault(&tensors), Fault::Twice { item: Item::Tensor, name, .. } if name == "t"));
}

#[test]
fn dimensions_that_no_tensor_has() {
    let five = Gguf::new().raw_tensor(b"t", &[1; 5], 0, 0).finish();
    assert_eq!(
        fault(&five),
        Fault::Dimensions {
            tensor: "t".into(),
            count: 5
        }
    );
    for dimensions in [
        vec![1 << 32, 1 << 32],
        vec![u64::MAX],
        vec![1 << 62],
        vec![0, u64::MAX, 2],
        vec![1 << 40, 1 << 20, 8],
    ] {
        let bytes = Gguf::new().raw_tensor(b"t", &dimensions, 0, 0).finish();
        assert!(matches!(fault(&bytes), Fault::Overflow { .. }), "{dimensions:?}");
    }
    let row = Gguf::new().raw_tensor(b"t", &[33, 2], 8, 0).finish();
    assert_eq!(
        fault(&row).to_string(),
        "tensor \"t\" has rows of 33 weights, no multiple of the 32 of its block type q8_0"
    );
}

#[test]
fn data_that_is_not_in_the_file() {
    let mut beyond = Gguf::new().raw_tensor(b"t", &[1024], 0, 0).finish();
    // Without any of its data it is a header, which is all that is read.
    assert_eq!(read(&beyond).unwrap().tensor_bytes(), 4096);
    beyond.push(0);
    assert!(matches!(
        fault(&beyond),
        Fault::BeyondEnd {
            end: 4160,
            length: 65,
            ..
        }
    ));
    // A header that speaks of more than any file has is none.
    let vast = Gguf::new().raw_tensor(b"t", &[1 << 43], 0, 0).finish();
    assert!(matches!(fault(&vast), Fault::BeyondEnd { length: 64, .. }));
    let far = Gguf::new().raw_tensor(b"t", &[32], 0, u64::MAX - 31).finish();
    assert!(matches!(fault(&far), Fault::BeyondEnd { end: u64::MAX, .. }));
    let unaligned = Gguf::new().raw_tensor(b"t", &[1], 0, 4).finish();
    assert!(matches!(
        fault(&unaligned),
        Fault::Unaligned {
            offset: 4,
            alignment: 32,
            ..
        }
    ));
    let mut twice = Gguf::new().tensor("a", &[1024], BlockType::F32);
    twice = twice.raw_tensor(b"b", &[1024], 0, 0);
    assert!(matches!(fault(&twice.finish()), Fault::Overlap { bytes: 8192, .. }));
}

#[test]
fn alignments_that_align_nothing() {
    for alignment in [0, 3, 48] {
        let found = alignment.to_string();
        assert_eq!(
            fault(&Gguf::new().number("general.alignment", alignment).finish()),
            Fault::Alignment { found }
        );
    }
    let text = Gguf::new().text("general.alignment", "32").finish();
    assert_eq!(
        fault(&text),
        Fault::Alignment {
            found: "no number".into()
        }
    );
    // The largest power of two: the data would begin beyond the end of any file.
    let huge = Gguf::new()
        .value("general.alignment", 4, &(1_u32 << 31).to_le_bytes())
        .tensor("t", &[32], BlockType::F32);
    assert!(matches!(fault(&huge.finish()), Fault::BeyondEnd { .. }));
}

#[test]
fn a_header_longer_than_any_is_not_read_to_its_end() {
    let list = Gguf::new().list("x", 0, limits::HEADER, &[]).finish();
    // The file claims to be long enough (a hole on disk would be).
    let error = parse(Cursor::new(&list), 1 << 40).unwrap_err();
    assert!(
        matches!(error, ParseError::Fault(Fault::TooLarge { item: Item::Header, .. })),
        "{error:?}"
    );
}

#[test]
fn a_file_shorter_than_the_system_said() {
    let bytes = tiny().finish();
    let error = parse(Cursor::new(&bytes[..100]), bytes.len() as u64).unwrap_err();
    assert!(matches!(error, ParseError::Fault(Fault::Truncated { .. })), "{error:?}");
}

#[test]
fn what_is_no_file() {
    let folder = std::env::temp_dir();
    assert!(matches!(
        read_header(&folder),
        Err(GgufError::NotAFile { kind: "a folder", .. })
    ));
    let absent = folder.join("edgeprof-no-such-file.gguf");
    let error = read_header(&absent).unwrap_err();
    assert!(matches!(error, GgufError::Io { .. }));
    assert!(error.to_string().starts_with("cannot read "), "{error}");
    if cfg!(unix) {
        assert!(matches!(
            read_header(Path::new("/dev/zero")),
            Err(GgufError::NotAFile { .. })
        ));
    }
}

#[test]
fn every_truncation_is_an_error_but_that_to_the_header() {
    let bytes = tiny().finish();
    let whole = read(&bytes).unwrap();
    let padded = usize::try_from(whole.header_bytes).unwrap();
    for length in 0..bytes.len() {
        // Where the header's padding begins is not told; it is shorter than the alignment.
        let header = read(&bytes[..length]);
        let only_padding_is_gone = length + 32 > padded && length <= padded;
        assert!(
            header.is_err() || only_padding_is_gone,
            "cut to {length} of {}",
            bytes.len()
        );
    }
    assert_eq!(read(&bytes[..padded]).unwrap().tensors, whole.tensors);
}

proptest! {
    #[test]
    fn no_change_of_bytes_makes_it_panic(changes in prop::collection::vec((0_usize..700, any::<u8>()), 1..8)) {
        let mut bytes = tiny().finish();
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        let _ = read(&bytes);
    }

    #[test]
    fn no_bytes_after_the_magic_make_it_panic(rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = [&b"GGUF\x03\0\0\0"[..], &rest].concat();
        let _ = read(&bytes);
    }

    #[test]
    fn what_is_read_is_bounded_by_the_file(lists in prop::collection::vec((0_u32..14, any::<u64>()), 1..6)) {
        let file = lists.iter().enumerate().fold(Gguf::new(), |file, (at, (kind, length))| {
            file.list(&format!("k{at}"), *kind, *length, &[0; 40])
        });
        let _ = read(&file.finish());
    }
}
