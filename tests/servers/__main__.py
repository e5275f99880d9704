"""``make test-servers``: the wire protocols against real model servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.servers import mlflow_server

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    mlflow_server.install()
    command = [str(ROOT / "tools" / "test.sh"), "tests/servers", *sys.argv[1:]]
    environment = {**os.environ, "TEST_SERVERS": "1"}
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)
