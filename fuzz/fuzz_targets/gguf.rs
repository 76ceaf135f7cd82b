//! Any bytes as a GGUF file: the header, and the model that it describes.

#![no_main]

use edgeprof::gguf::parse;
use edgeprof::model::gguf::from_header;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    // As if a hole followed what is there, so that tensors larger than the input are met too.
    for length in [bytes.len() as u64, 1 << 40] {
        let Ok(header) = parse(Cursor::new(bytes), length) else { continue };
        assert!(header.tensor_bytes() <= length);
        if let Ok(model) = from_header(&header, "fuzz") {
            // What every closed form sums must not overflow.
            let stored = model.tensors.iter().filter_map(|tensor| tensor.stored?.tensor_bytes(tensor));
            assert_eq!(stored.sum::<u64>(), header.tensor_bytes());
            let _ = model.parameters();
        }
    }
});
