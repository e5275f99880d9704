"""``python -m monitoring.intake``: one JSON request on stdin, one JSON answer on stdout.

Reads an uploaded Parquet file under limits of its own, and writes the plain one. It never talks to
the database or the network.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path


def main() -> int:
    request = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    # After the limits, so that they hold for what the libraries take at import, too.
    import pyarrow as pa
    import pyarrow.parquet as pq

    from monitoring.intake.parquet import read_parquet
    from monitoring.intake.shape import BadRows, Shape

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    answer: dict[str, object]
    try:
        table = read_parquet(Path(request["path"]), Shape.from_json(request["shape"]))
        pq.write_table(table, request["target"], compression="zstd")
        answer = {"rows": table.num_rows}
    except BadRows as error:
        answer = {
            "problem": error.message,
            "code": error.code,
            "errors": error.errors,
            "rows": error.rows,
        }
    except MemoryError:
        answer = {
            "problem": "The table takes too much memory to read.",
            "code": "too_large",
            "errors": {},
            "rows": [],
        }
    json.dump(answer, sys.stdout, allow_nan=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
