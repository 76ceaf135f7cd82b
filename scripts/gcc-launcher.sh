#!/bin/sh
# Runs the compiler that it is given. ggml's variants for Armv9.2 differ from those for Armv8.6 only in the flag for SME, which
# ggml itself does not use and GCC before 14 does not know: those get Armv8.6's flags.
set -eu

rest=$#
while [ "$rest" -gt 0 ]; do
    argument=$1
    shift
    rest=$((rest - 1))
    case "$argument" in
        -march=armv9.2-a*+sme) argument=-march=armv8.6-a${argument#-march=armv9.2-a} argument=${argument%+sme} ;;
    esac
    set -- "$@" "$argument"
done
exec "$@"
