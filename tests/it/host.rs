//! Detection of a machine from trees of `/proc` and `/sys` files.

use crate::devices::shipped;
use edgeprof::device::host::{self, Host};
use edgeprof::device::{Arithmetic, BackendKind};
use std::path::Path;

fn detect(tree: &str) -> Host {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/host").join(tree);
    host::detect_below(&root, shipped().values()).unwrap()
}

fn gflops(host: &Host, arithmetic: Arithmetic) -> Option<f64> {
    let peak = host.device.backends[&BackendKind::Cpu].peaks.get(&arithmetic)?;
    Some(peak.value.get() / 1e9)
}

#[test]
fn a_raspberry_pi_5_takes_its_entrys_facts_and_its_own_memory() {
    let host = detect("pi5");
    assert_eq!(host.device.like.as_deref(), Some("pi5"));
    assert_eq!(host.device.id, "host");
    assert_eq!(host.device.memory.capacity.value.get(), 4_143_248.0 * 1024.0);
    assert_eq!(host.device.memory.usable.value.get(), 3_512_464.0 * 1024.0);
    assert_eq!(host.device.memory.bandwidth.value.get(), 17.068e9);
    assert_eq!(gflops(&host, Arithmetic::Int8), Some(614.0));
    assert_eq!(host.notes, Vec::<String>::new());
    assert!(
        host.device
            .note
            .unwrap()
            .starts_with("Detected as `pi5`. Needs a cooler")
    );
}

#[test]
fn the_longest_name_wins_so_that_a_super_is_not_taken_for_the_original() {
    let host = detect("jetson-orin-nano");
    assert_eq!(host.device.like.as_deref(), Some("orin-nano-super"));
    assert_eq!(host.device.default_backend, BackendKind::Cuda);
    assert_eq!(host.device.power_modes.len(), 4);
}

#[test]
fn a_pc_is_known_by_its_cpu() {
    let host = detect("n100");
    assert_eq!(host.device.like.as_deref(), Some("n100"));
}

#[test]
fn an_unknown_board_is_worked_out_from_its_big_cores() {
    let host = detect("rk3588-unknown");
    assert_eq!(host.device.like, None);
    let cpu = &host.device.backends[&BackendKind::Cpu];
    assert_eq!(cpu.class, "arm-cpu-dotprod");
    assert_eq!(cpu.cores.value, 4);
    // Two cores at 2.256 GHz and two at 2.304 GHz, 16 operations per cycle each: cpufp measures 150 GFLOP/s on this chip.
    assert!((gflops(&host, Arithmetic::Fp32).unwrap() - 145.92).abs() < 1e-9);
    assert!((gflops(&host, Arithmetic::Int8).unwrap() - 4.0 * 145.92).abs() < 1e-9);
    assert_eq!(cpu.clock.as_ref().unwrap().value.get(), 2.256e9);
    assert_eq!(host.notes.len(), 1, "{:?}", host.notes);
    assert!(host.notes[0].contains("`edgeprof calibrate` measures it"));
}

#[test]
fn a_virtual_machine_is_no_catalogue_device_and_says_what_is_assumed() {
    let host = detect("virtual-xeon");
    let cpu = &host.device.backends[&BackendKind::Cpu];
    assert_eq!((cpu.class.as_str(), cpu.cores.value), ("x86-cpu-avx512", 2));
    assert!(cpu.features.contains(&"amx".to_owned()));
    // 2 cores x 64 operations x the 2 GHz that the guest is told.
    assert_eq!(gflops(&host, Arithmetic::Fp32), Some(256.0));
    assert_eq!(host.notes.len(), 1, "{:?}", host.notes);

    let guest = detect("epyc-guest");
    assert_eq!(guest.device.like, None);
    assert_eq!(guest.device.backends[&BackendKind::Cpu].cores.value, 4);
    assert!(
        guest.notes[0].contains("of whose 96 cores this machine has 4"),
        "{:?}",
        guest.notes
    );
}

#[test]
fn memory_lies_in_as_many_domains_as_there_are_sockets_with_memory() {
    let domains = |tree: &str| detect(tree).device.memory.domains.map(|domains| domains.value);
    assert_eq!(domains("two-sockets"), Some(2));
    // Its kernel cuts the memory of the one socket into eight nodes.
    assert_eq!(domains("fake-nodes"), None);
    assert_eq!(domains("virtual-xeon"), None);
}

#[test]
fn a_graphics_card_joins_the_machine_that_carries_it() {
    let host = detect("ryzen-4090");
    assert_eq!(host.device.like.as_deref(), Some("ryzen-9-7950x"));
    assert_eq!(host.device.default_backend, BackendKind::Cuda);
    let card = &host.device.backends[&BackendKind::Cuda];
    assert_eq!(card.memory.as_ref().unwrap().bandwidth.value.get(), 1008e9);
    assert_eq!(card.cores.source, "card-brief");
    assert!(host.device.sources["card-brief"].text.contains("RTX 4090"));
}

#[test]
fn a_machine_that_states_nothing_is_still_a_device() {
    let host = detect("no-such-tree");
    assert_eq!(host.device.backends[&BackendKind::Cpu].cores.value, 1);
    assert_eq!(host.notes.len(), 4, "{:?}", host.notes);
}

#[test]
fn the_machine_that_runs_this_test_is_a_device() {
    let host = host::detect(shipped().values()).unwrap();
    assert!(host.device.memory.capacity.value.get() > 0.0);
}
