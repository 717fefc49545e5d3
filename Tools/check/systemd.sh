#!/usr/bin/env bash
# Installs the Debian package under a systemd of its own, on a copy-on-write view of this machine, and lives through
# what a service lives through: activation, reload, hang, crash, no memory, upgrade, removal. Nothing outside the view
# changes.
# Usage: Tools/check/systemd.sh. Exit status 77: this machine cannot run it (not root, or a tool is missing).
#   INVERSION_BUILD=FOLDER  the built programs, by default .build/release
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo 'systemd: only root can start a manager; run it through sudo' >&2; exit 77; }
for tool in unshare nsenter pgrep curl systemctl dpkg-deb; do
  command -v "$tool" >/dev/null && continue
  echo "systemd: '$tool' is missing; apt-get install util-linux procps curl systemd dpkg" >&2
  exit 77
done
# shellcheck source=Tools/check/manager.sh
. Tools/check/manager.sh

step() { printf 'systemd: %s\n' "$1"; }
fail() {
  printf 'systemd: FAILED: %s\n' "$1" >&2
  [ ! -s "$state/log" ] || tail -n 5 "$state/log" >&2
  inside journalctl --sync || true
  inside journalctl --no-pager -n 30 -u inversiond >&2 || true
  exit 70
}
ask() { # ROUTE
  inside curl --silent --show-error --fail --max-time 60 --unix-socket /run/inversiond.sock "http://localhost$1"
}
ask_picture() {
  inside curl --silent --show-error --fail --max-time 60 --unix-socket /run/inversiond.sock --output /dev/null \
    http://localhost/v1/generate -d '{"prompt": "x", "steps": 1}'
}
# Entries of the service in the journal, a line each, with these fields.
entries() { # FIELD=VALUE...
  inside journalctl --sync
  inside journalctl --no-pager --output json --unit inversiond "$@"
}
# Puts the settings of the package into force, with these before or in the place of the last table.
set_up() { # TOML
  local settings=/etc/inversion/inversiond.toml
  inside test -e $settings.own || inside cp $settings $settings.own
  case $1 in
    '['*) inside sed '/^\[access\]/,$d' $settings.own && printf '%s\n' "$1" ;;
    *) printf '%s\n' "$1" && inside cat $settings.own ;;
  esac >"$state/settings"
  inside tee $settings <"$state/settings" >/dev/null
}
property() { inside systemctl show --value -p "$1" inversiond.service; }
# Waits until the service is another process: a manager notices an end a moment after it.
replaced() { # PID
  local tries now
  for tries in $(seq 300); do
    now=$(property MainPID)
    [ "$now" = "$1" ] || [ "$now" = 0 ] || return 0
    pause
  done
  return 1
}
override() { # TEXT: what the unit shall have beside its own; nothing takes it back
  inside mkdir -p /run/systemd/system/inversiond.service.d
  printf '[Service]\n%s\n' "$1" | inside tee /run/systemd/system/inversiond.service.d/test.conf >/dev/null
  inside systemctl daemon-reload
}

INVERSION_DEB_COMPRESSION=none Tools/deb.sh "$state/inversion.deb" >/dev/null
start_manager
package=/run/inversion.deb
inside tee "$package" <"$state/inversion.deb" >/dev/null
step 'a manager of its own runs'

inside dpkg --install "$package" >"$state/log" 2>&1 || fail 'the package cannot be installed'
[ "$(inside systemctl is-enabled inversiond.socket)" = enabled ] || fail 'the socket is not enabled'
[ "$(property ActiveState)" = inactive ] || fail 'the service runs before anybody asked'
access=$(inside stat -c '%U:%G %a' /run/inversiond.sock)
[ "$access" = 'inversiond:inversion 660' ] || fail "the socket belongs to $access"
step "installed: the socket is there ($access), the service is not started yet"

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
inside cp -r "/run/project/$concept" /tmp/pictures
inside runuser -u learner -- inversion train --images /tmp/pictures --token "$token" --init-word "$word" --steps 2 \
  --output /var/lib/inversion/embeddings/learned.safetensors >"$state/log" 2>&1 || fail 'a member cannot add a word'
