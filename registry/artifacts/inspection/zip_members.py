"""The members of a zip by its directory; nothing is unpacked."""

from __future__ import annotations

from typing import IO, Any

from registry.artifacts.inspection.errors import Unreadable
from registry.artifacts.zips import BadZip, Member, members

MAX_SHOWN = 200


def read(file: IO[bytes], size: int) -> dict[str, Any]:
    """How many members, how large unpacked, and which would write outside. Raises: Unreadable."""
    found = listed(file, size)
    unpacked = sum(member.size for member in found)
    return {
        "members_count": len(found),
        "unpacked": unpacked,
        "ratio": round(unpacked / size, 1) if size else 0,
        "outside": sum(member.leads_outside for member in found),
        "links": sum(member.is_link for member in found),
        "encrypted": sum(member.is_encrypted for member in found),
        "members": shown(found),
    }


def listed(file: IO[bytes], size: int) -> list[Member]:
    """The directory of the file that is open. Raises: Unreadable."""

    def part(start: int, stop: int) -> bytes:
        file.seek(start)
        return file.read(stop - start)

    try:
        return members(part, size)
    except BadZip as error:
        raise Unreadable(f"Its directory cannot be read: {error}.") from None


def shown(found: list[Member]) -> list[dict[str, Any]]:
    """The first members as they are listed to people."""
    return [
        {"name": it.name, "size": it.size, "packed": it.packed, "outside": it.leads_outside}
        for it in found[:MAX_SHOWN]
    ]
