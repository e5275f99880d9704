"""Who we are to another registry, as its own client would be told: options, environment, input."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from registry.importing.source import authorization

if TYPE_CHECKING:
    from argparse import ArgumentParser


def add_arguments(parser: ArgumentParser) -> None:
    """``--token`` and ``--user``."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--token",
        metavar="TOKEN",
        help="for the other registry; “-” reads it from standard input; "
        "without it, MLFLOW_TRACKING_TOKEN",
    )
    how.add_argument(
        "--user",
        metavar="NAME",
        help="for the other registry; the password is MLFLOW_TRACKING_PASSWORD, "
        "or the first line of standard input",
    )


def headers(*, token: str | None, user: str | None) -> dict[str, str]:
    """The header to send, or none."""
    if user:
        password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or sys.stdin.readline().rstrip("\n")
        return authorization(user=user, password=password)
    if token == "-":
        token = sys.stdin.readline().strip()
    return authorization(token=token or os.environ.get("MLFLOW_TRACKING_TOKEN", ""))
