"""A URL with places for what a version is called (pure): checked when written, filled per version.

In a path or query a value is percent-encoded. In a host it must be a plain label, and the last two
labels are always written out: no version's name decides whose machine is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from common.errors import Invalid

PLACES = ("model", "version", "semantic_version", "digest")
MAX_URL = 1024
_PLACE = re.compile(r"\{([^{}]*)\}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def why_not_a_template(template: str) -> str | None:
    """Why this cannot be filled into a URL; None when it can."""
    if len(template) > MAX_URL:
        return f"A URL has at most {MAX_URL:,} characters."
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in template):
        return "A URL has no blanks and no backslashes."
    unknown = [name for name in _PLACE.findall(template) if name not in PLACES]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACES)
        return f"There is no {{{unknown[0][:40]}}}; there is {known}."
    if set("{}") & set(_PLACE.sub("", template)):
        return "A brace stands alone: placeholders look like {version}."
    try:
        parts = urlsplit(template)
        netloc = parts.netloc
        _ = urlsplit(_PLACE.sub("1", template)).port
    except ValueError:
        return "This is not a URL."
    if parts.scheme not in ("http", "https") or not netloc:
        return "A URL begins with http:// or https:// and a host."
    if "@" in netloc:
        return "A URL here has no user name or password; give a secret header instead."
    if parts.fragment or "#" in template:
        return "A URL here has no fragment."
    host, _, port = netloc.partition(":")
    if "{" in port:
        return "The port is written out."
    if "{" in host:
        labels = host.split(".")
        if len(labels) < 3 or any("{" in label for label in labels[-2:]):
            return "The last two parts of the host are written out, as in {model}.models.internal."
    return None


def has_open_host(template: str) -> bool:
    """Whether the host depends on the version."""
    return "{" in urlsplit(template).netloc


def fill(template: str, values: Mapping[str, str]) -> str:
    """The URL for these values. Raises: Invalid, which says which value does not fit."""
    for name in _PLACE.findall(template):
        if not values.get(name):
            raise _unfit(f"This version has no {name.replace('_', ' ')}, which the URL asks for.")
    scheme, _, rest = template.partition("://")
    cut = re.search(r"[/?]", rest)
    netloc, tail = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "")
    host = _PLACE.sub(lambda place: values[place[1]].lower(), netloc)
    if "{" in netloc:
        for label in host.partition(":")[0].split("."):
            if not _LABEL.match(label):
                raise _unfit(f"“{label[:60]}” cannot be part of a host's name.")
        if host.count(".") != netloc.count("."):
            raise _unfit("A value with dots in it cannot be part of a host's name.")
    url = f"{scheme}://{host}" + _PLACE.sub(lambda place: quote(values[place[1]], safe=""), tail)
    if len(url) > MAX_URL:
        raise _unfit(f"The URL would have more than {MAX_URL:,} characters.")
    return url


def origin_of(url: str) -> str:
    """Scheme, host and port, as secrets are bound to them; empty for what is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return ""
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}:{port}"


def _unfit(reason: str) -> Invalid:
    return Invalid(reason, code="url_not_filled", fields={"url": [reason]})
