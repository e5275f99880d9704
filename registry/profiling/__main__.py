"""``python -m registry.profiling``: one JSON request on stdin, one JSON answer on stdout.

Limits itself before it opens the file. It never talks to the database or the network.
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

    from registry.profiling import table

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    source = Path(request["path"])
    roles = table.Roles(**request["roles"])
    try:
        kind = table.format_of(source)
        target = source
        if kind == "csv":
            target = Path(request["parquet_path"])
            table.csv_to_parquet(source, target)
        answer = {"format": kind, **table.profile_parquet(target, roles)}
    except table.Unreadable as error:
        answer = {"error": error.message, "code": error.code, "field": error.field}
    except MemoryError:
        answer = {
            "error": "The table takes too much memory to read.",
            "code": "too_large",
            "field": "file",
        }
    json.dump(answer, sys.stdout, allow_nan=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
