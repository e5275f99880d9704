#!/usr/bin/env bash
# Everything the tests need, then all tests. Arguments go to pytest.
#
# Two halves: what can run side by side on two cores, then what cannot (marker `serial`: races, faults,
# real processes, the browser). Nothing is skipped because something is missing: it is installed or named.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "test: $*" >&2; exit 1; }

tools/setup.sh dev
py=.venv/bin/python

# Chromium: Playwright's own download does not work everywhere, the system's does.
find_chromium() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    [ -n "$name" ] && command -v "$name" && return 0
  done
  return 1
}
if ! CHROMIUM="$(find_chromium)"; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "test: installing chromium for the browser tests"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
      > "${TMPDIR:-/tmp}/countersign-apt.log" 2>&1 \
      || fail "apt-get could not install chromium; see ${TMPDIR:-/tmp}/countersign-apt.log"
  fi
  CHROMIUM="$(find_chromium)" || fail "the browser tests need Chromium. Debian/Ubuntu: apt-get install chromium. \
Elsewhere: set CHROMIUM=/path/to/chrome"
fi
export CHROMIUM

# A demo may be running on this VAR_DIR: its services are not ours to use, nor to stop.
export VAR_DIR="${VAR_DIR:-var/test}"
running() { "$py" -m embedded status --only "$1" --var-dir "$VAR_DIR" >/dev/null 2>&1; }
if [ -d "$VAR_DIR" ] && { running postgres || running redis || running envoy; }; then
  VAR_DIR="$VAR_DIR/test-$$"
  own=purge
else
  own=down
fi
VAR_DIR="$("$py" -c 'import os, pathlib; print(pathlib.Path(os.environ["VAR_DIR"]).absolute())')"
export PORT="${PORT:-$("$py" -c 'from embedded.processes import free_base; print(free_base())')}"
export DJANGO_SETTINGS_MODULE=config.settings.test DATABASE_ROLE=owner
# A test run of an operator's shell must not reach their real database or broker.
unset DATABASE_URL DATABASE_OWNER_URL DATABASE_SEALER_URL REDIS_URL EMAIL_URL SECRET_KEY FIELD_KEYS \
      AUDIT_SIGNING_KEY AUDIT_MAC_KEY OUTBOUND_ALLOW DATABASE_POOL

stop_services() { "$py" -m embedded "$own" --var-dir "$VAR_DIR" >/dev/null || true; }
trap stop_services EXIT
"$py" -m embedded up --var-dir "$VAR_DIR" --free-ports --no-fsync >/dev/null

has_option() { local given; for given in "${@:2}"; do case "$given" in "$1"*) return 0 ;; esac; done; return 1; }

set +e
if has_option -m "$@"; then
  "$py" -m pytest "$@"  # the caller's own choice of markers: one run, as asked
  exit $?
fi

# With a selection, one half may be empty; finding out first keeps "no tests ran" from being the last line.
half() { [ "$#" = 1 ] || "$py" -m pytest --collect-only -qq -p no:randomly -m "$@" >/dev/null 2>&1; [ $? != 5 ]; }

parallel=5
serial=5
if half "not serial" "$@"; then "$py" -m pytest -n 2 -m "not serial" "$@"; parallel=$?; fi
case "$parallel" in
  0|5) go_on=yes ;;
  1) if has_option -x "$@" || has_option --exitfirst "$@"; then go_on=no; else go_on=yes; fi ;;
  *) go_on=no ;;  # interrupted, a usage error, or a broken collection: the second half would say the same
esac
if [ "$go_on" = yes ] && half "serial" "$@"; then "$py" -m pytest -m "serial" "$@"; serial=$?; fi

if [ "$parallel" = 5 ] && [ "$serial" = 5 ]; then
  fail "no test matches: $*"
fi
[ "$parallel" = 5 ] && parallel=0
[ "$serial" = 5 ] && serial=0
[ "$parallel" != 0 ] && [ "$serial" = 0 ] && [ "$go_on" = yes ] \
  && echo "FAILED: the first half (not serial) failed; see its summary above." >&2
[ "$parallel" != 0 ] && exit "$parallel"
exit "$serial"