inside runuser -u learner -- inversion generate "a $token" -o /tmp/a.png --steps 4 --strict >"$state/log" 2>&1 ||
  fail 'no picture of the word that a member added'
step "a member of the group added a word and got a picture of it ($(inside stat -c %s /tmp/a.png) bytes)"
learner=$(inside id -u learner)
entry=$(entries "INVERSION_UID=$learner" "INVERSION_EMBEDDINGS=$token")
for field in JOB MODEL MS STEPS PICTURES PEAK_BYTES; do
  [[ $entry == *"\"INVERSION_$field\""* ]] || fail "the journal tells no INVERSION_$field of the picture: $entry"
done
step 'the journal tells who got it, of what, in which time and memory'

set_up '[access]
manage = []'
inside systemctl reload inversiond || fail 'reload'
[ "$(property MainPID)" = "$pid" ] || fail 'the reload started another process'
status=0
inside runuser -u learner -- inversion embeddings remove "$token" >"$state/log" 2>&1 || status=$?
[ "$status" = 77 ] || fail "a member without the role ended with $status"
denials=$(entries "INVERSION_UID=$learner" INVERSION_STATUS=403 | wc -l)
[ "$denials" = 1 ] || fail "the denial is in the journal $denials times"
step 'a reload took a role away at once; the denial is in the journal, once, with the user'

set_up 'threads = 0'
inside systemctl reload inversiond >"$state/log" 2>&1 && fail 'a reload takes wrong settings'
told=$(inside inversiond --config /etc/inversion/inversiond.toml --check-config 2>&1) && fail 'wrong settings are fine'
[[ $told == *"inversiond.toml':"[0-9]*": 'threads': "* ]] || fail "no line of the wrong setting is told: $told"
ask /v1/status >/dev/null || fail 'no answer after the reload'
[ "$(property MainPID)" = "$pid" ] || fail 'wrong settings ended the process'
set_up ''
inside systemctl reload inversiond || fail 'reload'
step 'a reload with wrong settings fails, names the line and changes nothing'

inside kill -KILL "$pid"
asking=()
for _ in 1 2 3 4 5; do
  ask /v1/status >/dev/null &
  asking+=($!)
done
for one in "${asking[@]}"; do wait "$one" || fail 'a request failed after kill -9'; done
replaced "$pid" || fail 'kill -9 did not end it'
step 'after kill -9 a new process answered five requests that came meanwhile'

override 'WatchdogSec=2s'
inside systemctl restart inversiond
pid=$(property MainPID)
inside kill -STOP "$pid"
replaced "$pid" || fail 'the hanging process still runs'
ask /v1/status >/dev/null || fail 'no answer after a hang'
inside journalctl --sync
inside journalctl --no-pager -u inversiond | grep -q 'Watchdog timeout' || fail 'it was not the watchdog'
step 'a hang was ended by the watchdog, and the service is back'

override 'MemoryMax=150M'
inside systemctl restart inversiond
pid=$(property MainPID)
large=$(inside curl --silent --max-time 60 --unix-socket /run/inversiond.sock http://localhost/v1/generate \
  -d '{"prompt": "x", "width": 2048, "height": 2048, "steps": 1}')
[[ $large == *"the memory limit of '"*"' leaves "*' MiB'* ]] || fail "a picture that does not fit: $large"
ask_picture || fail 'no picture of the usual size beside a limit of memory'
[ "$(property MainPID)" = "$pid" ] || fail 'the limit of memory ended the process'
step 'a picture that does not fit MemoryMax is refused with the figures, and smaller ones are made'

