"""Universal Binary JSON (draft 12) as XGBoost writes it, within bounds (pure).

Long arrays with a type are weights and split points: skipped, and given as how many they are.
"""

from __future__ import annotations

import struct
from typing import Any

MAX_DEPTH = 64
MAX_VALUES = 5_000_000
_SHORT = 16
_NUMBERS = {
    b"i": struct.Struct(">b"), b"U": struct.Struct(">B"), b"I": struct.Struct(">h"),
    b"l": struct.Struct(">i"), b"L": struct.Struct(">q"), b"d": struct.Struct(">f"),
    b"D": struct.Struct(">d"),
}  # fmt: skip
_WHOLE = b"iUIlL"
_PLAIN: dict[bytes, Any] = {b"Z": None, b"T": True, b"F": False}


class BadUbj(Exception):
    """The bytes are none; the message says what is wrong."""


def loads(raw: bytes) -> Any:
    """The value. Raises: BadUbj."""
    reader = _Reader(raw)
    value = reader.value(reader.take(1), 0)
    if reader.at != len(raw):
        raise BadUbj("something follows its end")
    return value


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.at, self.values = raw, 0, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.raw):
            raise BadUbj("it is cut")
        self.at += count
        return self.raw[self.at - count : self.at]

    def value(self, mark: bytes, depth: int) -> Any:
        self.values += 1
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            raise BadUbj("it is nested too deeply or holds too much")
        if mark in _NUMBERS:
            return self.number(mark)
        if mark in _PLAIN:
            return _PLAIN[mark]
        if mark == b"S":
            return self.text()
        if mark == b"C":
            return self.take(1).decode("latin-1")
        if mark == b"[":
            return self.array(depth)
        if mark == b"{":
            return self.object(depth)
        raise BadUbj(f"it holds the mark {mark!r}")

    def number(self, mark: bytes) -> Any:
        kind = _NUMBERS[mark]
        return kind.unpack(self.take(kind.size))[0]

    def count(self) -> int:
        mark = self.take(1)
        if mark not in _NUMBERS or mark not in _WHOLE:
            raise BadUbj("a length is no whole number")
        found: int = self.number(mark)
        if found < 0:
            raise BadUbj("a length is negative")
        return found

    def text(self) -> str:
        try:
            return self.take(self.count()).decode("utf-8")
        except UnicodeDecodeError:
            raise BadUbj("a text is not UTF-8") from None

    def peek(self) -> bytes:
        return self.raw[self.at : self.at + 1]

    def array(self, depth: int) -> Any:
        if self.peek() == b"$":
            self.take(1)
            mark = self.take(1)
            if self.take(1) != b"#" or mark not in _NUMBERS:
                raise BadUbj("a typed list has no length")
            count = self.count()
            raw = self.take(count * _NUMBERS[mark].size)
            if count > _SHORT:
                return {"count": count}
            return [it[0] for it in _NUMBERS[mark].iter_unpack(raw)]
        if self.peek() == b"#":
            self.take(1)
            count = self.count()
            if count > len(self.raw) - self.at:
                raise BadUbj("it is cut")
            return [self.value(self.take(1), depth + 1) for _ in range(count)]
        found = []
        while (mark := self.take(1)) != b"]":
            found.append(self.value(mark, depth + 1))
        return found

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        left = None
        if self.peek() == b"#":
            self.take(1)
            left = self.count()
        while left != 0:
            if left is None and self.peek() == b"}":
                self.take(1)
                break
            name = self.text()
            found[name] = self.value(self.take(1), depth + 1)
            left = None if left is None else left - 1
        return found
