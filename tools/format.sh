#!/usr/bin/env bash
# Settle what tools can settle, in the given files or everywhere: order of imports, layout, templates.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$#" -gt 0 ] || set -- $(git ls-files --cached --others --exclude-standard -- '*.py' 'templates/*.html')
python_files=() templates=()
for name in "$@"; do
  case "$name" in
    static/vendor/*) ;;
    *.html) templates+=("$name") ;;
    *) python_files+=("$name") ;;
  esac
done
if [ "${#python_files[@]}" -gt 0 ]; then
  .venv/bin/ruff check --quiet --fix "${python_files[@]}" || true
  .venv/bin/ruff format --quiet "${python_files[@]}"
fi
[ "${#templates[@]}" -eq 0 ] || .venv/bin/djade --target-version 5.2 "${templates[@]}" || true
