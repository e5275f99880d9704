"""From an uploaded file to the plain one; Parquet in a process that can be killed and may crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from monitoring.intake.lines import read_lines
from monitoring.intake.shape import BadRows, Shape

MEMORY_BYTES = 4 * 1024**3
SECONDS = 45.0
_ROOT = Path(__file__).resolve().parents[2]


def convert(path: Path, target: Path, *, format: str, shape: Shape) -> int:
    """Check every row of ``path`` and write ``target``; how many rows there are.

    Args:
        format: ``parquet`` or ``ndjson``, as the sender said.
    Raises: BadRows.
    """
    if format == "ndjson":
        # JSON of Python's own reader needs no cage.
        with path.open("rb") as lines:
            table = read_lines(lines, shape)
        pq.write_table(table, target, compression="zstd")
        return int(table.num_rows)
    return _in_process(path, target, shape)


def _in_process(path: Path, target: Path, shape: Shape) -> int:
    request = {
        "path": str(path),
        "target": str(target),
        "shape": shape.as_json(),
        "memory_bytes": MEMORY_BYTES,
    }
    # Nothing of our settings: the process needs no secret and gets none.
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(_ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
    }
    with tempfile.TemporaryFile() as answered:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "monitoring.intake"],
                input=json.dumps(request).encode(),
                stdout=answered,
                stderr=subprocess.DEVNULL,
                cwd=path.parent,
                env=environment,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BadRows(
                f"Reading the table took longer than {SECONDS:.0f} s.", code="too_slow"
            ) from None
        answered.seek(0)
        raw = answered.read()
    if done.returncode != 0:
        raise BadRows("The file could not be read: the reader gave up on it.", code="unreadable")
    answer = json.loads(raw)
    if "problem" in answer:
        raise BadRows(
            answer["problem"], code=answer["code"], errors=answer["errors"], rows=answer["rows"]
        )
    return int(answer["rows"])
