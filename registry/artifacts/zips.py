"""The list of members of a zip, read within bounds and never unpacked (pure).

Python's ``zipfile`` reads the whole central directory into memory, and its size is the uploader's
to choose; here it is capped, and nothing but the directory is read.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass

#: Bytes of central directory that are read, and members that are listed.
MAX_DIRECTORY = 4 * 1024 * 1024
MAX_MEMBERS = 10_000
#: The end record, with the longest comment there can be.
TAIL = 22 + 65_535
_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_MASK = 0xFFFFFFFF

#: ``read(start, stop)`` gives bytes of the file.
Read = Callable[[int, int], bytes]


class BadZip(Exception):
    """No zip, a broken one, or one whose directory is over the caps."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry as the directory tells it; sizes in bytes, as claimed."""

    name: str
    size: int
    packed: int
    is_encrypted: bool
    is_link: bool
    offset: int

    @property
    def leads_outside(self) -> bool:
        """Whether unpacking it carelessly would write somewhere else."""
        plain = self.name.replace("\\", "/")
        return plain.startswith("/") or plain[1:2] == ":" or ".." in plain.split("/")


def members(read: Read, size: int) -> list[Member]:
    """All members, in the directory's order. Raises: BadZip."""
    start = max(0, size - TAIL - 76)
    tail = read(start, size)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise BadZip("it has no directory at its end")
    count, length, offset = struct.unpack_from("<H2L", tail, at + 10)
    if count == 0xFFFF or length == _MASK or offset == _MASK:
        count, length, at = _zip64(read, tail, start, at)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise BadZip(f"it claims {count:,} members in {length:,} bytes of directory")
    begin = start + at - length  # right before the end record, whatever stands before the zip
    if begin < 0:
        raise BadZip("its directory begins before the file does")
    return _parse(read(begin, start + at), count)


def _zip64(read: Read, tail: bytes, start: int, at: int) -> tuple[int, int, int]:
    """Count and length of the directory, and where its end record begins within the tail."""
    found = tail.rfind(_END64, 0, at)
    if found < 0 or len(tail) - found < 56 or tail[at - 20 : at - 16] != _LOCATOR:
        raise BadZip("its directory is cut")
    count, length = struct.unpack_from("<2Q", tail, found + 32)
    return count, length, found


def _parse(raw: bytes, count: int) -> list[Member]:
    found: list[Member] = []
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(raw) or raw[at : at + 4] != b"PK\x01\x02":
            raise BadZip("its directory is cut")
        entry = _ENTRY.unpack_from(raw, at)
        flags, packed, size = entry[5], entry[10], entry[11]
        name_length, extra_length, comment_length = entry[12:15]
        external, offset = entry[17], entry[18]
        begin = at + _ENTRY.size
        name = raw[begin : begin + name_length]
        extra = raw[begin + name_length : begin + name_length + extra_length]
        size, packed = _sizes64(extra, size, packed)
        found.append(
            Member(
                name=name.decode("utf-8" if flags & 0x800 else "cp437", "replace"),
                size=size,
                packed=packed,
                is_encrypted=bool(flags & 1),
                is_link=stat.S_ISLNK(external >> 16),
                offset=offset,
            )
        )
        at = begin + name_length + extra_length + comment_length
    return found


def _sizes64(extra: bytes, size: int, packed: int) -> tuple[int, int]:
    """The real sizes, where 32 bits were not enough."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = (
                list(struct.unpack_from(f"<{length // 8}Q", extra[: at + 4 + length], at + 4))
                if at + 4 + length <= len(extra)
                else []
            )
            if size == _MASK and wide:
                size = wide.pop(0)
            if packed == _MASK and wide:
                packed = wide.pop(0)
            break
        at += 4 + length
    return size, packed
