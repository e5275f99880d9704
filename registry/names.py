"""What may be a name (pure): anything readable that fits one segment of a path.

Names are shown, logged, put into URLs and compared by people, so what cannot be seen is refused:
control characters, invisible marks, directions of writing that turn text around.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from common.errors import Invalid

MAX_NAME = 255
MAX_TAGS = 500
MAX_TAG_KEY = 250
MAX_TAG_VALUE = 100_000  # as MLflow has it: a prompt's text is a tag
MAX_TAGS_LENGTH = 1_000_000
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ALIAS = re.compile(r"[\w-][\w.-]*\Z")  # what MLflow allows, and points inside
_NUMBERED = re.compile(r"v\d+\Z", re.IGNORECASE)


def why_not_a_name(value: str) -> str | None:
    """Why this text cannot name a model, a dataset or an endpoint; None when it can."""
    if not value:
        return "A name is needed."
    if len(value) > MAX_NAME:
        return f"A name has at most {MAX_NAME} characters, this one has {len(value):,}."
    if any(unicodedata.category(char) in _INVISIBLE for char in value):
        return "A name holds no control characters or invisible marks."
    if "/" in value or "\\" in value:
        return "A name holds no slash: it stands in URLs as one segment."
    if value != value.strip():
        return "A name neither begins nor ends with a space."
    if value.strip(".") == "":
        return "A name is more than dots."
    return None


def why_not_an_alias(value: str) -> str | None:
    """Why this text cannot be an alias: letters, digits, ``_ . -``; not ``latest``, not ``v7``."""
    if len(value) > MAX_NAME:
        return f"An alias has at most {MAX_NAME} characters, this one has {len(value):,}."
    if not _ALIAS.match(value):
        return "An alias has letters, digits, “_”, “-” and, but not first, “.” only."
    if value.lower() == "latest" or _NUMBERED.match(value):
        return "“latest” and “v” with a number mean versions, so they cannot be aliases."
    return None


def insist_name(value: str, *, field: str = "name") -> str:
    """The name in Unicode's composed form, so that one look is one name. Raises: Invalid."""
    composed = unicodedata.normalize("NFC", value) if len(value) <= 4 * MAX_NAME else value
    reason = why_not_a_name(composed)
    if reason is not None:
        raise Invalid(reason, code="invalid_name", fields={field: [reason]})
    return composed


def insist_alias(value: str) -> str:
    """The alias, or Invalid."""
    reason = why_not_an_alias(value)
    if reason is not None:
        raise Invalid(reason, code="invalid_alias", fields={"name": [reason]})
    return value


def insist_text(value: str, *, field: str, most: int) -> str:
    """Text without NUL and of bounded length, or Invalid."""
    if len(value) > most:
        reason = f"At most {most:,} characters, these are {len(value):,}."
    elif "\x00" in value:
        reason = "Text holds no NUL character."
    else:
        return value
    raise Invalid(f"{field}: {reason}", fields={field: [reason]})


def insist_tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Tags as text by text, bounded in number and length. Raises: Invalid."""
    if not tags:
        return {}
    if len(tags) > MAX_TAGS:
        reason = f"At most {MAX_TAGS} tags."
        raise Invalid(reason, fields={"tags": [reason]})
    clean = {}
    for key, value in tags.items():
        if not isinstance(value, (str, int, float, bool)):
            raise Invalid("A tag's value is text.", fields={"tags": ["A tag's value is text."]})
        clean[insist_tag_key(str(key))] = insist_text(str(value), field="tags", most=MAX_TAG_VALUE)
    if sum(map(len, clean.values())) > MAX_TAGS_LENGTH:
        reason = f"All tags together have at most {MAX_TAGS_LENGTH:,} characters."
        raise Invalid(reason, fields={"tags": [reason]})
    return clean


def insist_tag_key(key: str) -> str:
    """What a tag can be called, or Invalid: something readable of at most 250 characters."""
    if not key.strip():
        raise Invalid("A tag needs a key.", fields={"tags": ["A tag needs a key."]})
    insist_text(key, field="tags", most=MAX_TAG_KEY)
    if any(unicodedata.category(char) in _INVISIBLE for char in key):
        reason = "A tag's key holds no control characters or invisible marks."
        raise Invalid(reason, fields={"tags": [reason]})
    return key
