#!/usr/bin/env bash
# Draws docs/concepts.png: a row for each concept set with its training pictures, the initializer word, the learned
# word and edits of it. One seed for all; nothing is picked.
# Usage: WORDS=FOLDER Benchmarks/concept-sheet.sh, after WORDS=FOLDER Benchmarks/concepts.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=${INVERSION_BIN:-.build/release}
model=${MODEL:-models/emoji-64}
words=${WORDS:?give the folder of the learned words}
seed=${SEED:-1}
place=$(mktemp -d /tmp/inv-XXXXXX)
trap 'kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null || true; rm -rf "$place"' EXIT
"$programs/inversiond" --model "$model" --embeddings "$words" --socket "$place/socket" 2>/dev/null </dev/null &
daemon=$!
until "$programs/inversion" status --socket "$place/socket" >/dev/null 2>&1; do kill -0 "$daemon"; done

draw() { # FILE PROMPT
  "$programs/inversion" generate "$2" -o "$place/$1.png" --seed "$seed" --strict --socket "$place/socket" \
    >/dev/null 2>&1 </dev/null
  row+=" $place/$1.png"
}

rows=()
while IFS=$'\t' read -r concept token word; do
  row="concepts/$concept/1.png concepts/$concept/2.png concepts/$concept/held-out/1.png"
  draw "$concept-0" "a photo of a $word"
  draw "$concept-1" "a photo of a $token"
  draw "$concept-2" "a photo of a $token on a blue background"
  draw "$concept-3" "a $token on a yellow background"
  draw "$concept-4" "a sketch of a $token"
  draw "$concept-5" "a silhouette of a $token on a green background"
  rows+=("$row")
done < <(sed -nE 's/^\| ([a-z-]+) \| `(<[^`]+>)` \| ([^|]+) \|.*/\1\t\2\t\3/p' concepts/README.md)
Tools/demo/contact-sheet.py docs/concepts.png "${rows[@]}"
echo "docs/concepts.png: ${#rows[@]} concepts"
