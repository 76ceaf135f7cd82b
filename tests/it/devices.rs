//! The shipped devices, and what happens to files that are wrong.

use edgeprof::device::{Arithmetic, BackendKind, Device};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// Every shipped device, read once.
pub(crate) fn shipped() -> &'static BTreeMap<String, Device> {
    static SHIPPED: OnceLock<BTreeMap<String, Device>> = OnceLock::new();
    SHIPPED.get_or_init(read_shipped)
}

fn read_shipped() -> BTreeMap<String, Device> {
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
fn a_device_that_is_like_another_has_its_backends_and_classes() {
    let devices = shipped();
    for device in devices.values() {
        let Some(like) = &device.like else { continue };
        let other = &devices[like];
        assert_eq!(other.like, None, "{}: `like` is followed once", device.id);
        for (kind, backend) in &device.backends {
            assert_eq!(backend.class, other.backends[kind].class, "{}: {kind}", device.id);
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

#[test]
fn classes_are_those_that_are_documented() {
    let documentation =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/device/mod.rs")).unwrap();
    for device in shipped().values() {
        for backend in device.backends.values() {
            let row = format!("//! | `{}` |", backend.class);
            assert!(
                documentation.contains(&row),
                "{}: class `{}` is not in the table",
                device.id,
                backend.class
            );
        }
    }
}

/// What a class promises of its arithmetic holds in every entry: a missing peak is a missing kernel, not a forgotten line.
#[test]
fn peaks_agree_with_classes_and_features() {
    for device in shipped().values().filter(|device| device.paper.is_none()) {
        let cpu = device.backends.get(&BackendKind::Cpu);
        if let Some(cpu) = cpu {
            let has = |feature: &str| cpu.features.iter().any(|stated| stated == feature);
            let dot = ["dotprod", "avx-vnni", "avx512-vnni"].into_iter().any(has);
            assert_eq!(cpu.peaks.contains_key(&Arithmetic::Int8), dot, "{}: int8", device.id);
            assert_eq!(
                cpu.peaks.contains_key(&Arithmetic::Fp16),
                has("fp16"),
                "{}: fp16",
                device.id
            );
        }
        for (kind, backend) in &device.backends {
            let fp32 = backend.peaks[&Arithmetic::Fp32].value;
            for (arithmetic, peak) in &backend.peaks {
                let ratio = peak.value / fp32;
                assert!(
                    (0.99..=65.0).contains(&ratio),
                    "{} {kind} {arithmetic:?}: {ratio} times fp32",
                    device.id
                );
            }
        }
    }
}

/// Bandwidths that data sheets print, in GB/s rounded as they round: bus width x transfer rate decides every decode prediction.
#[test]
fn bandwidths_are_those_of_the_data_sheets() {
    let devices = shipped();
    for (id, printed) in [
        ("pi4", 12.8),
        ("pi5", 17.1),
        ("orin-nano", 68.0),
        ("orin-nano-super", 102.0),
        ("agx-orin-64gb", 204.8),
        ("jetson-nano", 25.6),
        ("agx-xavier-32gb", 136.5),
        ("a100-40gb", 1555.0),
        ("a100-80gb", 2039.0),
        ("a100-80gb-pcie", 1935.0),
        ("h100-pcie", 2039.0),
        ("h100-sxm", 3350.0),
        ("h200", 4800.0),
        ("m1", 68.25),
        ("m2", 102.4),
        ("m3-pro", 153.6),
        ("m4", 120.0),
        ("m4-pro", 273.0),
        ("m4-max", 546.0),
        ("m4-max-gpu32", 410.0),
        ("rtx-2080-ti", 616.0),
        ("rtx-3060", 360.0),
        ("rtx-3080", 760.0),
        ("rtx-3090", 936.0),
        ("rtx-4060-ti", 288.0),
        ("rtx-4070-ti", 504.0),
        ("rtx-4080", 716.8),
        ("rtx-4080-super", 736.0),
        ("rtx-4090", 1008.0),
        ("rtx-5060-ti", 448.0),
        ("rtx-5080", 960.0),
        ("rtx-5090", 1792.0),
        ("rtx-6000-ada", 960.0),
        ("l4", 300.0),
        ("l40s", 864.0),
        ("rx-6500-xt", 144.0),
        ("rx-7900-xtx", 960.0),
        ("r9700", 640.0),
        ("arc-a770", 560.0),
        ("arc-b580", 456.0),
        ("snapdragon-8-gen-2", 67.2),
        ("snapdragon-x-elite", 135.0),
        ("strix-halo", 256.0),
        ("gb10", 273.0),
        ("epyc-9654", 460.8),
    ] {
        let device = &devices[id];
        let own = device.backends[&device.default_backend].memory.as_ref();
        let stated = own.unwrap_or(&device.memory).bandwidth.value.get() / 1e9;
        assert!(
            (stated / printed - 1.0).abs() < 0.005,
            "{id}: {stated} GB/s, the data sheet prints {printed}"
        );
    }
}

#[test]
fn the_papers_devices_carry_the_papers_numbers() {
    let devices = shipped();
    for (id, peak, memory, storage, copy, network) in [
        ("edgeprofiler-pi4", 50e9, 19e9, 0.5e9, 12e9, 0.1e9),
        ("edgeprofiler-pi5", 64e9, 34e9, 0.5e9, 16e9, 0.1e9),
        ("edgeprofiler-jetson", 0.5e12, 25.6e9, 2e9, 30e9, 0.5e9),
    ] {
        let device = &devices[id];
        let backend = &device.backends[&device.default_backend];
        let stated = [
            backend.peaks[&Arithmetic::Fp32].value.get(),
            device.memory.bandwidth.value.get(),
            device.storage_bandwidth.as_ref().unwrap().value.get(),
            backend.host_to_device.as_ref().unwrap().value.get(),
            device.network_bandwidth.as_ref().unwrap().value.get(),
        ];
        assert_eq!(stated, [peak, memory, storage, copy, network], "{id}");
        let paper = device.paper.as_ref().unwrap();
        assert_eq!(
            (paper.energy_per_flop.get(), paper.energy_per_byte.get()),
            (1e-12, 1e-9)
        );
    }
}

fn pi5() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("hardware/pi5.toml")).unwrap()
}

/// The error of the Pi 5's file with `from` replaced by `to`, whole.
fn error(from: &str, to: &str) -> String {
    let text = pi5();
    assert!(text.contains(from), "`{from}` is not in the file");
    Device::parse("pi5", &text.replacen(from, to, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_bare_number_is_an_error_with_line_and_caret() {
    assert_eq!(
        error(r#""17.068 GB/s""#, "17.068"),
        r#"line 12, column 23: invalid type: floating point `17.068`, expected a data rate with its unit as text, for example "17.1 GB/s"
   |
12 | bandwidth = { value = 17.068, source = "bandwidth" }
   |                       ^^^^^^"#
    );
}

#[test]
fn each_mistake_in_a_file_is_told_where_it_stands() {
    for (from, to, expected) in [
        (
            r#""17.068 GB/s""#,
            r#""17.068""#,
            "line 12, column 23: `17.068` has no unit; write it as for example `17.1 GB/s`",
        ),
        (
            r#""17.068 GB/s""#,
            r#""-1 GB/s""#,
            "line 12, column 23: `-1 GB/s` is not a finite number of zero or more",
        ),
        (
            r#""17.068 GB/s""#,
            r#""NaN GB/s""#,
            "line 12, column 23: `NaN GB/s` does not begin with a number; write it as for example `17.1 GB/s`",
        ),
        (
            r#""17.068 GB/s""#,
            r#""0 GB/s""#,
            "line 12, column 23: memory.bandwidth: this must be above zero",
        ),
        (
            r#""17.068 GB/s""#,
            r#""17 GiB""#,
            "line 12, column 23: `GiB` is not a unit of a data rate; write it as for example `17.1 GB/s`",
        ),
        (
            r#""7.6 GiB""#,
            r#""9 GiB""#,
            "line 11, column 20: memory.usable: 9.00 GiB are usable of a capacity of 8.00 GiB; the usable part cannot be more than the whole",
        ),
        (
            "value = 4,",
            "value = 0,",
            "line 26, column 19: backends.cpu.cores: this must be above zero",
        ),
        (
            "value = 4,",
            "value = -4,",
            "line 26, column 19: invalid value: integer `-4`, expected u64",
        ),
        (
            r#"default_backend = "cpu""#,
            r#"default_backend = "cuda""#,
            "line 5, column 19: default_backend: `cuda` is not a backend of this device; its backends are: cpu",
        ),
        (
            r#"default_backend = "cpu""#,
            r#"default_backend = "npu""#,
            "line 5, column 19: unknown variant `npu`, expected one of `cpu`, `cuda`, `metal`, `vulkan`, `opencl`",
        ),
        (
            r#"source = "storage""#,
            r#"source = "sd-card""#,
            "line 6, column 51: storage_bandwidth.source: there is no source `sd-card`; add `[sources.sd-card]` or cite one of: bandwidth, brief, cache, core-bandwidth, energy, idle, peaks, price, storage, usable",
        ),
        (
            "rail = ",
            "rails = ",
            "line 16, column 1: unknown field `rails`, expected one of `idle`, `rail`, `battery`",
        ),
        (
            "[sources.brief]",
            "[sources.web]\nevidence = \"measured\"\ntext = \"x\"\n[sources.brief]",
            "line 38, column 10: sources.web: no number cites this source; cite it or remove it",
        ),
        (
            "amount = 97",
            "amount = nan",
            "line 19, column 10: price.amount: NaN is not a price; it must be a finite number of zero or more",
        ),
        (
            "date = \"2025-03\"",
            "date = \"2025-13\"",
            "line 21, column 8: price.date: `2025-13` is not a date; write a year, or year and month as `2025-03`",
        ),
        (
            r#"["raspberry pi 5","#,
            r#"["Raspberry Pi 5","#,
            "line 2, column 12: aliases.0: `Raspberry Pi 5` must be in lower case and without spaces around it, since names are looked up so",
        ),
        (
            "[backends.cpu.peaks]",
            "[power_modes.eco]\nclocks = { cuda = { value = \"1 GHz\", source = \"brief\" } }\n[backends.cpu.peaks]",
            "line 33, column 2: power_modes: with power modes, `default_power_mode` must say which one the peaks and clocks are stated for",
        ),
    ] {
        let error = error(from, to);
        assert_eq!(error.lines().next(), Some(expected), "{error}");
        assert!(error.ends_with('^'), "{error}");
    }
}

#[test]
fn a_power_mode_names_backends_of_the_device_and_agrees_with_them() {
    let modes = |clocks: &str| {
        let text = format!(
            "default_power_mode = \"eco\"\n{}[power_modes.eco]\nclocks = {{ {clocks} }}\n",
            pi5()
        );
        let result = Device::parse("pi5", &text);
        result.map_or_else(
            |error| error.to_string().lines().next().unwrap().to_owned(),
            |_| "valid".to_owned(),
        )
    };
    assert_eq!(modes(r#"cpu = { value = "2.4 GHz", source = "brief" }"#), "valid");
    assert!(
        modes(r#"cuda = { value = "1 GHz", source = "brief" }"#)
            .ends_with("power_modes.eco.clocks.cuda: `cuda` is not a backend of this device; its backends are: cpu")
    );
    assert!(modes(r#"cpu = { value = "1.5 GHz", source = "brief" }"#).ends_with(
        "the default power mode must agree with the backend: 1500 MHz here, 2400 MHz in `backends.cpu.clock`"
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// No text makes the parser panic, however a file is damaged: a piece cut out, doubled, or replaced by anything.
    #[test]
    fn damaged_files_give_errors_and_never_panics(
        start in 0usize..3000, length in 0usize..60, with in "\\PC{0,12}", doubled in any::<bool>(),
    ) {
        let text = pi5();
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap();
        let (start, end) = (floor(start), floor(start + length));
        let piece = if doubled { &text[start..end] } else { "" };
        let damaged = format!("{}{piece}{with}{}", &text[..end], &text[if doubled { start } else { end }..]);
        if let Err(error) = Device::parse("pi5", &damaged) {
            prop_assert!(!error.to_string().is_empty());
        }
        let cut = format!("{}{with}{}", &text[..start], &text[end..]);
        if let Err(error) = Device::parse("pi5", &cut) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
