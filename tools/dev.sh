#!/usr/bin/env bash
# The application with reload: web, one worker with beat, sealer. The embedded services stay up
# afterwards (manage.py embedded down stops them).
set -euo pipefail
cd "$(dirname "$0")/.."
py=.venv/bin/python
port="${PORT:-8000}"
export DEBUG="${DEBUG:-1}"

"$py" manage.py embedded up
"$py" manage.py migrate --no-input

procfile="$(mktemp)"
trap 'rm -f "$procfile"' EXIT
# honcho gives every process a PORT of its own; ours means the same block of ports to all of them.
cat > "$procfile" <<P
web: env PORT=$port $py manage.py runserver 127.0.0.1:$port
worker: env PORT=$port $py -m celery -A config.celery worker --beat --schedule ${VAR_DIR:-var}/beat --queues default,traffic,reports --concurrency 2 --loglevel warning
sealer: env PORT=$port $py manage.py sealer
P
.venv/bin/honcho -f "$procfile" -d . start
