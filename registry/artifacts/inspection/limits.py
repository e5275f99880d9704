"""What the inspecting process takes from itself before it looks at a file (pure, Linux).

Each belt is tried alone: where the kernel or a container refuses one, the others hold.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Sequence
from pathlib import Path

MEMORY_BYTES = 3 * 1024**3
CPU_SECONDS = 30
ANSWER_BYTES = 1024 * 1024
_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000
_NO_NEW_PRIVILEGES, _DUMPABLE = 38, 4
_NOBODY = 65534
_CAPABILITIES_VERSION = 0x20080522


def confine() -> None:
    """Memory, CPU, open files, core dumps, written bytes; private files."""
    os.umask(0o077)
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, ANSWER_BYTES),
    ):
        resource.setrlimit(kind, (most, most))


def leave_the_network() -> bool:
    """Go where there is no network; whether that worked. Before any thread is there."""
    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(flags) == 0 for flags in (_NEW_NETWORK, _NEW_USER | _NEW_NETWORK))


def become_nobody(needed: Sequence[str]) -> bool:
    """Give up root for good, if we have it; whether no root is left. After the imports.

    ``needed`` are folders that imports still come from. Where nobody could not read them (a Python
    below /root), the process stays root without a single capability, and says so.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(_DUMPABLE, 0, 0, 0, 0)
    if os.geteuid() == 0 and all(_is_open_to_all(Path(folder)) for folder in needed):
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return os.geteuid() != 0


def _is_open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o005 == 0o005 for path in (folder, *folder.parents))
