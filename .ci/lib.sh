# shellcheck shell=bash
# Functions of the steps. Each step sources this file first, and then runs at the top of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target_dir=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)

# Ends the step without a verdict: `.ci/run` treats exit code 77 as a skip.
skip() {
  echo "SKIPPED: $*"
  exit 77
}

fail() {
  echo "error: $*" >&2
  exit 1
}

# Fails unless the first text contains each of the others.
expect() {
  local text=$1 part
  shift
  echo "$text"
  for part; do
    grep -qF -- "$part" <<< "$text" || fail "the output does not contain: $part"
  done
}

# Restarts the step in a private mount namespace; takes the arguments of the step.
mount_privately() {
  ((EUID == 0)) || skip "only root can mount disks"
  if [[ ${1:-} == mounted-privately ]]; then return; fi
  unshare --mount true || skip "this machine allows no private mounts"
  exec unshare --mount --propagation private bash "$0" mounted-privately "$@"
}

# Installs Debian packages.
install_packages() {
  local root=()
  if ((EUID != 0)); then root=(sudo -n); fi
  "${root[@]}" apt-get update -qq &&
    "${root[@]}" apt-get install -qqy --no-install-recommends "$@"
}

# Skips the step without a nightly toolchain; rustup must not download one.
find_nightly() {
  export RUSTUP_AUTO_INSTALL=0
  cargo +nightly --version 2> /dev/null || skip "no nightly toolchain on this machine"
}

# Makes a subcommand of cargo available, built at an optimisation level. Tools of one level share
# what they compile.
find_tool() {
  export PATH=$target_dir/tools/bin:$PATH
  if ! command -v "$1" > /dev/null; then
    # The tool runs for seconds, and an optimised build takes minutes.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=${2:-1} CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
      cargo install "$1" --locked --quiet --root "$target_dir/tools" --target-dir "$target_dir/tools/build"
  fi
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

# Sets `python` to a Python in its own virtual environment that can import some modules of packages.
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

# Sets `python` to a Python that has NumPy and npy-append-array.
find_numpy() {
  make_python numpy 'numpy, npy_append_array' 'numpy==2.*' npy-append-array
}
