"""Which types a skops file would make, by its schema alone: nothing in it is loaded."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from typing import IO, Any

from skops.io import get_untrusted_types

from registry.artifacts.inspection.errors import Unreadable
from registry.artifacts.inspection.zip_members import listed, shown

MAX_SCHEMA = 16 * 1024 * 1024
MAX_TYPES = 500


def read(file: IO[bytes], size: int) -> dict[str, Any]:
    """Root type, types, and those that a person has to trust. Raises: Unreadable."""
    found = listed(file, size)
    names = [member.name for member in found]
    raw = _schema(file)
    try:
        schema = json.loads(raw)
    except ValueError:
        raise Unreadable("Its schema is no JSON.") from None
    if not isinstance(schema, dict) or "__class__" not in schema:
        raise Unreadable("Its schema names no type.")
    types = Counter(_types(schema))
    return {
        "protocol": schema.get("protocol"),
        "skops_version": str(schema.get("_skops_version", "")),
        "root": f"{schema.get('__module__', '')}.{schema['__class__']}",
        "types": dict(types.most_common(MAX_TYPES)),
        "untrusted": _untrusted(raw, names),
        "members": shown(found),
        "members_count": len(found),
    }


def _schema(file: IO[bytes]) -> bytes:
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive, archive.open("schema.json") as member:
            # By what is read, not by what the directory claims.
            raw = member.read(MAX_SCHEMA + 1)
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError, EOFError,
            ValueError) as error:  # fmt: skip
        raise Unreadable(f"Its schema cannot be read ({type(error).__name__}).") from None
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise Unreadable("Its schema is damaged.") from None
    if len(raw) > MAX_SCHEMA:
        raise Unreadable("Its schema is larger than 16 MB.", code="too_large")
    return raw


def _untrusted(raw: bytes, names: list[str]) -> list[str]:
    """skops' own answer, from a file with this schema and otherwise empty members."""
    bare = io.BytesIO()
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("schema.json", raw)
        for name in sorted(set(names) - {"schema.json"}):
            archive.writestr(name, b"")
    try:
        return [str(name) for name in get_untrusted_types(data=bare.getvalue())][:MAX_TYPES]
    except MemoryError:
        raise
    except Exception as error:
        # skops raises whatever a wrong schema makes it stumble over; there is no class for it.
        raise Unreadable(f"skops does not know this schema ({type(error).__name__}).") from None


def _types(schema: Any) -> list[str]:
    """Every ``module.class`` in the schema, by walking and without recursion."""
    found, waiting = [], [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if isinstance(here.get("__class__"), str):
                found.append(f"{here.get('__module__', '')}.{here['__class__']}"[:200])
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
    return found
