#!/usr/bin/env bash
# Runs the installed units under a real systemd of their own, on a copy-on-write view of this machine: install, sysusers,
# socket activation by a first request, hardening, reload, restart, stop. Nothing outside the view changes.
# Needs root, the release build (`make release`) and the packages systemd, util-linux, procps and curl.
# Usage: Tools/check/systemd.sh [MODEL-FOLDER]
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/../.."
model=$(readlink -f "${1:-models/emoji-64}")
[ "$(id -u)" -eq 0 ] || { echo 'systemd: only root can start a manager; run it through sudo' >&2; exit 77; }
[ -x .build/release/inversiond ] || { echo "systemd: run 'make release' first" >&2; exit 66; }

state=$(mktemp -d /tmp/inv-systemd-XXXXXX)
groups=()
manager=''
outer=''
cleanup() {
  [ -z "$manager" ] || kill -s RTMIN+3 "$manager" 2>/dev/null || true
  [ -z "$outer" ] || wait "$outer" 2>/dev/null || true
  local i
  for ((i = ${#groups[@]} - 1; i >= 0; i--)); do
    find "${groups[$i]}" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  rmdir "$state" 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 130' INT TERM

cat >"$state/init.sh" <<'INIT'
set -euo pipefail
state=$1
mount -t tmpfs tmpfs "$state"
mkdir "$state"/{up,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$state/up,workdir=$state/work" "$state/root"
cd "$state/root"
mount -t proc proc proc
for writable in sys irq bus sysrq-trigger; do  # else systemd-sysctl writes the host's
  [ ! -e "proc/$writable" ] || { mount --bind "proc/$writable" "proc/$writable"; mount -o remount,bind,ro "proc/$writable"; }
done
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do touch "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for i in 0 1 2; do ln -s "/proc/self/fd/$i" "dev/$(echo stdin stdout stderr | cut -d' ' -f$((i + 1)))"; done
ln -s /proc/self/fd dev/fd
mkdir -p .old
pivot_root . .old
umount -l /.old
: >/etc/machine-id
exec env -i container=inversion PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=basic.target --show-status=no
INIT
# A subgroup in every hierarchy keeps the manager's groups away from this machine's.
mapfile -t lines </proc/self/cgroup
(
  :
)
for line in "${lines[@]}"; do
  IFS=: read -r _ names path <<<"$line"
  case $names in *cpuset*) continue ;; esac
  for mounted in "/sys/fs/cgroup/${names#name=}" /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ -e "$mounted/cgroup.procs" ] || continue
    mkdir -p "$mounted$path/inversion-$$" && groups+=("$mounted$path/inversion-$$")
    break
  done
done
(
  for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs" || true; done
  exec setsid unshare --pid --fork --mount --uts --ipc --net --cgroup --kill-child=KILL --propagation private \
    bash "$state/init.sh" "$state"
) &
outer=$!
echo "$outer"; echo "${groups[@]}"
sleep 3
ps -ef --forest | tail -20
