//! The shipped devices, and what happens to files that are wrong.

use edgeprof::device::{BackendKind, Device};
use std::collections::BTreeMap;
use std::path::Path;

fn shipped() -> BTreeMap<String, Device> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("hardware");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let device = Device::parse(&id, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (id, device)
        })
        .collect()
}

#[test]
fn every_shipped_device_is_valid_and_no_two_share_a_name() {
    let devices = shipped();
    let mut names = BTreeMap::new();
    for device in devices.values() {
        for name in std::iter::once(&device.id).chain(&device.aliases) {
            let earlier = names.insert(name.clone(), device.id.clone());
            assert_eq!(earlier, None, "`{name}` names both {earlier:?} and {}", device.id);
        }
    }
}

#[test]
fn the_required_devices_exist_with_their_default_backends() {
    let devices = shipped();
    for (id, backend) in [
        ("pi4", BackendKind::Cpu),
        ("pi5", BackendKind::Cpu),
        ("orin-nano", BackendKind::Cuda),
        ("orin-nano-super", BackendKind::Cuda),
        ("a100-40gb", BackendKind::Cuda),
        ("a100-80gb", BackendKind::Cuda),
        ("m2", BackendKind::Metal),
        ("snapdragon-8-gen-2", BackendKind::Cpu),
    ] {
        assert_eq!(devices[id].default_backend, backend, "{id}");
    }
}
