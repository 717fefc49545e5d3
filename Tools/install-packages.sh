#!/usr/bin/env bash
# Installs the Debian packages of Tools/packages.txt that are missing; silent and fast when none is.
# Usage: Tools/install-packages.sh [LIST]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
list=${1:-$here/packages.txt}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "install-packages: not a Debian system; install what '$list' names by hand" >&2
  exit 0
fi

missing=()
while read -r name; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$name")
done < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list")
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install-packages: not root and no sudo; ask an administrator to run:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 77
  fi
  echo "install-packages: using sudo for apt-get" >&2
  as_root=(sudo)
fi
echo "install-packages: installing ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq "$@" </dev/null >"$log" 2>&1
}
apt update || echo "install-packages: apt-get update failed, trying with the lists that are there" >&2
apt install --yes --no-install-recommends "${missing[@]}" || {
  tail -n 20 "$log" >&2
  echo "install-packages: apt-get install failed; see above" >&2
  exit 69
}
