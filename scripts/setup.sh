#!/usr/bin/env bash
# Everything that lifeboat's build, tests and rehearsals need, below one cache folder:
#
#   ${LIFEBOAT_CACHE:-${XDG_CACHE_HOME:-~/.cache}/lifeboat}
#     env            what to source before cargo; written here
#     terraformrc    Terraform's CLI configuration: where providers come from
#     bin/           terraform, if the machine had none
#     plugins/       the AWS provider, if the machine had no mirror with it
#     venv/          moto
#     target/        cargo's
#
# May be run at any time, also by several at once: what is there is left as it is. Prints the path
# of the environment file; everything else it says goes to standard error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/rust.sh
. "$here/rust.sh"
# shellcheck source=scripts/terraform.sh
. "$here/terraform.sh"
# shellcheck source=scripts/emulator.sh
. "$here/emulator.sh"
# shellcheck source=scripts/mariadb.sh
. "$here/mariadb.sh"

mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || die "the cache folder cannot be written" \
  "$cache is not a folder that this user may write to" "set LIFEBOAT_CACHE to one that is"

find_rust
take_turn
find_terraform
write_terraform_configuration
find_emulator
find_mariadb

{
  echo "# Written by scripts/setup.sh of lifeboat, and overwritten by it. Source it."
  unless_set HOME "$HOME"
  unless_set CARGO_TARGET_DIR "$cache/target"
  echo "export TF_CLI_CONFIG_FILE=$(quote "$cache/terraformrc")"
  echo "export LIFEBOAT_MOTO=$(quote "$emulator")"
  [ -z "$mariadb" ] || echo "export LIFEBOAT_MARIADB=$(quote "$mariadb")"
  case $terraform in
    "$cache/bin/terraform") echo "export PATH=$(quote "$cache/bin"):\"\$PATH\"" ;;
    # lifeboat takes the first terraform or tofu on the PATH, and here that one is too old.
    */tofu) ! have terraform || echo "export LIFEBOAT_TF_BIN=$(quote "$terraform")" ;;
    *) ;;
  esac
  [ -z "$rust_exports" ] || echo "$rust_exports"
} | replace "$cache/env"

claim_builds "$repo" "${CARGO_TARGET_DIR:-$cache/target}"

echo "$cache/env"
