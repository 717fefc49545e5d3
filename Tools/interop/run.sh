#!/usr/bin/env bash
# Tests the files that Inversion writes against the real diffusers, in a Python environment of its own (some GB, made
# once in .venv-interop). Usage: Tools/interop/run.sh (`make interop`)
#   INVERSION_INTEROP_PYTHON=PYTHON  uses an interpreter that has the packages of requirements.txt already
#   INVERSION_BIN=FOLDER             uses programs that are built already
set -euo pipefail
cd "$(dirname "$0")/../.."
requirements=Tools/interop/requirements.txt
venv=.venv-interop

environment() {
  # The copy is written last: an installation that broke off is begun again.
  cmp -s "$requirements" "$venv/installed.txt" && return
  echo "interop: installing the packages of $requirements into $venv"
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
  cp "$requirements" "$venv/installed.txt"
}

python=${INVERSION_INTEROP_PYTHON:-}
if [ -z "$python" ]; then
  environment
  python=$venv/bin/python
fi
bin=${INVERSION_BIN:-}
if [ -z "$bin" ]; then
  Tools/swift.sh swift build --product inversion
  bin=.build/debug
fi
"$python" Tools/interop/check.py "$bin/inversion"
