#!/usr/bin/env bash
# Fuzzes every parser of bytes from outside in turn, at the lowest priority, each for SECONDS.
# Usage: Tools/fuzz/run.sh SECONDS [PARSER...]  (`make fuzz SECONDS=60`)
# What is learned stays in .build-fuzz/corpus and the counts in .build-fuzz/executions.tsv; a finding is written to
# .build-fuzz/findings, ends the run, and belongs into Tests/CrashTests once it is mended (docs/fuzzing.md).
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=$1
shift
scratch=.build-fuzz
samples=Tests/FormatsTests/Samples
pictures=Tests/ImagesTests/Samples
words=Tests/EmbeddingsTests/Samples

seeds() { # PARSER: the folders that its corpus starts from
  case $1 in
    safetensors) echo "$samples/safetensors $samples/safetensors-bad" ;;
    torch | pickle | zip) echo "$samples/torch $samples/torch-bad" ;;
    gguf) echo "$samples/gguf" ;;
    png | jpeg | webp) echo "$pictures" ;;
    embedding) echo "$words $samples/torch $samples/gguf" ;;
    prompt | grammar | encoding) echo "Tools/fuzz/seeds/prompt" ;;
    *) echo "Tools/fuzz/seeds/$1" ;;
  esac
}

longest() { # PARSER: bytes of an input; short ones reach as much and run faster
  case $1 in
    json | prompt | grammar | encoding | request | tokenizer | infotext) echo 512 ;;
    torch | zip) echo 4096 ;;
    embedding) echo 8192 ;;
    *) echo 1024 ;;
  esac
}

echo 15 2>/dev/null >"/proc/$$/autogroup" || true
[ -e "$scratch/release/Fuzz" ] || echo 'fuzz: building everything with the sanitizers, the first time takes long'
INVERSION_FUZZ=1 nice Tools/swift.sh swift build -c release --scratch-path "$scratch" --product Fuzz \
  --sanitize fuzzer --sanitize address -Xswiftc -enable-testing
all=(safetensors torch pickle zip gguf png jpeg webp embedding prompt json tokenizer)
all+=(grammar encoding request compatible multipart infotext)
[ $# -gt 0 ] || set -- "${all[@]}"
mkdir -p "$scratch/findings"
for parser; do
  mkdir -p "$scratch/corpus/$parser"
  log=$scratch/$parser.log
  # shellcheck disable=SC2046 # folders, none with a space
  INVERSION_FUZZ_PARSER=$parser ASAN_OPTIONS=detect_leaks=0 nice -n 19 "$scratch/release/Fuzz" \
    "$scratch/corpus/$parser" $(seeds "$parser") -max_total_time="$seconds" -max_len="$(longest "$parser")" \
    -timeout=20 -rss_limit_mb=1500 -malloc_limit_mb=500 -artifact_prefix="$scratch/findings/$parser-" \
    -print_final_stats=1 2>"$log" || {
    tail -n 40 "$log"
    echo "fuzz: a finding of '$parser' is in $scratch/findings"
    exit 1
  }
  executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  printf '%s\t%s\n' "$parser" "$executed" >>"$scratch/executions.tsv"
  printf 'fuzz: %-12s %12d executions, none failed\n' "$parser" "$executed"
done
awk -F '\t' '{ total[$1] += $2; all += $2 } END { for (p in total) print p "\t" total[p]; print "all\t" all }' \
  "$scratch/executions.tsv" | sort >"$scratch/total.tsv"
echo "fuzz: $(sed -n 's/^all\t//p' "$scratch/total.tsv") executions so far"
