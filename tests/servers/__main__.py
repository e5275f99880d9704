"""``make test-servers``: the wire protocols against real model servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.registry.servers import mlflow_environment

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    mlflow_environment()  # made before the tests, whose time is limited
    command = [str(ROOT / "tools" / "test.sh"), "tests/servers", *sys.argv[1:]]
    environment = {**os.environ, "TEST_SERVERS": "1"}
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)
