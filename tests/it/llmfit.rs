//! Hardware profiles of llmfit: read, written, and what is said of bad ones.

use super::cli::edgeprof;
use edgeprof::catalog::Catalog;
use edgeprof::device::llmfit::{ImportError, Imported, Profile, export, import};
use edgeprof::device::{BackendKind, Device};
use insta::assert_snapshot;
use proptest::prelude::*;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Vec<Device>> = LazyLock::new(|| {
    let catalog = Catalog::builtin();
    let devices = catalog.device_ids().map(|id| catalog.device(id).unwrap().value.clone());
    devices.collect()
});

fn read(text: &str) -> Result<Imported, ImportError> {
    import(&Profile::parse(text).unwrap(), CATALOGUE.iter())
}

/// A profile with these lines in `hardware`.
fn profile(name: &str, gpu: &str, hardware: &str) -> String {
    let matches = match gpu {
        "" => String::new(),
        gpu => format!("\"match\": {{ \"gpu_name_contains\": \"{gpu}\" }}, "),
    };
    format!("{{ \"schema_version\": 1, \"name\": \"{name}\", {matches}\"hardware\": {{ {hardware} }} }}")
}

#[test]
fn every_device_comes_back_as_it_went() {
    for device in CATALOGUE.iter().filter(|device| device.paper.is_none()) {
        let text = serde_json::to_string(&export(device).unwrap().profile).unwrap();
        let parsed = Profile::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", device.id));
        let back = import(&parsed, CATALOGUE.iter()).unwrap().device;
        assert_eq!(back.memory, device.memory, "{}", device.id);
        assert_eq!(back.backends, device.backends, "{}", device.id);
        assert_eq!(back.power_modes, device.power_modes, "{}", device.id);
        assert_eq!(back.id, device.id);
        // And once more: the same profile.
        assert_eq!(export(&back).unwrap().profile.hardware, parsed.hardware);
    }
}

#[test]
fn what_the_profile_states_replaces_the_entrys() {
    let text = profile(
        "my-box",
        "RTX 4090",
        "\"total_ram_gb\": 64.0, \"unified_memory\": false, \"gpu_memory_bandwidth_gbps\": 1100.0, \"ddr_bandwidth_gbps\": 51.2",
    );
    let Imported { device, notes } = read(&text).unwrap();
    let cuda = &device.backends[&BackendKind::Cuda];
    let memory = cuda.memory.as_ref().unwrap();
    assert_eq!(memory.bandwidth.value.get(), 1.1e12);
    assert_eq!(memory.bandwidth.source, "llmfit-profile");
    assert_eq!(
        memory.capacity.value.get(),
        24.0 * 1_073_741_824.0,
        "the card's own, which no profile states"
    );
    assert_eq!(device.memory.capacity.value.get(), 64.0 * 1_073_741_824.0);
    assert_eq!(device.memory.bandwidth.value.get(), 51.2e9);
    assert_eq!(device.like.as_deref(), Some("rtx-4090"));
    assert!(notes[0].contains("taken for `rtx-4090`"), "{notes:?}");
}

#[test]
fn among_chips_of_one_name_the_nearest_is_taken() {
    let with = |rate| {
        let text = profile(
            "mine",
            "Apple M3 Max",
            &format!("\"total_ram_gb\": 128, \"unified_memory\": true, \"gpu_memory_bandwidth_gbps\": {rate}"),
        );
        read(&text).unwrap().device.name
    };
    assert_eq!(with("400.0"), "Apple M3 Max (40-core GPU, 64 GB)");
    assert_eq!(with("300.0"), "Apple M3 Max (30-core GPU, 36 GB)");
}

#[test]
fn an_unknown_machine_is_one_of_its_class_and_says_so() {
    let text = profile(
        "apple-m9",
        "Apple M9",
        "\"total_ram_gb\": 48, \"unified_memory\": true, \"gpu_memory_bandwidth_gbps\": 900, \"gpu_compute_tflops_fp16\": 60",
    );
    let Imported { device, notes } = read(&text).unwrap();
    let metal = &device.backends[&BackendKind::Metal];
    assert_eq!(metal.class, "metal");
    assert_eq!(device.memory.bandwidth.value.get(), 9e11);
    assert_eq!(device.memory.bandwidth.source, "llmfit-profile");
    assert_eq!(metal.peaks[&edgeprof::device::Arithmetic::Fp16].value.get(), 6e13);
    assert_eq!(metal.cores.source, "class-median");
    assert_eq!(
        (&device.power, &device.storage_bandwidth, &device.price),
        (&None, &None, &None),
        "not made up"
    );
    assert!(
        notes[0].contains("class `metal`") && notes[0].contains("median"),
        "{notes:?}"
    );
}

