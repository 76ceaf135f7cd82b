//! Any text as a model of the catalogue.

#![no_main]

use edgeprof::model::ModelFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(model) = ModelFile::parse(text).and_then(|file| file.model("fuzz")) {
        let _ = model.parameters();
    }
});
