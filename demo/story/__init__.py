"""The story, chapter by chapter; each step prints what it found, and the first ✗ ends it."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from demo.story import auditing, canary, credit, ground, pipeline, promotion, rollback, watching
from demo.story.stage import Stage

if TYPE_CHECKING:
    from demo.house import House
    from demo.report import Report

CHAPTERS = (ground, promotion, pipeline, canary, credit, watching, rollback, auditing)


def play(house: House, report: Report) -> bool:
    """Play every chapter; False at the first step that was not true."""
    with closing(Stage(house)) as stage:
        for chapter in CHAPTERS:
            report.say(chapter.TITLE)
            for title, act in chapter.STEPS:
                if not report.step(title, partial(act, stage)):
                    return False
    return True