override $'MemoryMax=2M\nRestart=no'
inside systemctl restart inversiond >/dev/null 2>&1 && fail 'it starts with 2 MB of memory'
# With control groups of the old kind the manager sees the kernel's kill, and not what it was for.
case $(property Result) in oom-kill | signal) ;; *) fail "without memory it ended with $(property Result)" ;; esac
override ''
inside systemctl reset-failed inversiond inversiond.socket
inside systemctl start inversiond.socket
ask /v1/status >/dev/null || fail 'no answer after the lack of memory'
step 'without memory it ends, and with memory it is back'

inside cp "/run/project/Tools/check/hardening-probe.py" /usr/lib/inversion/
override $'Type=oneshot\nExecStart=\nExecStart=/usr/bin/python3 /usr/lib/inversion/hardening-probe.py\nRestart=no'
inside systemctl stop inversiond.service
inside systemctl start inversiond.service || fail 'the hardening lets something through'
override ''
exposure=$(inside systemd-analyze security --no-pager --threshold=5 inversiond.service | tail -n 1) ||
  fail "its exposure is above 0.5: $exposure"
step "the hardening holds, from inside (${exposure#→ })"

set_up 'idle_exit_seconds = 1'
inside systemctl restart inversiond.service
for _ in $(seq 300); do
  [ "$(property ActiveState)" != inactive ] || break
  pause
done
[ "$(property ActiveState) $(property Result)" = 'inactive success' ] || fail 'it does not end when nobody comes'
for _ in 1 2 3; do ask_picture || fail 'no picture after it ended for want of clients'; done
set_up ''
inside systemctl restart inversiond.service
step 'without clients it ends, and the next one starts it again'

override 'TimeoutStopSec=1s'
ask_picture || fail 'no picture before the stop'
inside curl --silent --show-error --fail --max-time 60 --unix-socket /run/inversiond.sock --output /dev/null \
  http://localhost/v1/generate -d '{"prompt": "x", "steps": 150, "count": 3}' &
long=$!
until [[ $(ask /v1/status) == *'"current"'* ]]; do pause; done
inside systemctl restart inversiond.service
wait "$long" || fail 'a job that takes longer than TimeoutStopSec, and not than drain_seconds, was cut off'
inside journalctl --sync
inside journalctl --no-pager -u inversiond | grep -q 'stop-sigterm.*timed out' && fail 'systemd did not wait for it'
override ''
step 'a stop waits for the job that runs, for as long as the settings allow'

ask /v1/status >/dev/null || fail 'no answer before the upgrade'
pid=$(property MainPID)
inside dpkg --install "$package" >"$state/log" 2>&1 &
upgrade=$!
while kill -0 "$upgrade" 2>/dev/null; do ask /v1/status >/dev/null || fail 'a request failed during the upgrade'; done
wait "$upgrade" || fail 'the package cannot be upgraded'
ask /v1/status >/dev/null || fail 'no answer after the upgrade'
replaced "$pid" || fail 'the upgrade left the old program running'
step 'an upgrade in place failed no request'

[ "$(property Result)" = success ] || fail "it stopped with $(property Result)"
# In a container whose root may not raise limits, LimitNICE= is without effect, and libdispatch says so.
inside journalctl --no-pager -u inversiond | grep -v 'thread priority' | grep -iE 'not permitted|denied' &&
  fail 'the hardening bites it'
inside dpkg --remove inversion >"$state/log" 2>&1 || fail 'the package cannot be removed'
inside pgrep -x inversiond >/dev/null && fail 'something runs after the removal'
inside test ! -e /run/inversiond.sock || fail 'the socket is there after the removal'
inside test -e /var/lib/inversion/embeddings/learned.safetensors || fail 'the removal took the words away'
inside dpkg --purge inversion >"$state/log" 2>&1 || fail 'the package cannot be purged'
inside test ! -e /var/lib/inversion || fail 'something is left after the purge'
step 'removed: nothing runs, the words stay until they are purged'
step 'all in order'
