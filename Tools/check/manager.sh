# Sourced: starts a systemd of our own as PID 1 of a copy-on-write view of this machine, and ends it with the script.
# Nothing outside the view changes. Needs root. `start_manager`, then `inside COMMAND`.

state=$(mktemp -d /tmp/inv-systemd-XXXXXX)
groups=()
manager=''
outer=''
pause() { read -rt 0.1 <> <(:) || true; }
cleanup() {
  [ -z "$manager" ] || kill -s RTMIN+3 "$manager" 2>/dev/null || true
  if [ -n "$outer" ]; then
    for _ in $(seq 100); do # a manager that does not come down is not waited for
      [ -n "$manager" ] && kill -0 "$outer" 2>/dev/null || break
      pause
    done
    kill "$outer" 2>/dev/null || true # takes what it started with it
    wait "$outer" 2>/dev/null || true
  fi
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
cd "$state/root"
rm -f usr/sbin/policy-rc.d # would keep packages from starting their services
rm -f var/lib/man-db/auto-update # nobody looks for a manual page here
mount -t proc proc proc
for shared in sys irq bus sysrq-trigger; do # else systemd-sysctl would write this machine's own
  [ -e "proc/$shared" ] || continue
  mount --bind "proc/$shared" "proc/$shared"
  mount -o remount,bind,ro "proc/$shared"
done
mount -t tmpfs tmpfs run
mkdir run/project # wherever the project lies: the view has a /tmp of its own
mount --bind "$project" run/project
mount -o remount,bind,ro run/project
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

# Starts the manager. Exit status 77: this machine's kernel or container lets no manager come up.
start_manager() {
  make_groups
  (
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs" || true; done
    exec setsid unshare --pid --fork --mount --uts --ipc --net --cgroup --kill-child=KILL --propagation private \
      bash "$state/init.sh" "$state" >"$state/manager" 2>&1
  ) &
  outer=$!
  local tries
  for tries in $(seq 300); do
    manager=$(pgrep -P "$outer" -x systemd || true)
    case $([ -z "$manager" ] || within 10 systemctl is-system-running 2>/dev/null) in
      running | degraded) return 0 ;;
    esac
    kill -0 "$outer" 2>/dev/null || break
    pause
  done
  echo "systemd: this machine lets no manager come up (asked $tries times): $(tail -n 3 "$state/manager")" >&2
  exit 77
}

# Runs a command under the manager: 'inside COMMAND', 'within SECONDS COMMAND'. A command that hangs is ended.
within() { timeout -k 5 "$1" nsenter -t "$manager" -a env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "${@:2}"; }
inside() { within 120 "$@"; }
