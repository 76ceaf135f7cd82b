//! The catalogue is compiled in; without these lines cargo would not notice a file that was added to it. With feature `llama`, says
//! at build time what the built program would refuse at run time.

fn main() {
    for folder in ["models", "hardware", "calibration", "reports/edgeprofiler"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    println!("cargo::rustc-check-cfg=cfg(amx_miscompiled)");
    if std::env::var_os("CARGO_FEATURE_LLAMA").is_some() {
        check_kernels();
    }
    if std::env::var_os("CARGO_FEATURE_LLAMA_PORTABLE").is_some() {
        // llama.cpp's libraries are found beside the program, wherever that is unpacked.
        println!("cargo::rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/lib");
    }
}

/// llama.cpp is built for this CPU only if rustc is told to build for it; and some GCCs get its AMX kernels wrong.
fn check_kernels() {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let portable = std::env::var_os("CARGO_FEATURE_LLAMA_PORTABLE").is_some();
    if !portable && !flags.contains("target-cpu=native") {
        println!(
            "cargo::warning=llama.cpp is built for a baseline CPU, which `edgeprof calibrate` refuses to measure; build with \
             scripts/install.sh or RUSTFLAGS=\"-C target-cpu=native\""
        );
    }
    for variable in ["CC", "CFLAGS", "CXXFLAGS"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let amx_is_off = std::env::var("CFLAGS").is_ok_and(|flags| flags.contains("-mno-amx-tile"));
    if !amx_is_off && gcc_version().is_some_and(miscompiles_amx) {
        println!("cargo::rustc-cfg=amx_miscompiled");
    }
}

/// Version of the C compiler if it is GCC and this is an x86-64 Linux; Clang answers with the GCC version that it stands in for,
/// and is told apart by its macro.
fn gcc_version() -> Option<(u32, u32)> {
    if std::env::var("CARGO_CFG_TARGET_ARCH").ok()? != "x86_64" || std::env::var("CARGO_CFG_TARGET_OS").ok()? != "linux"
    {
        return None;
    }
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let arguments = ["-dM", "-E", "-x", "c", "/dev/null"];
    let output = std::process::Command::new(compiler).args(arguments).output().ok()?;
    let macros = String::from_utf8(output.stdout).ok()?;
    let value = |name: &str| {
        macros
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    if value("#define __clang__").is_some() {
        return None;
    }
    Some((
        value("#define __GNUC__")?.parse().ok()?,
        value("#define __GNUC_MINOR__")?.parse().ok()?,
    ))
}

/// GCC bug 114098: `_tile_loadconfig` tells the compiler of 8 of the 64 bytes that it reads, and the stores of the others are
/// dropped. Mended in 11.5, 12.4, 13.3 and 14.1.
fn miscompiles_amx((major, minor): (u32, u32)) -> bool {
    match major {
        ..=10 => true,
        11 => minor < 5,
        12 => minor < 4,
        13 => minor < 3,
        _ => false,
    }
}
