# shellcheck shell=bash
# A Rust toolchain that works. Sourced by setup.sh. Installs nothing: which toolchain a machine
# has is its owner's decision.

# find_rust: sets $rust_exports to what the environment file must say, if anything
find_rust() {
  local wanted found bin home
  rust_exports=
  wanted=$(sed -n 's/^rust-version *= *"\(.*\)".*/\1/p' "$repo/Cargo.toml")

  have cargo || die "there is no Rust toolchain" "cargo is not on the PATH" \
    "install Rust $wanted or newer from https://rustup.rs, or add cargo's folder to the PATH"

  # rustup's cargo looks for its toolchains below HOME. With another HOME than the one that it was
  # installed under, they are beside cargo itself: X/.cargo/bin/cargo, X/.rustup.
  if ! cargo --version >/dev/null 2>&1; then
    bin=$(dirname "$(command -v cargo)")
    home=${bin%/.cargo/bin}
    if [ "$home" != "$bin" ] && [ -d "$home/.rustup" ]; then
      export RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}" CARGO_HOME="${CARGO_HOME:-$home/.cargo}"
      rust_exports="export RUSTUP_HOME=$(quote "$RUSTUP_HOME") CARGO_HOME=$(quote "$CARGO_HOME")"
    fi
  fi

  found=$(cargo --version 2>&1) || die "cargo does not work" "${found%%$'\n'*}" \
    "if it is rustup's, run: rustup default stable; if HOME is not its usual one, set RUSTUP_HOME and CARGO_HOME"
  found=$(printf '%s\n' "$found" | sed -n 's/^cargo \([0-9.]*\).*/\1/p')
  at_least "$found" "$wanted" || die "the Rust toolchain is too old" \
    "cargo is ${found:-of an unknown version}, and lifeboat needs $wanted" "run: rustup update stable"

  have cc || have gcc || have clang || die "there is no C compiler" \
    "Rust needs one to link, and the cryptography library to build" \
    "install one: apt-get install gcc, dnf install gcc, or xcode-select --install"
}

# claim_builds CHECKOUT TARGET: several checkouts share one target folder, and cargo tells by the age of the files alone
# whether this crate's own builds are fresh: those of another checkout would pass for this one's.
claim_builds() {
  local mark=$2/checkout
  [ "$(cat "$mark" 2>/dev/null)" != "$1" ] || return 0
  touch "$1"/src/lib.rs "$1"/src/main.rs "$1"/tests/*/main.rs "$1"/benches/*/main.rs
  mkdir -p "$2" && echo "$1" | replace "$mark"
}
