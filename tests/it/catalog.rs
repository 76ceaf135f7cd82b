//! The catalogue: every shipped entry is usable, names lead where they should, and the user's files lie over it.

use edgeprof::catalog::{Catalog, CatalogError, Choice, Origin};
use edgeprof::device::BackendKind;
use std::collections::BTreeMap;
use std::fs;

#[test]
fn every_shipped_entry_is_usable_and_no_two_share_a_name() {
    let catalog = Catalog::builtin();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut take = |kind: &str, id: &str, aliases: &[String]| {
        for name in aliases.iter().map(String::as_str).chain([id]) {
            let other = names.insert(format!("{kind} {}", name.to_lowercase()), id.to_owned());
            assert!(other.is_none_or(|other| other == id), "{kind} `{name}` is two entries");
        }
    };
    for id in catalog.model_ids() {
        take(
            "model",
            id,
            &catalog
                .model(id)
                .unwrap_or_else(|error| panic!("{id}: {error:?}"))
                .aliases,
        );
    }
    for id in catalog.device_ids() {
        take(
            "device",
            id,
            &catalog
                .device(id)
                .unwrap_or_else(|error| panic!("{id}: {error:?}"))
                .aliases,
        );
    }
    for id in catalog.calibration_ids() {
        catalog
            .calibration(id)
            .unwrap_or_else(|error| panic!("{id}: {error:?}"));
    }
}

#[test]
fn the_names_that_scripts_use_are_there() {
    let catalog = Catalog::builtin();
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
        assert_eq!(catalog.device(id).unwrap().default_backend, backend, "{id}");
    }
    for id in ["edgeprofiler-pi4", "edgeprofiler-pi5", "edgeprofiler-jetson"] {
        assert!(catalog.device(id).unwrap().paper.is_some(), "{id}");
    }
    for id in ["tinyllama", "llama-3.2-1b", "gemma-3-1b"] {
        assert_eq!(catalog.model(id).unwrap().id, id);
    }
    for id in ["tinyllama", "gemma3-1b", "llama3.2-1b", "deepseek-r1-1.5b"] {
        assert_eq!(
            catalog.model(&format!("edgeprofiler-{id}")).unwrap().paper_context,
            Some(1024),
            "{id}"
        );
    }
    assert!(catalog.model_ids().count() >= 40 && catalog.device_ids().count() >= 30);
}

#[test]
fn names_are_found_in_any_case_and_by_alias() {
    let catalog = Catalog::builtin();
    assert_eq!(catalog.model("TinyLlama").unwrap().id, "tinyllama");
    assert_eq!(catalog.model("tinyllama:1.1B").unwrap().id, "tinyllama");
    assert_eq!(catalog.device("RPi5").unwrap().id, "pi5");
    match catalog.device("pi55") {
        Err(CatalogError::Unknown { nearest, .. }) => assert_eq!(nearest[0], "pi5"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_folder_of_the_users_lies_over_the_catalogue() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/models/tinyllama.toml")).unwrap();
    for (folder, layers) in folders.iter().zip([11, 33]) {
        fs::create_dir(folder.path().join("models")).unwrap();
        let own = text.replace("layers = 22", &format!("layers = {layers}"));
        fs::write(folder.path().join("models/tinyllama.toml"), own).unwrap();
    }
    fs::write(
        folders[0].path().join("models/mine.toml"),
        text.replace("tinyllama-1.1b", "my-own"),
    )
    .unwrap();
    fs::write(folders[0].path().join("models/broken.toml"), "layers = ").unwrap();
    fs::write(folders[0].path().join("models/notes.txt"), "not a model").unwrap();

    let catalog = Catalog::open(&folders.each_ref().map(|folder| folder.path())).unwrap();
    assert_eq!(
        catalog.model("tinyllama").unwrap().mixers.len(),
        33,
        "the last folder wins"
    );
    assert_eq!(catalog.model("my-own").unwrap().id, "mine");
    assert!(matches!(catalog.model("mine").unwrap().origin, Origin::File(_)));
    assert!(matches!(catalog.model("broken"), Err(CatalogError::Invalid { .. })));
    assert!(matches!(catalog.model("notes"), Err(CatalogError::Unknown { .. })));
    assert!(catalog.model("llama-3.2-1b").is_ok(), "a broken file harms no other");
    assert!(matches!(
        Catalog::open(&["/nonexistent"]),
        Err(CatalogError::NotAFolder { .. })
    ));
}

#[test]
fn paths_are_read_and_bad_ones_named() {
    let catalog = Catalog::builtin();
    let root = env!("CARGO_MANIFEST_DIR");
    let model = catalog.model(&format!("{root}/models/tinyllama.toml")).unwrap();
    assert_eq!((model.id.as_str(), model.parameters()), ("tinyllama", 1_100_048_384));
    assert!(matches!(
        catalog.model(&format!("{root}/none.toml")),
        Err(CatalogError::Read { .. })
    ));
    assert!(matches!(
        catalog.model(&format!("{root}/none.gguf")),
        Err(CatalogError::Invalid { .. })
    ));
    assert!(matches!(
        catalog.model(&format!("{root}/README.md")),
        Err(CatalogError::UnknownEnding { .. })
    ));
    assert!(matches!(
        catalog.device(&format!("{root}/hardware")),
        Err(CatalogError::IsAFolder { .. })
    ));
}

#[test]
fn a_calibration_is_the_devices_own_before_its_class() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data");
    let catalog = Catalog::open(&[data]).unwrap();
    let board = catalog.device("test-board").unwrap();
    let of = |choice| {
        catalog
            .calibration_for(&board, BackendKind::Cpu, &choice)
            .map(|entry| entry.id.clone())
    };
    assert_eq!(of(Choice::Best).unwrap(), "test-board-cpu");
    assert_eq!(
        of(Choice::Named(format!("{data}/calibration/test-board-cpu.toml"))).unwrap(),
        "test-board-cpu"
    );
    assert!(matches!(
        of(Choice::Named("nobody".to_owned())),
        Err(CatalogError::Unknown { .. })
    ));
    let paper = catalog.device("edgeprofiler-pi4").unwrap();
    let none = catalog.calibration_for(&paper, BackendKind::Cpu, &Choice::Best);
    assert!(none.unwrap_err().hint().unwrap().contains("--formulas edgeprofiler"));
}
