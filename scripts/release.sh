#!/bin/sh
# Builds what a release gives for one target, and packs it: dist/edgeprof-VERSION-TARGET[-llama].tar.gz and its SHA-256 beside it.
#
#   scripts/release.sh x86_64-unknown-linux-musl          one static program, for any Linux
#   scripts/release.sh aarch64-unknown-linux-musl         the same for a Raspberry Pi or a Jetson, cross-compiled
#   scripts/release.sh aarch64-apple-darwin               on a Mac
#   scripts/release.sh x86_64-apple-darwin                on a Mac of either kind
#   scripts/release.sh --llama x86_64-unknown-linux-gnu   with llama.cpp, whose kernels for each kind of CPU lie in `lib` beside
#   scripts/release.sh --llama aarch64-unknown-linux-gnu  the program; runs where the C library is as new as the builder's
#   scripts/release.sh --bare TARGET                      without default features, to see in short that it builds and runs
#
# What was built is then run: it predicts, and with llama.cpp calibrates. An aarch64 program that was cross-compiled is run by
# qemu-aarch64, where that is installed, as a Raspberry Pi 4 and as a 5, and must choose the kernels of each.
set -eu

cd "$(dirname "$0")/.."

usage() {
    sed -n 's/^#   \(scripts\)/  \1/p' scripts/release.sh >&2
    exit 2
}

fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

llama=
bare=
target=
for argument; do
    case "$argument" in
        --llama) llama=-llama ;;
        --bare) bare=--no-default-features ;;
        x86_64-unknown-linux-musl | aarch64-unknown-linux-musl | aarch64-apple-darwin | x86_64-apple-darwin | \
            x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) target=$argument ;;
        *) usage ;;
    esac
done
case "$llama$target" in
    -llama*-linux-gnu | *-linux-musl | *-apple-darwin) ;;
    *) usage ;;
esac
case "$llama$target" in
    -llama*-linux-musl | -llama*-apple-darwin) usage ;;
esac

needs() {
    command -v "$1" >/dev/null || fail "$1 is missing" "install Debian's $2"
}

rustup target add "$target" 2>/dev/null || fail "there is no Rust for $target" "install rustup: https://rustup.rs"
build=${CARGO_TARGET_DIR:-target}

# The C compiler that also links: glibc's serves musl too, whose start files and library come with Rust.
case "$target" in
    *-apple-darwin) ;;
    *)
        prefix=${target%%-*}-linux-gnu
        needs "$prefix-gcc" "gcc-$(echo "$prefix" | tr _ -)"
        name=$(echo "$target" | tr - _)
        export "CC_$name=$prefix-gcc" "AR_$name=$prefix-gcc-ar"
        export "CARGO_TARGET_$(echo "$name" | tr '[:lower:]' '[:upper:]')_LINKER=$prefix-gcc"
        ;;
esac

features=
if [ -n "$llama" ]; then
    needs "$prefix-g++" "g++-$(echo "$prefix" | tr _ -)"
    needs cmake cmake
    features="--features llama-portable"
    export "CXX_$name=$prefix-g++"
    # The libraries find each other in the folder that they share.
    # shellcheck disable=SC2016 # the loader's word, not the shell's
    export CMAKE_INSTALL_RPATH='$ORIGIN' CMAKE_BUILD_WITH_INSTALL_RPATH=ON
    if [ "${target%%-*}" = aarch64 ]; then
        # The headers that libclang reads.
        [ ! -d "/usr/$prefix/include" ] || export BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu="-I/usr/$prefix/include"
        launcher=$PWD/scripts/gcc-launcher.sh
        export CMAKE_C_COMPILER_LAUNCHER="$launcher" CMAKE_CXX_COMPILER_LAUNCHER="$launcher"
    fi
fi

# shellcheck disable=SC2086 # lists of words
cargo build --release --locked --target "$target" $bare $features

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
folder=edgeprof-$version-$target$llama${bare:+-bare}
out=dist/$folder
rm -rf "$out"
mkdir -p "$out"
cp "$build/$target/release/edgeprof" README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$out"
[ -z "${prefix:-}" ] || "$prefix-strip" "$out/edgeprof"

