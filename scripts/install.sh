#!/bin/sh
# Installs edgeprof with llama.cpp inside, built for the CPU of this machine: Debian, Raspberry Pi OS, Ubuntu, or macOS.
# May be run again at any time; what is there already is kept.
#
#   scripts/install.sh                with llama.cpp for the CPU, on a Mac of Apple's own chips for Metal too
#   scripts/install.sh --gpu cuda     for an NVIDIA GPU too, a Jetson's as well; wants the CUDA toolkit (nvcc)
#   scripts/install.sh --gpu vulkan   for a GPU by Vulkan too
#   scripts/install.sh --plain        without llama.cpp (a C compiler and two minutes); calibrate then needs a llama-bench
set -eu

cd "$(dirname "$0")/.."

usage() {
    sed -n 's/^#   \(scripts\)/  \1/p' scripts/install.sh >&2
    exit 2
}

llama=llama
gpu=
while [ $# -gt 0 ]; do
    case "$1" in
        --plain) llama= ;;
        --gpu)
            [ $# -gt 1 ] || usage
            shift
            case "$1" in
                cuda | vulkan) gpu=$1 ;;
                # There from the start.
                metal) [ "$(uname -sm)" = "Darwin arm64" ] || usage ;;
                *) usage ;;
            esac
            ;;
        *) usage ;;
    esac
    shift
done
[ -n "$llama" ] || [ -z "$gpu" ] || usage

say() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "\`$*\` needs root and there is no sudo" "run it as root, then this script again"
    fi
}

# Those of the packages that are missing.
debian_packages() {
    missing=
    for package; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "System packages:$missing"
    as_root apt-get update
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

mac_packages() {
    xcode-select -p >/dev/null 2>&1 || fail "Apple's command line tools are missing" "run: xcode-select --install"
    [ -n "$llama" ] || return 0
    command -v cmake >/dev/null && return 0
    command -v brew >/dev/null || fail "cmake is missing, and so is Homebrew to install it with" "see https://brew.sh"
    say "System packages: cmake"
    brew install cmake
}

# Rust links with the system's C compiler. cmake and a C++ compiler build llama.cpp, libclang reads its headers.
if [ "$(uname -s)" = Darwin ]; then
    mac_packages
elif command -v apt-get >/dev/null; then
    set -- curl ca-certificates
    if [ -n "$llama" ]; then
        set -- "$@" build-essential cmake libclang-dev pkg-config
    elif ! command -v cc >/dev/null; then
        set -- "$@" gcc libc6-dev
    fi
    # LunarG's SDK brings its own.
    [ "$gpu" != vulkan ] || [ -n "${VULKAN_SDK:-}" ] || set -- "$@" libvulkan-dev glslc spirv-headers
    debian_packages "$@"
else
    for tool in cc ${llama:+cmake c++ make}; do
        command -v "$tool" >/dev/null || fail "$tool is missing" "install a C and C++ compiler, cmake, make and libclang with your system's package manager"
    done
fi

# Debian 12's and Ubuntu 22.04's are too old for llama.cpp, which would fail after many minutes.
if [ "$gpu" = vulkan ] && ! grep -q VK_EXT_layer_settings "${VULKAN_SDK:-/usr}/include/vulkan/vulkan_core.h" 2>/dev/null; then
    fail "the headers of Vulkan are older than 1.3.272" "install LunarG's SDK (https://vulkan.lunarg.com/sdk/home) and set VULKAN_SDK, or take Debian 13 or Ubuntu 24.04"
fi

if [ "$gpu" = cuda ]; then
    # Where NVIDIA installs it, which is on no PATH.
    command -v nvcc >/dev/null || PATH="$PATH:/usr/local/cuda/bin"
    export PATH
    command -v nvcc >/dev/null || fail "the CUDA toolkit is missing (no nvcc)" "on a Jetson: sudo apt install cuda-toolkit-12-6 (or your JetPack's); elsewhere see https://developer.nvidia.com/cuda-downloads"
    # Only for the GPU that is here: for all of them the compiler would run for hours on a small board.
    if [ -z "${CMAKE_CUDA_ARCHITECTURES:-}" ]; then
        case "$(tr -d '\0' 2>/dev/null </proc/device-tree/compatible)" in
            *tegra194*) CMAKE_CUDA_ARCHITECTURES=72 ;;
            *tegra234*) CMAKE_CUDA_ARCHITECTURES=87 ;;
            *) CMAKE_CUDA_ARCHITECTURES=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d . | sort -u | grep -x '[0-9]*' | paste -s -d ';' -) ;;
        esac
        if [ -n "$CMAKE_CUDA_ARCHITECTURES" ]; then export CMAKE_CUDA_ARCHITECTURES; else unset CMAKE_CUDA_ARCHITECTURES; fi
    fi
fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
path_before=$PATH
[ ! -x "$cargo_home/bin/cargo" ] || PATH="$cargo_home/bin:$PATH"
export PATH

# Whether there is a Rust that is new enough: a distribution's own seldom is.
new_enough() {
    wanted=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
    found=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
    command -v cargo >/dev/null && [ "${found:-0}" -ge "$wanted" ]
}

if ! new_enough; then
    say "Rust"
    if command -v rustup >/dev/null; then
        rustup toolchain install stable --profile minimal
        # Whatever this folder or the user has chosen, for this script only.
        export RUSTUP_TOOLCHAIN=stable
    else
        command -v curl >/dev/null || fail "there is no Rust that is new enough, and no curl to fetch it with" "install Rust from https://rustup.rs"
        rustup_init=$(curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs) || fail "rustup cannot be fetched" "install Rust from https://rustup.rs"
        # The system's own Rust, if there is one, stays as it is.
        printf '%s\n' "$rustup_init" | RUSTUP_INIT_SKIP_PATH_CHECK=yes sh -s -- -y --profile minimal
        PATH="$cargo_home/bin:$PATH"
    fi
    new_enough || fail "$(rustc --version 2>&1 | head -n 1) is too old" "see rust-version in Cargo.toml, and https://rustup.rs"
fi

# Some GCCs miscompile llama.cpp's AMX kernels (GCC bug 114098, mended in 11.5, 12.4, 13.3 and 14.1): where the CPU has AMX, programs
# built by them die. Those builds do without AMX.
amx_miscompiled() {
    [ "$(uname -m)" = x86_64 ] || return 1
    # shellcheck disable=SC2046 # three words
    set -- $("${CC:-cc}" -dM -E -x c /dev/null 2>/dev/null |
        awk '$2 == "__GNUC__" { major = $3 } $2 == "__GNUC_MINOR__" { minor = $3 } $2 == "__clang__" { clang = 1 }
             END { if (!clang && major) print major, minor }')
    [ $# = 2 ] || return 1
    case "$1" in
        11) [ "$2" -lt 5 ] ;;
        12) [ "$2" -lt 4 ] ;;
        13) [ "$2" -lt 3 ] ;;
        *) [ "$1" -lt 11 ] ;;
    esac
}

RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }-C target-cpu=native"
export RUSTFLAGS
if [ -n "$llama" ] && amx_miscompiled; then
    without_amx='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16'
    CFLAGS="${CFLAGS:+$CFLAGS }$without_amx"
    CXXFLAGS="${CXXFLAGS:+$CXXFLAGS }$without_amx"
    export CFLAGS CXXFLAGS
fi

features="$llama${gpu:+,$gpu}"
set -- --path . --locked --force

# A compiler takes up to a gigabyte: fewer at once on a small board. Polars alone takes 1.6: a board with 2 does without Parquet.
if [ -r /proc/meminfo ]; then
    gigabytes=$(awk '/^MemAvailable/ { print int($2 / 1000000) }' /proc/meminfo)
    cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    if [ -z "${CARGO_BUILD_JOBS:-}" ] && [ "${gigabytes:-$cores}" -lt "$cores" ]; then
        CARGO_BUILD_JOBS=$((gigabytes > 1 ? gigabytes : 1))
        export CARGO_BUILD_JOBS
    fi
    if [ "${gigabytes:-2}" -lt 2 ]; then
        say "Little memory: without the feature tables (Parquet), and without link-time optimisation"
        features="figures${features:+,$features}"
        set -- "$@" --no-default-features
        export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    fi
fi
[ -z "$features" ] || set -- "$@" --features "$features"

say "edgeprof${llama:+ with llama.cpp${gpu:+ for $gpu} (several minutes; an hour on a small board)}"
cargo install "$@"

bin=${CARGO_INSTALL_ROOT:-$cargo_home}/bin
say "Installed: $bin/edgeprof"
case ":$path_before:" in
    *":$bin:"*) ;;
    *) if [ -e "$cargo_home/env" ] && [ "$bin" = "$cargo_home/bin" ]; then
        # A shell that was open before Rust was installed does not know the folder yet.
        echo "Then open a new shell, or run: . \"$cargo_home/env\""
    else
        echo "Put it on your PATH: export PATH=\"$bin:\$PATH\""
    fi ;;
esac
cat <<'NEXT'

Next, on this machine (about a minute; close other programs first):
  edgeprof calibrate
  edgeprof predict --model llama-3.2-1b --hw host --prec q4_k_m
NEXT
if [ -n "$llama" ] && [ -z "$gpu" ] && { [ -e /dev/nvidiactl ] || [ -e /dev/nvhost-gpu ]; }; then
    printf '\nThis build measures the CPU (edgeprof calibrate --backend cpu). To measure the NVIDIA GPU too: scripts/install.sh --gpu cuda\n'
fi
