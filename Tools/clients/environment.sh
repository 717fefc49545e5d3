#!/usr/bin/env bash
# Prints the Python that has the clients of requirements.txt; makes an environment for it where there is none
# (.venv-clients). Exit status 77: there is none, and the packages cannot be fetched.
#   INVERSION_CLIENTS_PYTHON=PYTHON  an interpreter that has them already
set -euo pipefail
cd "$(dirname "$0")/../.."
requirements=Tools/clients/requirements.txt
venv=$PWD/.venv-clients

if [ -n "${INVERSION_CLIENTS_PYTHON:-}" ]; then
  echo "$INVERSION_CLIENTS_PYTHON"
  exit
fi
# The copy is written last: an installation that broke off is begun again.
if ! cmp -s "$requirements" "$venv/installed.txt"; then
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { python3 -m venv --clear "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 \
    --timeout 10 --requirement "$requirements"; } >"$log" 2>&1; then
    echo "clients: the packages of $requirements cannot be installed: $(tail -n 1 "$log")" >&2
    exit 77
  fi
  cp "$requirements" "$venv/installed.txt"
fi
echo "$venv/bin/python"
