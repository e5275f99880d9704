"""Whether the story was played in a VAR_DIR before, and a clean start where it was not finished."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import embedded
from embedded import postgres

MARK = "story.json"
LOCK = ".demo.lock"
#: Trained models are the same for every run, so they stay.
KEPT = {"models", "log", MARK, LOCK}


@dataclass(frozen=True)
class Played:
    """What the mark says: how the story was played here, and whether to its end."""

    once: bool
    finished: bool
    at: str

    @classmethod
    def read(cls, var_dir: Path) -> Played | None:
        try:
            return cls(**json.loads((var_dir / MARK).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @classmethod
    def write(cls, var_dir: Path, *, once: bool, finished: bool) -> None:
        var_dir.mkdir(parents=True, exist_ok=True)
        mark = cls(once, finished, datetime.now(UTC).isoformat(timespec="seconds"))
        (var_dir / MARK).write_text(json.dumps(asdict(mark)))


class InUse(Exception):
    """Another run of the demo holds this VAR_DIR."""


@contextmanager
def held(var_dir: Path) -> Iterator[None]:
    """Hold the VAR_DIR for one run; the lock goes with the process, however it ends.

    Raises: InUse.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    with (var_dir / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"Another demo runs in {var_dir}: stop it, or give a VAR_DIR.") from None
        yield


def choose(var_dir: Path, *, once: bool) -> tuple[Path, bool]:
    """Where to play, and whether there is anything left to play.

    A finished ``make demo`` is never thrown away: it comes up again as it was, and ``demo-once``
    plays beside it. A state that the demo itself left half-played, or that ``demo-once`` made, is
    cleared. A VAR_DIR without a mark of ours is used as it is.
    """
    played = Played.read(var_dir)
    if played is None:
        return var_dir, True
    if played.finished and not played.once:
        if not once:
            return var_dir, False
        return choose(var_dir / "once", once=True)
    clear(var_dir)
    return var_dir, True


def clear(var_dir: Path) -> None:
    """Remove the state of a run that the demo made, all but the trained models."""
    embedded.down(var_dir)
    postgres.purge(var_dir)
    for path in var_dir.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
