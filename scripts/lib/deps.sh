# shellcheck shell=bash
# What Sluice needs from outside: Debian packages by purpose, a Rust compiler, Python packages. Source this file, then:
#   deps_missing build servers     prints the packages that are not installed
#   deps_install build servers     installs them (root or sudo)
#   rust_check                     fails, and says what to do, without a recent Rust
#   python_venv                    makes the Python environment of the tests; prints its folder

# shellcheck source=scripts/sandbox.d/state.sh
source "$(dirname "${BASH_SOURCE[0]}")/../sandbox.d/state.sh"

DEPS_BUILD=(
  g++ cmake ninja-build make pkg-config libsimdjson-dev libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev libpq-dev
  libexpected-dev libgtest-dev libgmock-dev libssl-dev zlib1g-dev libzstd-dev libsasl2-dev libcurl4-openssl-dev
  libcpp-httplib-dev prometheus-cpp-dev clang-format-14
)
DEPS_CLANG=(clang-19 clang-tidy-19)
DEPS_SERVERS=(openjdk-17-jre-headless maven postgresql pgbouncer python3-venv)
RUST_VERSION_MIN=1.88

deps_say() { printf 'deps: %s\n' "$*" >&2; }

deps_list() {
  local purpose
  for purpose in "$@"; do
    case $purpose in
      build) printf '%s\n' "${DEPS_BUILD[@]}" ;;
      clang) printf '%s\n' "${DEPS_CLANG[@]}" ;;
      servers) printf '%s\n' "${DEPS_SERVERS[@]}" ;;
      *)
        deps_say "unknown purpose '$purpose'; known: build, clang, servers"
        return 2
        ;;
    esac
  done
}

deps_is_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# deps_missing PURPOSE...
deps_missing() {
  local list package
  list=$(deps_list "$@") || return
  if ! command -v dpkg-query >/dev/null; then
    printf '%s\n' "$list"
    return 0
  fi
  for package in $list; do
    deps_is_installed "$package" || printf '%s\n' "$package"
  done
}

deps_as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# Debian creates and starts a cluster on port 5432 when PostgreSQL is first installed. Nobody asked for that one. The
# setting stands for the time of the installation only.
DEPS_CLUSTER_CONF=/etc/postgresql-common/createcluster.d/sluice.conf

deps_prevent_default_cluster() {
  deps_is_installed postgresql-common && return 0
  deps_as_root mkdir -p "${DEPS_CLUSTER_CONF%/*}"
  printf '%s\n' "# Written by Sluice's scripts/lib/deps.sh while PostgreSQL is being installed; may be deleted." \
    'create_main_cluster = false' | deps_as_root tee "$DEPS_CLUSTER_CONF" >/dev/null
}

# deps_run_install COMMAND...
deps_run_install() {
  # Package lists may be absent or too old; an update costs seconds, so it is made only after a failure.
  deps_as_root env DEBIAN_FRONTEND=noninteractive "$@" >&2 && return 0
  deps_as_root apt-get update -q >&2 && deps_as_root env DEBIAN_FRONTEND=noninteractive "$@" >&2
}

# What the scripts installed, one package a line, so that it can be named when all is to be removed.
DEPS_INSTALLED=$SANDBOX_STATE/installed-packages

# deps_install PURPOSE...
deps_install() {
  local missing install rc=0
  mapfile -t missing < <(deps_missing "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
  if ! command -v apt-get >/dev/null; then
    deps_say "this system has no apt-get. Install what these Debian packages hold: ${missing[*]}"
    return 1
  fi
  if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
    deps_say "neither root nor sudo. Let an administrator run: ${install[*]}"
    return 1
  fi
  if [[ " ${missing[*]} " == *' postgresql '* ]]; then deps_prevent_default_cluster; fi
  deps_say "installing ${missing[*]}"
  deps_run_install "${install[@]}" || rc=1
  if [[ -e $DEPS_CLUSTER_CONF ]]; then deps_as_root rm -f "$DEPS_CLUSTER_CONF"; fi
  if [[ $rc -ne 0 ]]; then
    deps_say "apt-get could not install: ${missing[*]} (its message is above)"
    return 1
  fi
  state_create && printf '%s\n' "${missing[@]}" >>"$DEPS_INSTALLED"
}

# version_at_least HAVE WANT
version_at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

rust_check() {
  local tool version
  for tool in rustc cargo; do
    # "rustc 1.88.0 (6b00bc388 2025-06-23)"
    version=$("$tool" --version 2>/dev/null | cut -d' ' -f2) || version=
    if [[ -z $version ]] || ! version_at_least "$version" "$RUST_VERSION_MIN"; then
      deps_say "$tool ${version:-is missing; version} ${version:+is too old; }$RUST_VERSION_MIN or later is needed" \
        "(Debian 12's package is too old). With rustup:"
      command -v rustup >/dev/null ||
        deps_say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal"
      deps_say "  rustup toolchain install stable --profile minimal && rustup default stable"
      return 1
    fi
  done
}

# python_venv_make FOLDER REQUIREMENTS
python_venv_make() {
  deps_say "making the Python environment $1"
  rm -rf "$1"
  if ! python3 -m venv "$1" >&2; then
    deps_say "python3 is missing or cannot make environments; install the package python3-venv"
    rm -rf "$1"
    return 1
  fi
  "$1/bin/python" -m pip install -qq --disable-pip-version-check -r "$2" >&2 || {
    deps_say "pip could not install $2 (its message is above)"
    return 1
  }
  sha256sum <"$2" >"$1/stamp"
}

# Makes the environment only when the requirements have changed, so that no network is needed afterwards.
python_venv() {
  local venv=$SANDBOX_STATE/venv requirements=$SANDBOX_ROOT/tests/requirements.txt
  state_create || return 1
  (
    flock 8
    if [[ ! -x $venv/bin/python || $(sha256sum <"$requirements") != "$(cat "$venv/stamp" 2>/dev/null)" ]]; then
      python_venv_make "$venv" "$requirements"
    fi
  ) 8>"$SANDBOX_STATE/venv.lock" || return 1
  printf '%s\n' "$venv"
}
