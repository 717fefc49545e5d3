#!/usr/bin/env bash
# Runs `make demo` and `make test` from a fresh clone in a minimal Debian 12 root that has a Swift toolchain, git and
# make and nothing else. Needs root, debootstrap and unshare (util-linux). Ends with the status of what failed first.
#
#   --swift FOLDER      toolchain, the folder that holds usr/bin (default: the one on PATH); seen read-only inside
#   --mirror URL        Debian mirror (default: the one that this machine's apt uses)
#   --gitconfig FILE    becomes /etc/gitconfig inside, where packages come from a mirror of one's own
#   --bind FOLDER       is seen read-only inside at the same path (repeatable)
#   --base FOLDER       keeps the bare Debian root there for the next run (default: made anew)
#   --keep              leaves the root for a look and says where
#   --user              runs as an ordinary user with sudo instead of root
#   COMMAND...          what to run in the clone (default: 'make demo' and 'make test')
set -euo pipefail
exec </dev/null
source_tree=$(cd "$(dirname "$0")/../.." && pwd)

swift=''; mirror=''; gitconfig=''; base=''; keep=no; user=root; binds=()
while [ $# -gt 0 ]; do
  case $1 in
    --swift) swift=$2; shift 2 ;;
    --mirror) mirror=$2; shift 2 ;;
    --gitconfig) gitconfig=$2; shift 2 ;;
    --bind) binds+=("$2"); shift 2 ;;
    --base) base=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    --user) user=builder; shift ;;
    --*) echo "clean-machine: unknown flag '$1'; the flags are described at the top of '$0'" >&2; exit 64 ;;
    *) break ;;
  esac
done
commands=("$@")
[ ${#commands[@]} -gt 0 ] || commands=('make demo' 'make test')

[ "$(id -u)" -eq 0 ] || { echo 'clean-machine: only root can make a root folder; run it through sudo' >&2; exit 77; }
for tool in debootstrap unshare git; do
  command -v "$tool" >/dev/null || { echo "clean-machine: '$tool' is missing; apt-get install $tool" >&2; exit 69; }
done
if [ -z "$mirror" ]; then
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v -m 1 -e '-security')
  [ -n "$mirror" ] || { echo "clean-machine: apt knows no mirror; give --mirror" >&2; exit 69; }
fi
if [ -z "$swift" ]; then
  swift=$(readlink -f "$(command -v swift)") || { echo 'clean-machine: no swift on PATH; give --swift' >&2; exit 69; }
  swift=${swift%/usr/bin/*}
fi
[ -x "$swift/usr/bin/swift" ] || { echo "clean-machine: '$swift' has no usr/bin/swift" >&2; exit 66; }

place=$(mktemp -d "${TMPDIR:-/tmp}/inversion-clean.XXXXXX")
cleanup() {
  if [ $keep = yes ]; then
    echo "clean-machine: the root is kept in '$place/root'"
  else
    rm -rf --one-file-system "$place"
  fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

echo "clean-machine: making a minimal Debian 12 in '$place'"
bare=${base:-$place/bare}
if [ ! -x "$bare/bin/sh" ]; then
  debootstrap --variant=minbase --include=ca-certificates bookworm "$bare" "$mirror" >"$place/log" ||
    { tail -n 20 "$place/log" >&2; exit 69; }
fi
cp -a "$bare" "$place/root"
cp /etc/resolv.conf "$place/root/etc/resolv.conf"
echo "deb $mirror bookworm main" >"$place/root/etc/apt/sources.list"
echo "127.0.0.1 localhost $(uname -n)" >"$place/root/etc/hosts"
[ -z "$gitconfig" ] || install -m 644 "$gitconfig" "$place/root/etc/gitconfig"
git clone --quiet --no-local "$source_tree" "$place/root/clone"

cat >"$place/root/inside.sh" <<'INSIDE'
set -euo pipefail
cd /clone
user=$1
shift
apt-get -qq update
apt-get -qq install --yes --no-install-recommends git make >/dev/null
as=()
if [ "$user" != root ]; then
  apt-get -qq install --yes --no-install-recommends sudo >/dev/null
  useradd --create-home "$user"
  echo "$user ALL=(ALL) NOPASSWD: ALL" >"/etc/sudoers.d/$user"
  chown -R "$user:$user" /clone
  as=(sudo --user "$user" --set-home env "PATH=$PATH")
fi
for command in "$@"; do
  printf '\n==> clean machine, as %s: %s\n' "$user" "$command"
  began=$SECONDS
  "${as[@]}" bash -c "$command" || { status=$?; printf '==> FAILED with %d: %s\n' $status "$command"; exit $status; }
  printf '==> %d s: %s\n' $((SECONDS - began)) "$command"
done
INSIDE

cat >"$place/enter.sh" <<'ENTER'
set -euo pipefail
root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
  mount -o remount,bind,ro "$root$1"
  shift
done
shift
swift=$1
shift
exec env -i HOME=~root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
  PATH="$swift/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
  chroot "$root" /bin/bash /inside.sh "$@"
ENTER
unshare --mount --pid --fork --kill-child --propagation private \
  bash "$place/enter.sh" "$place/root" "$swift" ${binds[@]+"${binds[@]}"} -- "$swift" "$user" "${commands[@]}"
