#!/usr/bin/env bash
# Finds a Swift 6.2+ toolchain, puts it first on PATH and runs the given command: Tools/swift.sh swift build
# Looked for on PATH, then under $SWIFT_HOME and the places where toolchains are usually unpacked.
set -euo pipefail

usable() { # FOLDER: has a swift of version 6.2 or later (this project is developed with 6.3)
  [ -x "$1/swift" ] || return 1
  local version
  version=$("$1/swift" --version 2>/dev/null </dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  [ -n "$version" ] || return 1
  local major=${version% *} minor=${version#* }
  [ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 2 ]; }
}

candidates=()
if on_path=$(command -v swift); then candidates+=("$(dirname "$(readlink -f "$on_path")")" "$(dirname "$on_path")"); fi
[ -z "${SWIFT_HOME:-}" ] || candidates+=("$SWIFT_HOME/usr/bin" "$SWIFT_HOME/bin")
for folder in "${HOME:-/nonexistent}"/.local/share/swiftly/bin /opt/swift*/usr/bin /usr/local/swift*/usr/bin \
  /usr/share/swift*/usr/bin /usr/libexec/swift*/bin; do
  [ ! -d "$folder" ] || candidates+=("$folder")
done
for folder in "${candidates[@]}"; do
  if usable "$folder"; then
    export PATH="$folder:$PATH"
    exec "$@"
  fi
done
cat >&2 <<'MESSAGE'
swift: no Swift 6.2 or later found on PATH, in $SWIFT_HOME or in the usual places.
Install the Debian 12 toolchain (6.3) from https://www.swift.org/install/linux/, then put its usr/bin on PATH or set
SWIFT_HOME to the folder that holds usr/bin.
MESSAGE
exit 69
