//! Any text as a Hugging Face config.json.

#![no_main]

use edgeprof::model::parse_config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(model) = parse_config("fuzz", text) {
        let _ = model.parameters();
    }
});
