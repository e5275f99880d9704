"""What a reader says when a file is not what it seems to be."""

from __future__ import annotations


class Unreadable(Exception):
    """The file cannot be read as its format; ``code`` is stable, the message is for people."""

    def __init__(self, message: str, *, code: str = "malformed") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
