"""Where files lie: on a disk, or in a bucket (``common.bucket``). The same promises from both.

A name holds a whole file or none: on the disk a file is written beside its place, flushed and
renamed; a bucket does as much by itself. A name that is given is the name that is used, so saving
again replaces. Names are made by us (from a digest, or at random), never from what a user typed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage

CHUNK = 1024 * 1024
_INCOMING = ".incoming"


class StorageDown(OSError):
    """The bucket did not answer, or refused us."""


class FileStorage(FileSystemStorage):
    """Files below one folder, readable by us alone."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: Any) -> str:
        target = Path(self.path(name))
        self._make(target.parent)
        incoming = Path(self.location) / _INCOMING
        self._make(incoming)
        number, written = tempfile.mkstemp(dir=incoming)  # mode 0600
        try:
            with os.fdopen(number, "wb") as file:
                for chunk in content.chunks(CHUNK):
                    file.write(chunk)
                file.flush()
                if _flushes():
                    os.fsync(file.fileno())
            Path(written).replace(target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(written).unlink()
            raise
        if _flushes():
            _flush_folder(target.parent)
        return name

    def _make(self, folder: Path) -> None:
        """Each level with our own mode; ``makedirs`` would give it to the last one only."""
        root = Path(self.location)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = root
        for part in folder.relative_to(root).parts:
            place = place / part
            place.mkdir(mode=0o700, exist_ok=True)

    def sweep(self, older_than_s: float) -> int:
        """Remove what a killed process was writing; how many."""
        folder, removed = Path(self.location) / _INCOMING, 0
        if not folder.is_dir():
            return 0
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - older_than_s:
                    path.unlink()
                    removed += 1
        return removed

    def ranged(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        with Path(self.path(name)).open("rb") as file:
            file.seek(start)
            left = stop - start
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk


def _flushes() -> bool:
    return bool(getattr(settings, "STORAGE_FLUSH", True))


def _flush_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def ranged(name: str, start: int, stop: int) -> Iterator[bytes]:
    """The bytes from ``start`` up to ``stop`` of a stored file, a piece at a time.

    Raises: FileNotFoundError; StorageDown.
    """
    ours = getattr(default_storage, "ranged", None)
    if ours is not None:
        yield from ours(name, start, stop)
        return
    with default_storage.open(name, "rb") as file:
        file.seek(start)
        left = stop - start
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