# llama.cpp's own libraries by the names that the loader asks for, and the kernels, of which it takes the best that the CPU runs.
if [ -n "$llama" ]; then
    # The newest, if there were several builds.
    # shellcheck disable=SC2012 # cargo names them in ASCII
    built=$(ls -td "$build/$target"/release/build/llama-cpp-sys-2-*/out | head -n 1)
    mkdir "$out/lib"
    for library in "$built"/lib/lib*.so; do
        soname=$("$prefix-objdump" -p "$library" | awk '$1 == "SONAME" { print $2 }')
        cp -L "$library" "$out/lib/${soname:-$(basename "$library")}"
    done
    cp -L "$built"/backends/libggml-cpu-*.so "$out/lib"
    "$prefix-strip" --strip-unneeded "$out"/lib/*
    # GCC bug 114098 (mended in 12.4, 13.3 and 14.1): its AMX kernels crash. Without them a CPU that has AMX runs its AVX-512 ones.
    case "$target$("$prefix-gcc" -dumpfullversion)" in
        x86_64*gnu1[01].* | x86_64*gnu12.[0-3].* | x86_64*gnu13.[0-2].*) rm "$out/lib/libggml-cpu-sapphirerapids.so" ;;
    esac
fi

archive=$folder.tar.gz
(
    cd dist
    # The same names, owners and order whoever builds it.
    if tar --version 2>/dev/null | grep -q GNU; then
        tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct 2>/dev/null || echo 0)" -cf - "$folder"
    else
        tar -cf - "$folder"
    fi | gzip -9n >"$archive"
    if command -v sha256sum >/dev/null; then sha256sum "$archive"; else shasum -a 256 "$archive"; fi >"$archive.sha256"
)
printf '\n== %s\n' "dist/$archive" >&2
cat "dist/$archive.sha256"

# Runs what was built by the words given: it predicts, and with llama.cpp calibrates on small synthetic models.
check() {
    "$@" predict --model tinyllama --hw pi5 --prec int4 --format json >/dev/null || fail "the built program does not run" "see above"
    printf 'predict runs: %s\n' "$*" >&2
    [ -n "$llama" ] || return 0
    kernels=$("$@" calibrate --plan --hw pi5 | sed -n 's/^with //p')
    printf 'kernels: %s\n' "${kernels:-none}" >&2
    # Where much else runs, it measures and then refuses to believe it.
    if ! said=$("$@" calibrate --hw pi5 --budget 5s --threads 1 --power none --output "$work/pi5.toml" 2>&1); then
        case "$said" in
            *"too busy to be measured"*) ;;
            *) fail "calibrate does not run: $said" "is the folder lib beside the program?" ;;
        esac
    fi
    printf 'calibrate runs\n' >&2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_DATA_HOME="$work" XDG_CACHE_HOME="$work"

if [ "${target%%-*}" = aarch64 ] && [ -n "${prefix:-}" ] && [ "$(uname -m)" != aarch64 ]; then
    if command -v qemu-aarch64 >/dev/null; then
        # A Raspberry Pi 4's CPU, which has no dot product, and a 5's, which has: each gets its own kernels, whatever built them.
        for cpu in cortex-a72 cortex-a76; do
            check qemu-aarch64 -cpu "$cpu" -L "/usr/$prefix" "$out/edgeprof"
            case "$llama $cpu ${kernels:-}" in
                "-llama cortex-a72 "*DOTPROD* | "-llama cortex-a72 ") fail "wrong kernels for a $cpu" "see src/calibrate/measure/portable.rs" ;;
                "-llama cortex-a72 "* | "-llama cortex-a76 "*DOTPROD* | " "*) ;;
                *) fail "wrong kernels for a $cpu" "see src/calibrate/measure/portable.rs" ;;
            esac
        done
    else
        printf 'not run: there is no qemu-aarch64\n' >&2
    fi
elif [ "$target" != x86_64-apple-darwin ]; then
    check "$out/edgeprof"
fi
