"""What MLflow lets be a name, an alias or a tag, in its words (pure).

Our own rules come after these and say more: a name is readable, an environment's alias protected.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata

from registry.mlflow.errors import invalid, missing, shown
from registry.names import MAX_TAG_KEY, MAX_TAG_VALUE

MAX_ALIAS = 255
_ALIAS = re.compile(r"[\w-]*\Z")
_NUMBERED = re.compile(r"[vV]\d+\Z")
_KEY = re.compile(r"[/\w.\- :]*\Z")


def model_name(name: str, *, parameter: str = "name") -> str:
    """A name for a model that is to be. Raises: MlflowError."""
    if not name.strip():
        raise missing(parameter)
    if "/" in name or ":" in name:
        raise invalid(f"Invalid model name '{shown(name)}'. Names cannot contain '/' or ':'.")
    return name


def alias(name: str) -> str:
    """An alias that can be set. Raises: MlflowError."""
    name = any_alias(name)
    if name.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if _NUMBERED.match(name):
        raise invalid(f"Version alias name '{shown(name)}' is reserved.")
    return name


def any_alias(name: str) -> str:
    """An alias that can be asked for. Raises: MlflowError."""
    name = unicodedata.normalize("NFC", name[: MAX_ALIAS + 1]) if not name.isascii() else name
    if not _ALIAS.match(name):
        raise invalid(
            f"Invalid alias name: '{shown(name)}'. "
            "Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    if len(name) > MAX_ALIAS:
        raise too_long("Registered model alias name", MAX_ALIAS)
    return name


def tag_key(key: str) -> str:
    """What a tag can be called. Raises: MlflowError."""
    if not _KEY.match(key):
        raise invalid(
            f"Invalid value {shown(repr(key))} for parameter 'key' supplied: Names may only contain"
            " alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colons (:) and "
            "slashes (/)."
        )
    if key == "." or key.startswith(("..", "/")) or posixpath.normpath(key) != key:
        raise invalid(
            f"Invalid value {shown(repr(key))} for parameter 'key' supplied: Names may be treated "
            "as files in certain cases, and must not resolve to other names when treated as such."
        )
    if len(key) > MAX_TAG_KEY:
        raise too_long("key", MAX_TAG_KEY)
    return key


def tag_value(value: str) -> str:
    """What a tag can say. Raises: MlflowError."""
    if len(value) > MAX_TAG_VALUE:
        raise too_long("value", MAX_TAG_VALUE)
    return value


def tags(given: dict[str, str]) -> dict[str, str]:
    """Tags that can be set together. Raises: MlflowError."""
    for key, value in given.items():
        tag_key(key)
        tag_value(value)
    return given


def too_long(what: str, most: int) -> Exception:
    return invalid(f"'{what}' exceeds the maximum length of {most} characters")
