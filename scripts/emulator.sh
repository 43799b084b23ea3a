# shellcheck shell=bash
# moto, the AWS that rehearsals and tests run against, in a Python environment of its own. Sourced by setup.sh.

# find_python: sets $python to one that is new enough for the pinned requirements
find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
    if have "$candidate" && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      python=$candidate
      return
    fi
  done
  die "there is no Python 3.10 or newer" "the emulator of AWS, moto, is written in it" \
    "install one: apt-get install python3 python3-venv, dnf install python3, or brew install python"
}

# find_emulator: $cache/venv with what scripts/requirements.txt says. The stamp is written last and
# names what the environment was made from, so that half an environment, one of older requirements
# or one that was moved is made anew.
find_emulator() {
  local requirements=$repo/scripts/requirements.txt stamp
  emulator=$cache/venv/bin/moto_server
  stamp="$(sha256 "$requirements") $cache/venv"
  if [ "$(cat "$cache/venv/lifeboat-stamp" 2>/dev/null)" = "$stamp" ] &&
    [ -x "$emulator" ] && "$cache/venv/bin/python" -c '' 2>/dev/null; then
    return
  fi

  find_python
  say "making a Python environment for the emulator (once, about half a minute)"
  rm -rf "$cache/venv"
  if ! "$python" -m venv "$cache/venv" >"$cache/venv.log" 2>&1; then
    cat "$cache/venv.log" >&2
    die "the Python environment was not made" "$python -m venv failed, with the words above" \
      "on Debian and Ubuntu: apt-get install python3-venv"
  fi
  if ! "$cache/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    -r "$requirements" >"$cache/venv.log" 2>&1; then
    tail -n 20 "$cache/venv.log" >&2
    die "the emulator was not installed" "pip failed, with the words above" \
      "connect to the network, or point pip to a mirror with PIP_INDEX_URL, and run this again"
  fi
  printf '%s\n' "$stamp" >"$cache/venv/lifeboat-stamp"
}
