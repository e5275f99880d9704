"""One line per step, with the figure that came out; a step that did not happen is ✗."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

EXPECTED_MISTAKES = (AssertionError,)


class NotTrue(Exception):
    """A step's claim did not hold; the text says what was found instead."""


@dataclass
class Report:
    """Prints as it goes, and keeps score."""

    started: float = field(default_factory=time.monotonic)
    passed: int = 0
    failed: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def step(self, title: str, act: Callable[[], str]) -> bool:
        """Do one step; ``act`` returns the sentence with the real figure.

        Whatever goes wrong is this step's ✗: the story then stops, since each step needs the last.
        """
        begun = time.monotonic()
        try:
            found = act()
        except Exception as error:
            self.failed.append(title)
            self.say(f"  ✗ {title}: {error}")
            if not isinstance(error, NotTrue):
                traceback.print_exc(limit=-6)
            return False
        self.passed += 1
        self.say(f"  ✓ {title}: {found} ({time.monotonic() - begun:.1f} s)")
        return True

    def summary(self) -> str:
        spent = time.monotonic() - self.started
        if self.failed:
            return (
                f"{self.passed} steps true, then ✗ “{self.failed[0]}”, after"
                f" {spent // 60:.0f} min {spent % 60:.0f} s"
            )
        return f"all {self.passed} steps true, in {spent // 60:.0f} min {spent % 60:.0f} s"


def insist(condition: bool, otherwise: str) -> None:
    """Raises: NotTrue with ``otherwise``."""
    if not condition:
        raise NotTrue(otherwise)
