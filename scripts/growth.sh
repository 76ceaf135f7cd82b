#!/usr/bin/env bash
# How time and memory of a sweep grow with its rows, as a table of Markdown: predicted and none kept, and 14 columns into a folder of Parquet.
# Of the whole process, start and end included. Takes ten minutes on two cores, and two gigabytes of disk at most; wants GNU time.
#
#   scripts/growth.sh [PROGRAM] [EXPONENT]    from 10^3 rows to 10^EXPONENT (default target/release/edgeprof, 8)
set -euo pipefail

program=${1:-target/release/edgeprof}
last=${2:-8}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

columns=model,hardware,backend,precision,power_mode,threads,ubatch,prompt,generate,depth,memory_bytes,fits,decode_tokens_per_s
columns+=,decode_energy_j_per_token

# Seconds and peak MiB of a command.
measured() {
  command time -f '%e %M' -o "$folder/time" "$@" >"$folder/rows"
  read -r seconds kib <"$folder/time"
  rm -rf "$folder/rows" "$folder/set"
  echo "$seconds" $((kib / 1024))
}

echo '| rows | predicted | memory | into Parquet | memory |'
echo '|--:|--:|--:|--:|--:|'
for ((exponent = 3; exponent <= last; exponent++)); do
  # A hundred combinations for each of so many depths and lengths.
  depths=$((10 ** (exponent < 6 ? exponent - 2 : 3)))
  lengths=$((10 ** (exponent < 6 ? 0 : exponent - 5)))
  sweep=("$program" sweep --model 'tinyllama,llama-3.2-1b,gemma-3-1b,qwen2.5-0.5b,smollm2-360m' --hw "pi5,orin-nano-super"
    --prec "q4_0,q8_0" --prompt 128..640+128 --depth "0..$((depths - 1))+1" --generate "1..$lengths+1")
  read -r seconds mib < <(measured "${sweep[@]}" --where 'decode_tokens_per_s > 1e9' --format csv)
  read -r table_seconds table_mib < <(measured "${sweep[@]}" --columns "$columns" -o "$folder/set/")
  echo "| 10^$exponent | $seconds s | $mib MiB | $table_seconds s | $table_mib MiB |"
done
