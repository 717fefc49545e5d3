#!/usr/bin/env bash
# Installs the release programs with their resources, the embedded model, the systemd units and the docs.
# Usage: Tools/install.sh DESTDIR PREFIX (DESTDIR may be empty; `make install` gives both)
#   INVERSION_BUILD=FOLDER  the built programs, by default .build/release
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 2 ] || { echo 'install: give DESTDIR and PREFIX' >&2; exit 64; }
root=$1 prefix=$2
built=${INVERSION_BUILD:-.build/release}

for program in inversion inversiond; do
  [ -x "$built/$program" ] || { echo "install: '$built/$program' is missing; run 'make release' first" >&2; exit 66; }
done

# The programs look for their resources beside themselves, so they live together and bin/ holds links.
home=$prefix/lib/inversion
install -d "$root$home" "$root$prefix/bin"
for program in inversion inversiond; do
  # Without the symbols, which are two thirds of it and of use to debuggers alone.
  install -m 755 --strip "$built/$program" "$root$home/$program"
  ln -sf "../lib/inversion/$program" "$root$prefix/bin/$program"
done
for bundle in "$built"/*.resources; do
  [ -d "$bundle" ] || continue
  rm -rf "$root$home/$(basename "$bundle")"
  cp -r "$bundle" "$root$home/"
done

for model in models/*/; do
  [ -d "$model" ] || continue
  install -d "$root$prefix/share/inversion/models"
  rm -rf "$root$prefix/share/inversion/models/$(basename "$model")"
  cp -r "$model" "$root$prefix/share/inversion/models/"
done

# What the daemon serves: the embedded model, quantised and packed. Training takes the weights above.
packages=$root$prefix/share/inversion/packages
rm -rf "$packages"
if ! output=$("$root$home/inversion" models import models/emoji-64 --name emoji-64 --models "$packages" 2>&1); then
  echo "install: $output" >&2
  exit 70
fi
install -d "$root$prefix/share/inversion/models-manifest"
install -m 644 models-manifest/*.json "$root$prefix/share/inversion/models-manifest/"

install -d "$root$prefix/share/doc/inversion" "$root$prefix/lib/systemd/system" "$root$prefix/lib/sysusers.d" \
  "$root$prefix/lib/tmpfiles.d" "$root$prefix/share/man/man1" "$root$prefix/share/man/man8"
install -m 644 README.md LICENSE NOTICE docs/*.md "$root$prefix/share/doc/inversion/"
install -m 644 units/inversiond.socket "$root$prefix/lib/systemd/system/"
sed -e "s|/usr/bin/|$prefix/bin/|g" -e "s|/usr/share/|$prefix/share/|g" units/inversiond.service |
  install -m 644 /dev/stdin "$root$prefix/lib/systemd/system/inversiond.service"
install -d "$root/etc/inversion"
# Somebody's own settings are kept.
[ -e "$root/etc/inversion/inversiond.toml" ] || sed -e "s|/usr/share/|$prefix/share/|g" units/inversiond.toml |
  install -m 644 /dev/stdin "$root/etc/inversion/inversiond.toml"
install -m 644 units/inversiond.sysusers "$root$prefix/lib/sysusers.d/inversiond.conf"
install -m 644 units/inversiond.tmpfiles "$root$prefix/lib/tmpfiles.d/inversiond.conf"

for page in inversion.1 inversiond.8; do
  "$built/${page%.*}" --experimental-dump-help | Tools/manual.py "${page##*.}" "units/$page.footer" |
    sed -e "s|/usr/share/|$prefix/share/|g" | gzip -9n |
    install -m 644 /dev/stdin "$root$prefix/share/man/man${page##*.}/$page.gz"
done

echo "install: installed under '$root$prefix'"
if [ -z "$root" ]; then
  echo 'install: next, as root: systemd-sysusers && systemd-tmpfiles --create &&' \
    'systemctl daemon-reload && systemctl enable --now inversiond.socket'
fi
