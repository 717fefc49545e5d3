#!/usr/bin/env bash
# Makes a Debian package: programs, model, units, manual pages. Installing it creates the user, enables the socket and
# starts it; the first request starts the service. Usage: Tools/deb.sh [OUTPUT] (by default .build/inversion_*.deb)
#   INVERSION_BUILD=FOLDER     the built programs, by default .build/release
#   INVERSION_DEB_COMPRESSION  as dpkg-deb -Z takes it, by default xz
set -euo pipefail
cd "$(dirname "$0")/.."
built=${INVERSION_BUILD:-.build/release}
version=$("$built/inversiond" --version)
architecture=$(dpkg --print-architecture)
output=${1:-.build/inversion_${version}_$architecture.deb}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
INVERSION_BUILD=$built Tools/install.sh "$root" /usr >/dev/null
mkdir -p "$root/DEBIAN" "$root/usr/share/doc/inversion"
cp LICENSE "$root/usr/share/doc/inversion/copyright"

# The packages of the libraries that the programs are linked to.
libraries() {
  ldd "$built/inversion" "$built/inversiond" | awk '$3 ~ /^\// {print $3}' | sort -u | while read -r library; do
    dpkg-query --search "$(realpath "$library")" "$library" 2>/dev/null | cut -d: -f1
  done | sort -u | paste -sd, | sed 's/,/, /g'
}

cat >"$root/DEBIAN/control" <<CONTROL
Package: inversion
Version: $version
Architecture: $architecture
Maintainer: Inversion <inversion@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $(libraries), libopenblas0, systemd (>= 247)
Section: graphics
Priority: optional
Description: teach a text-to-image model new words, and draw with them
 Inversion learns a word from a few pictures (Textual Inversion) and serves
 pictures over a Unix socket from machines that have no GPU.
CONTROL

echo /etc/inversion/inversiond.toml >"$root/DEBIAN/conffiles"

cat >"$root/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
systemd-sysusers inversiond.conf
systemd-tmpfiles --create inversiond.conf
[ -n "$2" ] || systemctl enable --quiet inversiond.socket
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl start inversiond.socket
  # An upgrade: the new program finishes what the socket has queued meanwhile.
  systemctl try-restart inversiond.service
fi
POSTINST
cat >"$root/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
if [ -d /run/systemd/system ]; then systemctl stop inversiond.socket inversiond.service; fi
systemctl disable --quiet inversiond.socket
PRERM
cat >"$root/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
# Words that people have taught it stay until they are purged.
[ "$1" != purge ] || rm -rf /var/lib/inversion
POSTRM
chmod 755 "$root"/DEBIAN/{postinst,prerm,postrm}
dpkg-deb --build --root-owner-group "-Z${INVERSION_DEB_COMPRESSION:-xz}" "$root" "$output" >/dev/null
echo "$output"
