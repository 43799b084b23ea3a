# shellcheck shell=bash
# MariaDB's server, which the tests of questions to a database are asked of. Sourced by setup.sh.

# find_mariadb: sets $mariadb to the server, which often is no program of a user's PATH; installs Debian's where that may be
# done without asking. Only some tests need it: without one they fail and say so, and nothing else does.
find_mariadb() {
  local candidate
  for candidate in "${LIFEBOAT_MARIADB:-}" "$(command -v mariadbd || true)" /usr/sbin/mariadbd /usr/libexec/mariadbd \
    /opt/homebrew/opt/mariadb/bin/mariadbd /usr/local/opt/mariadb/bin/mariadbd; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
      mariadb=$candidate
      return
    fi
  done
  mariadb=
  if have apt-get && [ "$(id -u)" -eq 0 ]; then
    say "installing the MariaDB server for the tests (once)"
    # The cores have the server and what sets up its folder: nothing is started, and no service is made.
    if { apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core ||
      { apt-get update && apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core; }; } \
      >"$cache/mariadb.log" 2>&1 </dev/null; then
      mariadb=/usr/sbin/mariadbd
      return
    fi
    tail -n 5 "$cache/mariadb.log" >&2
  fi
  say "there is no MariaDB server: the tests that ask a database will fail; install mariadb-server-core and mariadb-client-core (Debian," \
    "Ubuntu), mariadb-server (Fedora) or mariadb (Homebrew), or set LIFEBOAT_MARIADB to mariadbd"
}
