#!/usr/bin/env bash
# The whole story in one go: a daemon with the embedded model runs, a new word is learned from real pictures, the same
# daemon draws it. Everything runs in a temporary folder; the pictures stay in demo-output/.
# Usage: Tools/demo/demo.sh (`make demo`); INVERSION_BIN=FOLDER uses programs that are built already.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${INVERSION_BIN:-}" ] && [ -z "${INVERSION_TOOLCHAIN:-}" ]; then
  INVERSION_TOOLCHAIN=found exec Tools/swift.sh "$0" "$@"
fi

# The concept: folder, token, initializer word, what it is.
read -r concept token word steps <Tools/demo/concept
model=models/emoji-64
output=demo-output
seed=7

say() { printf '\033[1m%-10s\033[0m %s\n' "$1" "$2"; }
[ -t 1 ] || say() { printf '%-10s %s\n' "$1" "$2"; }
fail() {
  printf 'demo: %s\n' "$1" >&2
  exit 70
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# The socket's path has to fit 107 bytes, so the folder is short whatever TMPDIR says.
place=$(mktemp -d /tmp/inv-XXXXXX)
socket=$place/socket
words=$place/words
daemon=''
cleanup() {
  [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null; } || true
  rm -rf "$place"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir -p "$words" "$output"
rm -f "$output"/*.png "$output"/*.log "$output"/*.safetensors

given() { find "$concept" -maxdepth 1 -name '*.png' | sort; }
file_of_word() { echo "$words/${token//[<>]/}.safetensors"; }

build() {
  [ -z "${INVERSION_BIN:-}" ] || { bin=$INVERSION_BIN; say build "using the programs in '$bin'"; return; }
  say build "the programs (release); a first build takes some minutes, log in $output/build.log"
  local began=$SECONDS
  make release >"$output/build.log" 2>&1 </dev/null || { tail -n 20 "$output/build.log" >&2; fail 'the build failed'; }
  bin=.build/release
  say '' "built in $((SECONDS - began)) s"
}

# The process that answers on the socket, as it says itself; fails while none does.
serving() {
  "$bin/inversion" status --socket "$socket" 2>/dev/null | awk '$1 == "pid" { print $2; found = 1 } END { exit !found }'
}
alive() { kill -0 "$daemon" 2>/dev/null || { cat "$output/daemon.log" >&2; fail 'the daemon ended'; }; }
known() { "$bin/inversion" embeddings list --socket "$socket" 2>/dev/null | grep -qF "${token//[<>]/}"; }

# What the daemon serves is int8; the trainer takes the weights as they are.
pack() {
  "$bin/inversion" models import "$model" --name emoji-64 --models "$place" >"$output/import.log" 2>&1 </dev/null ||
    { cat "$output/import.log" >&2; fail 'the model cannot be imported'; }
  local size
  size=$(du -sk "$place/emoji-64" | cut -f1)
  say model "$model, $(du -sk "$model" | cut -f1) kB, packed in int8: $size kB"
}

start_daemon() {
  local began
  began=$(milliseconds)
  "$bin/inversiond" --model "$place/emoji-64" --embeddings "$words" --socket "$socket" \
    >"$output/daemon.log" 2>&1 </dev/null &
  daemon=$!
  until serving >/dev/null; do
    alive
    [ $(($(milliseconds) - began)) -lt 60000 ] || fail 'the daemon did not answer within a minute'
  done
  say daemon "pid $daemon serves '$socket', first answer after $(($(milliseconds) - began)) ms"
}

draw() { # PROMPT FILE: --strict refuses a word that is not in force instead of drawing without it
  "$bin/inversion" generate "$1" -o "$output/$2" --seed $seed --strict --socket "$socket" >/dev/null 2>&1 </dev/null ||
    fail "no picture of '$1'"
  say '' "'$1'  ->  $output/$2"
}

learn() {
  say learn "'$token' from $(given | wc -l) pictures in $concept/, starting from '$word'"
  local began=$SECONDS
  "$bin/inversion" train --images "$concept" --token "$token" --init-word "$word" --steps "$steps" --model "$model" \
    --output "$(file_of_word)" </dev/null
  say '' "$((SECONDS - began)) s; the file has $(stat -c %s "$(file_of_word)") bytes"
}

take_up() {
  local began
  began=$(milliseconds)
  until known; do
    alive
    [ $(($(milliseconds) - began)) -lt 10000 ] || fail "the daemon did not take up '$token' within 10 s"
  done
  local took=$(($(milliseconds) - began))
  [ "$(serving)" = "$daemon" ] || fail "another process than $daemon answers now"
  say 'hot load' "pid $daemon, the same process, knew '$token' at most $took ms after its file was there"
  cp "$(file_of_word)" "$output/"
}

sheet() {
  Tools/demo/contact-sheet.py "$output/sheet.png" "$(given | tr '\n' ' ')" \
    "$output/before.png $output/before-green.png $output/before-sketch.png" \
    "$output/after.png $output/after-green.png $output/after-sketch.png"
}

build
pack
start_daemon
say before "pictures of the initializer word"
draw "a photo of a $word" before.png
draw "a photo of a $word on a green background" before-green.png
draw "a sketch of a $word" before-sketch.png
learn
take_up
say after "pictures of the new word"
draw "a photo of a $token" after.png
draw "a photo of a $token on a green background" after-green.png
draw "a sketch of a $token" after-sketch.png
sheet
say done "$output/sheet.png: the pictures given (top), '$word' (middle), '$token' (bottom)"
