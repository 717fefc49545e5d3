#!/usr/bin/env bash
# Runs the installed units under a systemd of their own, on a copy-on-write view of this machine: users, socket
# activation by a first request, hardening, reload, restart, stop. Nothing outside the view changes.
# Needs root, the release build (`make release`) and the packages systemd, util-linux, procps and curl.
# Usage: Tools/check/systemd.sh
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo 'systemd: only root can start a manager; run it through sudo' >&2; exit 77; }
for tool in unshare nsenter pgrep curl systemctl; do
  command -v "$tool" >/dev/null && continue
  echo "systemd: '$tool' is missing; apt-get install util-linux procps curl systemd" >&2
  exit 69
done

state=$(mktemp -d /tmp/inv-systemd-XXXXXX)
groups=()
manager=''
outer=''
cleanup() {
  if [ -n "$manager" ]; then
    kill -s RTMIN+3 "$manager" 2>/dev/null || true
  elif [ -n "$outer" ]; then
    kill "$outer" 2>/dev/null || true # takes what it started with it
  fi
  [ -z "$outer" ] || wait "$outer" 2>/dev/null || true
  local i
  for ((i = ${#groups[@]} - 1; i >= 0; i--)); do
    find "${groups[$i]}" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  rm -rf "$state"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# What becomes PID 1 of the view. It runs in the project's folder, with all mounts private.
cat >"$state/init.sh" <<'INIT'
set -euo pipefail
state=$1 project=$PWD
mount -t tmpfs tmpfs "$state"
mkdir "$state"/{up,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$state/up,workdir=$state/work" "$state/root"
Tools/install.sh "$state/root" /usr >/dev/null
cd "$state/root"
mount -t proc proc proc
for shared in sys irq bus sysrq-trigger; do # else systemd-sysctl would write this machine's own
  [ -e "proc/$shared" ] || continue
  mount --bind "proc/$shared" "proc/$shared"
  mount -o remount,bind,ro "proc/$shared"
done
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mkdir -p .old
pivot_root . .old
umount -l /.old
: >/etc/machine-id
exec env -i container=inversion PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=basic.target --show-status=no
INIT

# A subgroup of our own in every hierarchy keeps the manager's groups away from this machine's.
make_groups() {
  local line names path mounted
  while IFS= read -r line; do
    IFS=: read -r _ names path <<<"$line"
    case $names in *cpuset*) continue ;; esac
    for mounted in "/sys/fs/cgroup/${names#name=}" /sys/fs/cgroup/unified /sys/fs/cgroup; do
      [ -e "$mounted/cgroup.procs" ] || continue
      mkdir -p "$mounted$path/inversion-$$" && groups+=("$mounted$path/inversion-$$")
      break
    done
  done < <(cat /proc/self/cgroup)
}

start_manager() {
  (
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs" || true; done
    exec setsid unshare --pid --fork --mount --uts --ipc --net --cgroup --kill-child=KILL --propagation private \
      bash "$state/init.sh" "$state"
  ) &
  outer=$!
  local tries
  for tries in $(seq 100); do
    manager=$(pgrep -P "$outer" -x systemd || true)
    if [ -n "$manager" ] && inside systemctl is-system-running --wait >/dev/null 2>&1; then return 0; fi
    kill -0 "$outer" 2>/dev/null || break
    read -rt 0.1 <> <(:) || true
  done
  echo "systemd: the manager did not come up (after $tries tries)" >&2
  exit 70
}

inside() { nsenter -t "$manager" -a env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
step() { printf 'systemd: %s\n' "$1"; }
fail() {
  printf 'systemd: FAILED: %s\n' "$1" >&2
  [ ! -s "$state/log" ] || tail -n 5 "$state/log" >&2
  inside journalctl --no-pager -n 30 -u inversiond >&2 || true
  exit 70
}
ask() { # ROUTE
  inside curl --silent --show-error --fail --max-time 60 --unix-socket /run/inversiond.sock "http://localhost$1"
}
property() { inside systemctl show --value -p "$1" inversiond.service; }

make_groups
start_manager
step 'a manager of its own runs'
inside systemd-sysusers
inside systemctl daemon-reload
inside systemctl start inversiond.socket || fail 'the socket does not start'
[ "$(property ActiveState)" = inactive ] || fail 'the service runs before anybody asked'
access=$(inside stat -c '%U:%G %a' /run/inversiond.sock)
[ "$access" = 'inversiond:inversion 660' ] || fail "the socket belongs to $access"
step "the socket is there ($access), the service is not started yet"

began=$(date +%s%N)
ask /v1/status >/dev/null || fail 'the first request gets no answer'
step "the first request started the service and was answered after $((($(date +%s%N) - began) / 1000000)) ms"
pid=$(property MainPID)
[ "$(property StatusText)" != '' ] || fail 'the service tells no status'
[ "$(inside stat -c %U "/proc/$pid")" = inversiond ] || fail 'the service does not run as its user'

inside runuser -u nobody -- curl --silent --max-time 5 --unix-socket /run/inversiond.sock http://localhost/v1/status \
  >/dev/null && fail 'a stranger is served'
step 'a user outside the group is refused by the socket'

inside useradd --groups inversion learner
read -r concept token word _ <Tools/demo/concept
inside cp -r "$PWD/$concept" /tmp/pictures
inside runuser -u learner -- inversion train --images /tmp/pictures --token "$token" --init-word "$word" --steps 2 \
  --output /var/lib/inversion/embeddings/learned.safetensors >"$state/log" 2>&1 || fail 'a member cannot add a word'
inside runuser -u learner -- inversion generate "a $token" -o /tmp/a.png --steps 4 --strict >"$state/log" 2>&1 ||
  fail 'no picture of the word that a member added'
step "a member of the group added a word and got a picture of it ($(inside stat -c %s /tmp/a.png) bytes)"

inside systemctl reload inversiond || fail 'reload'
ask /v1/status >/dev/null || fail 'no answer after the reload'
[ "$(property MainPID)" = "$pid" ] || fail 'the reload started another process'
step 'reload keeps the process'

inside kill -KILL "$pid"
ask /v1/status >/dev/null || fail 'no answer after kill -9'
[ "$(property MainPID)" != "$pid" ] || fail 'kill -9 did not end it'
step 'after kill -9 the next request is answered by a new process, and none was refused'

inside systemctl stop inversiond.socket inversiond.service || fail 'stop'
[ "$(property Result)" = success ] || fail "it stopped with $(property Result)"
step 'it stops cleanly'
# In a container whose root may not raise limits, LimitNICE= is without effect, and libdispatch says so.
inside journalctl --no-pager -u inversiond | grep -v 'thread priority' | grep -iE 'failed to |not permitted|denied' &&
  fail 'the hardening bites it'
inside systemd-analyze security --no-pager --threshold=10 inversiond.service >/dev/null ||
  fail 'its exposure is above 1.0'
step 'all in order'