#[test]
fn what_a_profile_leaves_open_is_an_error_where_nothing_can_fill_it() {
    let open = |name: &str, gpu: &str, hardware: &str| read(&profile(name, gpu, hardware)).unwrap_err();
    let card = "\"total_ram_gb\": 64, \"unified_memory\": false, \"gpu_memory_bandwidth_gbps\": 2000";
    let bare = "\"total_ram_gb\": 16, \"unified_memory\": false";
    assert!(matches!(
        open("rtx-7090", "RTX 7090", card),
        ImportError::UnknownCard { .. }
    ));
    assert!(matches!(open("xyzzy", "", bare), ImportError::Nameless { .. }));
    assert!(matches!(
        open("raspberry-pi-6", "", bare),
        ImportError::Ambiguous { .. }
    ));
    assert_snapshot!(
        [
            open("rtx-7090", "RTX 7090", card),
            open("xyzzy", "", bare),
            open("raspberry-pi-6", "", bare)
        ]
        .map(|error| error.to_string())
        .join("\n\n")
    );
}

#[test]
fn a_bad_profile_is_shown_where_it_is_bad() {
    let good = profile("x", "", "\n  \"total_ram_gb\": 16,\n  \"unified_memory\": true\n");
    Profile::parse(&good).unwrap();
    let bad = [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        good.replace(": 1,", ": 2,"),
        good.replace(": 1,", ": \"1\","),
        good.replace("\"x\"", "\"My Box\""),
        good.replace("16", "-16"),
        good.replace("16", "1e999"),
        good.replace("16", "\"16 GB\""),
        good.replace("total_ram_gb", "total_ram"),
        good.replace("true", "true,\n  \"vram_gb\": 24"),
        good.replace("true", "true,\n  \"ddr_bandwidth_gbps\": 0"),
        good.replace(
            "true\n }",
            "true }, \"estimation\": { \"run_mode_factors\": { \"cpu_only\": 11 } }",
        ),
        good.replace(
            "true\n }",
            "true }, \"calibration\": [ { \"model\": \"m\", \"measured_tps\": -1 } ]",
        ),
        good[..good.len() - 4].to_owned(),
    ];
    let said: Vec<String> = bad
        .iter()
        .map(|text| Profile::parse(text).expect_err(text).to_string())
        .collect();
    assert_snapshot!(said.join("\n\n"));
}

#[test]
fn the_program_reads_and_writes_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pi5.json");
    let output = edgeprof().args(["export", "llmfit", "--hw", "pi5"]).output().unwrap();
    assert!(output.status.success());
    assert_snapshot!(String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr).unwrap());
    std::fs::write(&path, output.stdout).unwrap();
    let predict = |hardware: &str| {
        let arguments = [
            "predict",
            "--model",
            "tinyllama",
            "--prec",
            "q4_0",
            "--format",
            "csv",
            "--hw",
            hardware,
        ];
        String::from_utf8(edgeprof().args(arguments).output().unwrap().stdout).unwrap()
    };
    assert_eq!(predict(path.to_str().unwrap()), predict("pi5"));

    std::fs::write(&path, "{ \"schema_version\": 1 }").unwrap();
    let output = edgeprof().args(["show", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let output = edgeprof()
        .args(["export", "llmfit", "--hw", "edgeprofiler-pi4"])
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("only in a paper"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = Profile::parse(&text);
    }

    #[test]
    fn any_numbers_make_a_device_or_an_error(
        ram in 1e-3..16_384.0f64, gpu in proptest::option::of(1e-3..1e5f64), ddr in proptest::option::of(1e-3..1e5f64),
        peak in proptest::option::of(1e-3..1e5f64), unified: bool, name in "(pi5|m3|rtx-4090|apple|raspberry|intel-core|snapdragon)[a-z-]{0,6}"
    ) {
        let mut hardware = format!("\"total_ram_gb\": {ram}, \"unified_memory\": {unified}");
        for (key, value) in [("gpu_memory_bandwidth_gbps", gpu), ("ddr_bandwidth_gbps", ddr), ("gpu_compute_tflops_fp16", peak)] {
            if let Some(value) = value {
                hardware += &format!(", \"{key}\": {value}");
            }
        }
        if let Ok(imported) = read(&profile(&name, "", &hardware)) {
            prop_assert_eq!(imported.device.validate(), Ok(()));
        }
    }
}
