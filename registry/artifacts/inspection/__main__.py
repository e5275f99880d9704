"""``python -m registry.artifacts.inspection FORMAT SIZE``: the file on stdin, JSON on stdout.

Limits itself first, imports what the format needs, gives up root and the network, and only then
reads. It knows no path, no database and no setting.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from registry.artifacts.inspection import limits


def main() -> int:
    name, size = sys.argv[1], int(sys.argv[2])
    limits.confine()
    has_no_network = limits.leave_the_network()

    # After the limits, so that they hold for what the libraries take at import, too.
    from registry.artifacts.inspection import readers

    read = readers.reader_of(name)
    is_nobody = limits.become_nobody([sys.prefix, sys.base_prefix, str(Path(__file__).parent)])
    answer: dict[str, Any]
    try:
        answer = {"found": read(sys.stdin.buffer, size)}
    except readers.Unreadable as error:
        answer = {"error": error.message, "code": error.code}
    except MemoryError:
        answer = {"error": "It takes too much memory to read.", "code": "too_much_memory"}
    except RecursionError:
        answer = {"error": "It is nested too deeply.", "code": "too_deep"}
    answer["without_network"], answer["without_root"] = has_no_network, is_nobody
    sys.stdout.write(json.dumps(answer, allow_nan=False, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
