# Sourced by the benchmarks that teach every concept of concepts/ in several ways.
# INVERSION_BIN=FOLDER of the program, MODEL=FOLDER of the model.
program=${INVERSION_BIN:-.build/release}/inversion
model=${MODEL:-models/emoji-64}
[ -x "$program" ] || { echo "$(basename "$0"): '$program' is missing; run 'make release' first" >&2; exit 66; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# teach FOLDER FLAGS...: learns each concept into the folder.
teach() {
  local folder=$1
  shift
  mkdir -p "$folder"
  # Rows of the table in concepts/README.md: | folder | `token` | initializer | origin |
  sed -nE 's/^\| ([a-z-]+) \| `(<[^`]+>)` \| ([^|]+) \|.*/\1\t\2\t\3/p' concepts/README.md |
    while IFS=$'\t' read -r concept token word; do
      "$program" train --images "concepts/$concept" --token "$token" --init-word "$word" --model "$model" \
        --output "$folder/$concept.safetensors" "$@" 2>/dev/null </dev/null
    done
}
