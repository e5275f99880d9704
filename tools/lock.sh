#!/usr/bin/env bash
# Resolve requirements.in and requirements-dev.in together and write both lock files.
#
# The dev lock is the whole resolution; the runtime lock is the part of it that requirements.in
# needs, held to the same versions by using the dev lock as constraints. Needs `uv` (pip install uv).
# Pass --upgrade to move to newer releases; without it, what is locked stays.
set -euo pipefail
cd "$(dirname "$0")/.."

UV="${UV:-uv}"
command -v "$UV" >/dev/null || { echo "lock: uv not found; python3 -m pip install uv, or UV=/path/to/uv" >&2; exit 1; }

common=(--quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
        --custom-compile-command "tools/lock.sh")

# Only PyPI: a private index of this machine must not leak into a lock file that others install.
env -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u PIP_EXTRA_INDEX_URL UV_NO_CONFIG=1 \
    "$UV" pip compile "${common[@]}" "$@" requirements.in requirements-dev.in -o requirements-dev.txt
env -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u PIP_EXTRA_INDEX_URL UV_NO_CONFIG=1 \
    "$UV" pip compile "${common[@]}" --constraints requirements-dev.txt requirements.in -o requirements.txt
