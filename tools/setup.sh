#!/usr/bin/env bash
# Make .venv hold exactly what a lock file says. Usage: tools/setup.sh [runtime|dev]
#
# Quick when nothing changed: a stamp named after the hash of the lock file and of the interpreter
# lies in .venv. A half-finished install leaves no stamp and is simply done again.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

which="${1:-runtime}"
venv="${VENV:-.venv}"
case "$which" in
  runtime) lock=requirements.txt ;;
  dev) lock=requirements-dev.txt ;;
  *) echo "setup: unknown set '$which' (runtime or dev)" >&2; exit 2 ;;
esac

fail() { echo "setup: $*" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$candidate" ] || continue
    command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    echo "$candidate"; return 0
  done
  fail "Python 3.11 or newer not found. Debian/Ubuntu: apt-get install python3 python3-venv. Or set PYTHON=/path/to/python3.11"
}

stamp_key() { { cat "$1"; "$venv/bin/python" -c 'import sys; print(sys.version)'; } | sha256sum | cut -c1-16; }

# The dev set contains the runtime set, so its stamp answers for both.
is_current() {
  [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null || return 1
  [ -e "$venv/.installed-dev-$(stamp_key requirements-dev.txt)" ] && return 0
  [ "$which" = runtime ] && [ -e "$venv/.installed-runtime-$(stamp_key requirements.txt)" ]
}

# Two `make` at once (a demo beside a test) must not install into one environment together.
if command -v flock >/dev/null 2>&1; then
  exec 9>".venv.lock"
  flock 9
fi

is_current && exit 0

python="$(find_python)"
started=$(date +%s)
if ! "$venv/bin/python" -c '' 2>/dev/null; then
  "$python" -c 'import venv, ensurepip' 2>/dev/null \
    || fail "$python cannot make virtual environments. Debian/Ubuntu: apt-get install python3-venv"
  echo "setup: creating $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv"
fi

rm -f "$venv"/.installed-*
echo "setup: installing $lock ($(grep -c '==' "$lock") locked packages, with hashes)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --no-deps --require-hashes -r "$lock" \
    2> >(grep -v "^WARNING: Location .* is ignored" >&2) \
  || fail "the install from $lock failed; the lines above say why. It is safe to run 'make setup' again."
"$venv/bin/python" -m pip check >/dev/null || { "$venv/bin/python" -m pip check >&2; fail "packages in $venv do not fit together"; }
touch "$venv/.installed-$which-$(stamp_key "$lock")"
echo "setup: ready in $(( $(date +%s) - started )) s"
