"""What needs servers that are in no lock file of ours runs by ``make test-servers`` only."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("TEST_SERVERS") else ["full_*.py", "test_full_*.py"]
