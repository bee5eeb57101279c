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

# Fails unless each of the texts after the first is in it.
expect() {
  local text=$1 part
  shift
  echo "$text"
  for part; do
    grep -qF -- "$part" <<< "$text" || fail "it does not say $part"
  done
}

# Goes on where no other process sees what is mounted; takes the arguments of the step.
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

# Makes sure that there is a nightly toolchain, which is to be missing rather than fetched.
find_nightly() {
  export RUSTUP_AUTO_INSTALL=0
  cargo +nightly --version 2> /dev/null || skip "no nightly toolchain on this machine"
}

# Makes a subcommand of cargo available.
find_tool() {
  export PATH=$target_dir/tools/bin:$PATH
  if ! command -v "$1" > /dev/null; then
    # It runs for seconds and builds for minutes.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
      cargo install "$1" --locked --quiet --root "$target_dir/tools"
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
