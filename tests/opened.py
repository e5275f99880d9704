"""Which files the process opens while somebody watches: for tests that nothing typed is a path.

An audit hook can never be taken away again, so there is one, and it listens only inside
``watched``.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

_ROOT = str(Path(__file__).resolve().parents[1])
_watching: list[str] | None = None
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching is None or event not in {"open", "os.listdir", "os.scandir", "os.remove"}:
        return
    name = arguments[0]
    if isinstance(name, (str, bytes, os.PathLike)):
        _watching.append(os.fsdecode(name))


@contextmanager
def watched() -> Iterator[list[str]]:
    """The names of the files that are opened, listed or removed inside, as they were given."""
    global _watching, _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    _watching = []
    try:
        yield _watching
    finally:
        _watching = None


def outside(names: list[str]) -> list[str]:
    """Those that are neither ours (code, storage, scratch) nor Python's own."""
    # What Python itself reads while it runs: modules, time zones, random bytes.
    python = [sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), "/dev/urandom"]
    ours = [_ROOT, str(settings.MEDIA_ROOT), str(settings.VAR_DIR), tempfile.gettempdir()]
    homes = [os.path.realpath(it) + os.sep for it in (*python[:3], *ours)]
    wrong = []
    for name in names:
        real = os.path.realpath(name)
        if real in python or real.startswith("/usr/share/zoneinfo"):
            continue
        if not any(real.startswith(home) for home in homes):
            wrong.append(name)
    return wrong
