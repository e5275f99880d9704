"""Bytes on their way in and out: counted, hashed, a piece at a time; named by their digest.

Whatever a user called a file is never a path: a stored name is ``sha256/ab/cd/…`` and made here.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from django.core.files.storage import default_storage

from common.errors import Invalid, Unavailable
from common.storage import CHUNK, ranged

logger = logging.getLogger(__name__)
SHA256_LENGTH = 64


class Readable(Protocol):
    """What bytes are read from: a file, a body."""

    def read(self, size: int, /) -> bytes: ...


class ContentDiffers(Invalid):
    """What came is not what was announced; nothing of it is kept."""

    code = "content_differs"
    title = "The content is not what was announced"


def storage_name(digest: str) -> str:
    """``sha256/ab/cd/…`` of ``sha256:abcd…``, or of the bare hexadecimal digits."""
    kind, _, value = digest.rpartition(":")
    return f"{kind or 'sha256'}/{value[:2]}/{value[2:4]}/{value}"


class Checked:
    """A stream of exactly ``size`` bytes, checked before its last piece is handed on.

    So whoever writes them to a place that appears at the end (a rename, the completion of an
    upload to a bucket) never lets wrong or cut content appear. Reads like a file that cannot seek.

    Raises, while it is read: ContentDiffers.
    """

    name = ""
    closed = False

    def __init__(self, pieces: Iterable[bytes], *, size: int, sha256: str = "") -> None:
        self.size = size
        self._expected = sha256
        self._pieces = iter(pieces)
        self._hash = hashlib.sha256()
        self._taken = 0
        self._waiting = b""
        self._is_over = False

    @property
    def sha256(self) -> str:
        """Of what was read so far; of all of it, once that is read."""
        return self._hash.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; all that is left when negative."""
        found = bytearray(self._waiting)
        self._waiting = b""
        while not self._is_over and (size < 0 or len(found) < size):
            found += self._next()
        if 0 <= size < len(found):
            self._waiting = bytes(found[size:])
            del found[size:]
        return bytes(found)

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        while piece := self.read(chunk_size or CHUNK):
            yield piece

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return True

    def drain(self) -> None:
        """Read it for the check alone."""
        for _ in self.chunks():
            pass

    def close(self) -> None:
        """Nothing to close: the pieces belong to whoever gave them."""

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        self._taken += len(piece)
        if self._taken > self.size:
            raise ContentDiffers(
                f"More than the {self.size:,} bytes that were announced.", code="too_long"
            )
        self._hash.update(piece)
        if not piece and self._taken < self.size:
            raise ContentDiffers(
                f"It ended after {self._taken:,} of {self.size:,} bytes.", code="cut_short"
            )
        if self._taken == self.size:
            self._is_over = True
            if self._expected and self.sha256 != self._expected:
                raise ContentDiffers(
                    f"These bytes have the SHA-256 {self.sha256}, not {self._expected}.",
                    code="digest_mismatch",
                )
        return piece


def read_in_pieces(source: Readable) -> Iterator[bytes]:
    """A file or a request's body, a piece at a time."""
    while piece := source.read(CHUNK):
        yield piece


def store(content: Checked, sha256: str) -> str:
    """Put content under its digest, checked on the way; the name it has.

    Content that lies there already is read for the check only. Raises: ContentDiffers, Unavailable.
    """
    name = storage_name(sha256)
    with storage_trouble():
        if _lies_there(name, content.size):
            content.drain()
        else:
            default_storage.save(name, content)  # type: ignore[arg-type]  # reads like a File
    return name


def save_part(name: str, content: Checked) -> None:
    """Put one part of an upload aside under a name of ours. Raises: ContentDiffers, Unavailable."""
    with storage_trouble():
        default_storage.save(name, content)  # type: ignore[arg-type]  # reads like a File


def remove_folder(name: str) -> None:
    """Remove the files of a folder of ours that has no folders in it; nothing there is fine."""
    with storage_trouble():
        try:
            _, files = default_storage.listdir(name)
        except FileNotFoundError:
            return
        for file in files:
            default_storage.delete(f"{name}/{file}")
        default_storage.delete(name)


def pieces(name: str, start: int, stop: int) -> Iterator[bytes]:
    """The stored bytes from ``start`` up to ``stop``. Raises: Unavailable."""
    with storage_trouble():
        yield from ranged(name, start, stop)


def checked_whole(name: str, *, size: int, sha256: str) -> Iterator[bytes]:
    """All stored bytes; the last piece only once all of them have the digest.

    Raises, instead of that piece: ContentDiffers. A download then ends before its announced length.
    """
    yield from Checked(pieces(name, 0, size), size=size, sha256=sha256).chunks()


@contextmanager
def storage_trouble() -> Iterator[None]:
    """Turn what a disk or a bucket says into an answer that a caller can act upon."""
    try:
        yield
    except FileNotFoundError as error:
        logger.error("a stored file is missing: %s", error)
        raise Unavailable(
            "A stored file is missing. An administrator can run “manage.py verify_storage”.",
            code="file_missing",
        ) from error
    except OSError as error:
        logger.error("the storage failed: %s", error)
        raise Unavailable(
            "The storage does not take or give files at the moment. Try again later.",
            code="storage_down",
        ) from error


def _lies_there(name: str, size: int) -> bool:
    try:
        return default_storage.size(name) == size
    except FileNotFoundError:
        return False
