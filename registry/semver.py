"""Semantic versions (pure): SemVer 2.0.0 as text that stands beside a version's number."""

from __future__ import annotations

import re

from common.errors import Invalid

MAX_SEMANTIC = 64
#: The expression that semver.org suggests, without its named groups.
PATTERN = (
    r"(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)"
    r"(?:-(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
_WHOLE = re.compile(PATTERN + r"\Z")


def why_not_semantic(value: str) -> str | None:
    """Why this text is no semantic version; None when it is one."""
    if len(value) > MAX_SEMANTIC:
        return f"At most {MAX_SEMANTIC} characters, these are {len(value):,}."
    if not _WHOLE.match(value):
        return "A semantic version looks like 2.1.0, 2.1.0-rc.1 or 2.1.0+build.5 (SemVer 2)."
    return None


def insist_semantic(value: str) -> str:
    """The semantic version, or nothing where none is given. Raises: Invalid."""
    if value and (reason := why_not_semantic(value)) is not None:
        raise Invalid(
            reason, code="invalid_semantic_version", fields={"semantic_version": [reason]}
        )
    return value
