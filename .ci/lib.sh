# shellcheck shell=bash
# What the steps share; each sources it first and then runs at the top of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target_dir=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)

# Ends the step without a verdict: `.ci/run` takes exit code 77 for a skip.
skip() {
  echo "SKIPPED: $*"
  exit 77
}

fail() {
  echo "error: $*" >&2
  exit 1
}

# Type-checks every target of the crate for another system.
check_for() {
  local lib
  lib=$(rustc --print target-libdir --target "$1")
  if ! compgen -G "$lib/libstd-*" > /dev/null; then
    skip "no standard library for $1 on this machine"
  fi
  cargo check --target "$1" --all-features
}

# Makes `python` a Python of a folder of its own, that can import some modules from packages.
make_python() {
  local venv=$target_dir/$1 modules=$2
  shift 2
  local bin=$venv/bin
  if [[ ${OS:-} == Windows_NT ]]; then bin=$venv/Scripts; fi
  python=$bin/python
  if ! "$python" -c "import $modules" 2> /dev/null; then
    python3 -m venv --clear "$venv"
    "$python" -m pip install --quiet --disable-pip-version-check "$@"
  fi
}

# Makes `python` a Python that has NumPy and npy-append-array.
find_numpy() {
  make_python numpy 'numpy, npy_append_array' 'numpy==2.*' npy-append-array
}
