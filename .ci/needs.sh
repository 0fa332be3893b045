# Sourced by `run` and `.ci/run`: each function installs one thing where it is missing, and does nothing where it is there.
# What is not Rust's goes to .cache/ in the tree; only system packages leave it, and those need root (or sudo).

cache=$root/.cache
buf_version=1.75.0
cargo_deny_version=0.20.2
cargo_fuzz_version=0.13.2
apt_updated=

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# apt PACKAGE…: installs Debian packages; called only when a command was found missing.
apt() {
  local sudo=
  command -v apt-get >/dev/null || fail "'$*' is missing and this is no Debian: install it by hand and run this again"
  [ "$(id -u)" = 0 ] || sudo=sudo
  [ -z "$sudo" ] || command -v sudo >/dev/null || fail "'$*' is missing and only root can install it: apt-get install $*"
  if [ -z "$apt_updated" ]; then
    $sudo apt-get update -qq || fail "apt-get update failed; '$*' is missing"
    apt_updated=yes
  fi
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    fail "apt-get could not install '$*'"
}

# command_or_apt COMMAND PACKAGE…
command_or_apt() {
  local command=$1
  shift
  command -v "$command" >/dev/null || apt "$@"
}

# Rust itself is the one thing expected: its installer is not a package of any registry used here.
need_rust() {
  [ -e "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
  command -v cargo >/dev/null || fail "Rust is not installed: get the stable toolchain with rustup and run this again"
  local have want
  have=$(rustc --version | cut -d' ' -f2)
  want=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
  [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -1)" = "$want" ] ||
    fail "Rust $want or later is needed, this is $have: rustup update stable"
}

need_rust_lints() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  command -v rustup >/dev/null || fail "rustfmt and clippy are missing: install both for $(rustc --version)"
  rustup component add rustfmt clippy
}

# The Kafka client's C library and its TLS are built from source.
need_c() {
  command_or_apt cc gcc libc6-dev
  command_or_apt c++ g++
  command_or_apt make make
  command_or_apt perl perl
}

# The broker of the tests: Java 17 with its compiler, Maven for the jars, openssl for the TLS listener's certificates.
need_broker() {
  if [ -n "${TIDEWATCH_BROKERS:-}" ]; then
    say "broker: the running one at $TIDEWATCH_BROKERS"
    return
  fi
  command_or_apt javac openjdk-17-jdk-headless
  command_or_apt mvn maven
  command_or_apt openssl openssl
  command_or_apt ps procps
  command_or_apt flock util-linux
}

need_buf() {
  buf=$cache/buf-$buf_version/node_modules/.bin/buf
  [ -x "$buf" ] && return
  command_or_apt npm npm
  npm install --silent --no-audit --no-fund --prefix "$cache/buf-$buf_version" "@bufbuild/buf@$buf_version"
}

need_cargo_deny() {
  cargo_deny=$cache/tools/bin/cargo-deny
  [ "$("$cargo_deny" --version 2>/dev/null)" = "cargo-deny $cargo_deny_version" ] && return
  cargo install --quiet --locked --root "$cache/tools" --target-dir "$cache/tools/target" \
    --no-default-features "cargo-deny@$cargo_deny_version"
  rm -rf "$cache/tools/target"
}

# A nightly compiler instruments the fuzz targets; fails quietly where there is none, for fuzzing alone needs it.
need_fuzz() {
  PATH=$cache/tools/bin:$PATH
  cargo +nightly --version >/dev/null 2>&1 || return 1
  [ "$(cargo +nightly fuzz --version 2>/dev/null)" = "cargo-fuzz $cargo_fuzz_version" ] && return
  cargo install --quiet --locked --root "$cache/tools" --target-dir "$cache/tools/target" "cargo-fuzz@$cargo_fuzz_version" ||
    fail "cargo-fuzz could not be installed"
  rm -rf "$cache/tools/target"
}

# need_python PACKAGE==VERSION…: a virtual environment in .cache/venv with these packages.
need_python() {
  python=$cache/venv/bin/python
  command_or_apt python3 python3
  if [ ! -x "$python" ]; then
    python3 -m venv "$cache/venv" 2>/dev/null || { apt python3-venv && python3 -m venv "$cache/venv"; }
  fi
  "$python" -m pip install --quiet --disable-pip-version-check "$@"
}
