"""Each test of the embedded services has a VAR_DIR of its own, and leaves no process behind."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded


@pytest.fixture
def var_dir() -> Iterator[Path]:
    # Not tmp_path: pytest closes its folders, and their names are too long for a socket.
    parent = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp"))
    parent.chmod(0o755)
    try:
        yield parent / "var"
    finally:
        embedded.purge(parent / "var")
        shutil.rmtree(parent)
