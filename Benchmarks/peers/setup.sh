#!/usr/bin/env bash
# Makes what the peers need, in a folder outside the project: two Python environments, a model of real size with random
# weights, OpenVINO's and our int8 versions of it. Done once; a part that is there already is left alone.
# Usage: Benchmarks/peers/setup.sh [python|sdcpp|model|openvino|package]...   (all without any)
# About 10 GB of disk, 11 GB of memory while OpenVINO's model is quantised, half an hour on two cores.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${INVERSION_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/inversion-peers}
mkdir -p "$cache"
# Settings for another BLAS would reach PyTorch's and NumPy's.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

# environment NAME REQUIREMENTS: succeeds if it has to be filled. The copy of the list is written last, so that an
# installation that broke off is begun again.
environment() {
  cmp -s "$here/$2" "$cache/$1/installed.txt" && return 1
  echo "peers: installing the packages of $2"
  python3 -m venv --clear "$cache/$1"
}

finish() { cp "$here/$2" "$cache/$1/installed.txt"; }

python() {
  environment python requirements.txt || return 0
  "$cache/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  finish python requirements.txt
}

# stable-diffusion.cpp from the source package, with the faster of its matrix products (off by default). Flash attention
# is chosen when it runs.
sdcpp() {
  environment sdcpp sdcpp-requirements.txt || return 0
  CMAKE_ARGS="-DGGML_LLAMAFILE=ON -DGGML_NATIVE=ON" CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) \
    "$cache/sdcpp/bin/pip" install --quiet --disable-pip-version-check --no-binary stable-diffusion-cpp-python \
    --requirement "$here/sdcpp-requirements.txt"
  finish sdcpp sdcpp-requirements.txt
}

model() {
  python
  [ -e "$cache/sd15.safetensors" ] || {
    "$cache/python/bin/python" "$here/../../Tools/golden/random_model.py" "$cache/sd15" \
      --single-file "$cache/sd15.new.safetensors"
    mv "$cache/sd15.new.safetensors" "$cache/sd15.safetensors"
  }
}

# Our own engine computes with a package, as a user's does.
package() {
  model
  top="$here/../.."
  "$top/Tools/swift.sh" swift build --package-path "$top" -c release --static-swift-stdlib --product inversion
  "$top/.build/release/inversion" models import "$cache/sd15" --name sd15 --models "$cache/models" --replace
}

openvino() {
  model
  "$cache/python/bin/python" "$here/openvino_models.py" "$cache/sd15" "$cache/openvino"
}

parts=(python sdcpp model package openvino)
if [ $# -eq 0 ]; then
  # A process for each, because one that fails only costs its own engine.
  for part in "${parts[@]}"; do
    "$here/setup.sh" "$part" || echo "peers: the part '$part' failed; what needs it is left out" >&2
  done
  exit 0
fi
for part in "$@"; do
  case $part in
    python | sdcpp | model | package | openvino) "$part" ;;
    *)
      echo "peers: '$part' is none of ${parts[*]}" >&2
      exit 64
      ;;
  esac
done
