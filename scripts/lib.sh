# shellcheck shell=bash
# What the set-up scripts share: where things are kept, how they speak, how they take turns.
# Sourced. Works with the bash 3.2 that macOS ships.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'setup: %s\n' "$*" >&2; }

# die WHAT WHY NEXT
die() {
  printf 'setup: %s\n  why:  %s\n  next: %s\n' "$1" "$2" "$3" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Containers and service managers start things without HOME; the user database still knows it.
if [ -z "${HOME:-}" ]; then
  HOME=$(
    unset HOME
    echo ~
  )
  case $HOME in
    /?*) export HOME ;;
    *) die "there is no home folder" "HOME is empty, and the system names none for this user" "set HOME, or LIFEBOAT_CACHE and XDG_CACHE_HOME" ;;
  esac
fi

cache=${LIFEBOAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lifeboat}
case $cache in
  /*) ;;
  *) cache=$PWD/$cache ;;
esac

# quote TEXT: as one word for any POSIX shell
quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# unless_set NAME VALUE: a shell line that exports the variable, but keeps what it already is
unless_set() { printf '[ -n "${%s:-}" ] || export %s=%s\n' "$1" "$1" "$(quote "$2")"; }

# at_least VERSION MINIMUM, both as 1.2.3
at_least() {
  local IFS=. have_part want_part i
  # shellcheck disable=SC2206 # split at the dots
  local have_parts=(${1%%[-+]*}) want_parts=($2)
  for i in 0 1 2; do
    have_part=${have_parts[$i]:-0} want_part=${want_parts[$i]:-0}
    [ "$have_part" -eq "$want_part" ] 2>/dev/null || {
      [ "$have_part" -gt "$want_part" ] 2>/dev/null
      return
    }
  done
}

sha256() {
  if have sha256sum; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif have shasum; then
    shasum -a 256 "$1" | cut -d ' ' -f 1
  else
    openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
  fi
}

# replace FILE: standard input becomes its content, all at once, and only if it is different
replace() {
  cat >"$1.$$"
  if cmp -s "$1.$$" "$1"; then rm -f "$1.$$"; else mv -f "$1.$$" "$1"; fi
}

# What must not outlive this process, however it ends.
scratch='' lock_folder=''
trap 'rm -rf ${scratch:+"$scratch"} ${lock_folder:+"$lock_folder"}' EXIT

# new_scratch: sets $scratch to an empty folder below the cache, so that a file can be moved out of it in one step
new_scratch() {
  [ -n "$scratch" ] || scratch=$(mktemp -d "$cache/new.XXXXXX")
  rm -rf "${scratch:?}/"*
}

# One set-up at a time; the others wait, and then find everything done.
take_turn() {
  if have flock; then
    exec 9>"$cache/lock"
    flock -n 9 && return
    say "another set-up is at work in $cache; waiting for it"
    flock -w 1800 9 && return
  else
    local waited=0 holder
    until mkdir "$cache/lock.d" 2>/dev/null; do
      holder=$(cat "$cache/lock.d/pid" 2>/dev/null || true)
      if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
        # The rename has one winner, so that two waiters cannot both clear it.
        mv "$cache/lock.d" "$cache/lock.stale.$$" 2>/dev/null && rm -rf "$cache/lock.stale.$$"
        continue
      fi
      [ "$waited" -gt 0 ] || say "another set-up is at work in $cache; waiting for it"
      waited=$((waited + 1))
      [ "$waited" -le 1800 ] || break
      sleep 1
    done
    if [ "$waited" -le 1800 ]; then
      lock_folder=$cache/lock.d
      echo $$ >"$cache/lock.d/pid"
      return
    fi
  fi
  die "gave up waiting for another set-up" "it has held $cache/lock for half an hour" "end it, remove $cache/lock.d if that is there, and run this again"
}

# Terraform's name for this machine, such as linux_amd64
platform() {
  local os arch
  os=$(uname -s | tr '[:upper:]' '[:lower:]')
  arch=$(uname -m)
  case $arch in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
  esac
  echo "${os}_$arch"
}
