#!/bin/sh
# Installs edgeprof with llama.cpp inside, built for the CPU of this machine: Debian, Raspberry Pi OS, Ubuntu, or macOS.
# May be run again at any time; what is there already is kept.
#
#   scripts/install.sh            everything
#   scripts/install.sh --plain    without llama.cpp (no system package, two minutes); calibrate then needs a llama-bench
set -eu

cd "$(dirname "$0")/.."

features=llama
case "${1:-}" in
    --plain) features= ;;
    '') ;;
    *)
        echo "usage: scripts/install.sh [--plain]" >&2
        exit 2
        ;;
esac

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

# cmake and a C++ compiler build llama.cpp, libclang reads its headers.
debian_packages() {
    missing=
    for package in build-essential cmake libclang-dev pkg-config curl ca-certificates; do
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
    command -v cmake >/dev/null && return 0
    command -v brew >/dev/null || fail "cmake is missing, and so is Homebrew to install it with" "see https://brew.sh"
    say "System packages: cmake"
    brew install cmake
}

if [ -n "$features" ]; then
    if [ "$(uname -s)" = Darwin ]; then
        mac_packages
    elif command -v apt-get >/dev/null; then
        debian_packages
    else
        for tool in cmake c++ make; do
            command -v "$tool" >/dev/null || fail "$tool is missing" "install cmake, make, a C++ compiler and libclang with your system's package manager"
        done
    fi
fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
if ! command -v cargo >/dev/null && [ -x "$cargo_home/bin/cargo" ]; then
    PATH="$cargo_home/bin:$PATH"
fi
if ! command -v cargo >/dev/null; then
    command -v curl >/dev/null || fail "there is neither cargo nor curl to fetch it with" "install Rust from https://rustup.rs"
    say "Rust"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
    PATH="$cargo_home/bin:$PATH"
fi
export PATH

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
if [ -n "$features" ] && amx_miscompiled; then
    without_amx='-mno-amx-tile -mno-amx-int8 -mno-amx-bf16'
    CFLAGS="${CFLAGS:+$CFLAGS }$without_amx"
    CXXFLAGS="${CXXFLAGS:+$CXXFLAGS }$without_amx"
    export CFLAGS CXXFLAGS
fi

# A compiler takes up to a gigabyte: fewer at once on a small board.
if [ -r /proc/meminfo ] && [ -z "${CARGO_BUILD_JOBS:-}" ]; then
    gigabytes=$(awk '/^MemAvailable/ { print int($2 / 1000000) }' /proc/meminfo)
    cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    if [ "${gigabytes:-$cores}" -lt "$cores" ]; then
        CARGO_BUILD_JOBS=$((gigabytes > 1 ? gigabytes : 1))
        export CARGO_BUILD_JOBS
    fi
fi

say "edgeprof${features:+ with llama.cpp (several minutes; an hour on a small board)}"
cargo install --path . --locked --force ${features:+--features "$features"}

bin=${CARGO_INSTALL_ROOT:-$cargo_home}/bin
say "Installed: $bin/edgeprof"
case ":$PATH:" in
    *":$bin:"*) ;;
    *) echo "Put it on your PATH: export PATH=\"$bin:\$PATH\"" ;;
esac
# A shell that was open before Rust was installed does not know the folder yet.
[ "$(command -v edgeprof || true)" = "$bin/edgeprof" ] || echo "Then open a new shell, or run: . \"$cargo_home/env\""
cat <<'NEXT'

Next, on this machine (about a minute; close other programs first):
  edgeprof calibrate
  edgeprof predict --model llama-3.2-1b --hw host --prec q4_k_m
NEXT
