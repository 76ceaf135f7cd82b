//! Any text as a device.

#![no_main]

use edgeprof::device::Device;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Device::parse("fuzz", text);
});
