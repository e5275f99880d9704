"""What happens once a change is safe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction


def after_commit(act: Callable[..., object], /, *args: Any, **facts: Any) -> None:
    """Call ``act(*args, **facts)`` after the transaction; what goes wrong there is logged.

    The change is committed by then, so nothing may tell the caller that it failed. A ``partial``
    would: Django's log line asks the callback for its name, which a partial does not have.
    """

    def called() -> None:
        act(*args, **facts)

    transaction.on_commit(called, robust=True)
