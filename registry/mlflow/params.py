"""Parameters of MLflow's calls: from the query string or a JSON body, each by its declared type.

Wrong types, missing required values, NUL and broken Unicode are INVALID_PARAMETER_VALUE. Unknown
fields are ignored, as MLflow's own server does: a newer client may send more than we know.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.http.request import RawPostDataException, UnreadablePostError

from registry.mlflow.errors import invalid, missing, shown

_HINT = " See the API docs for more information about request parameters."
MAX_NUMBER = 2**31 - 1


class Field(Protocol):
    """Reads one parameter from what came; raises ``MlflowError``."""

    def from_json(self, name: str, value: Any) -> Any: ...

    def from_query(self, name: str, values: Sequence[str]) -> Any: ...


class Text:
    """A string. Left out, it is ``None``; required, it is there and not empty."""

    def __init__(self, *, required: bool = False, may_be_empty: bool = False) -> None:
        self.required = required
        self.may_be_empty = may_be_empty

    def from_json(self, name: str, value: Any) -> Any:
        if value is None or (value == "" and self.required and not self.may_be_empty):
            if self.required:
                raise missing(name)
            return None
        if type(value) is not str:
            raise wrong_type(name, value)
        return clean(name, value)

    def from_query(self, name: str, values: Sequence[str]) -> Any:
        return self.from_json(name, values[0] if values else None)


class Name(Text):
    """The name of a model, in Unicode's composed form as it is stored."""

    def __init__(self) -> None:
        super().__init__(required=True)

    def from_json(self, name: str, value: Any) -> Any:
        text = super().from_json(name, value)
        return text if text.isascii() else unicodedata.normalize("NFC", text[:1024])


class Number(Text):
    """A version's number, which MLflow sends as text; too big for any version is 0."""

    def __init__(self) -> None:
        super().__init__(required=True)

    def from_json(self, name: str, value: Any) -> Any:
        text = super().from_json(name, value)
        digits = text.strip()
        bare = digits[1:] if digits[:1] in {"+", "-"} else digits
        if not (bare.isascii() and bare.isdigit()):
            raise invalid(f"Parameter '{name}' must be an integer, got '{shown(text)}'.")
        if len(bare) > 10 or digits[0] == "-" or int(bare) > MAX_NUMBER:
            return 0
        return int(bare)


class Integer:
    """A whole number, as text in a query."""

    def __init__(self, *, default: int | None = None) -> None:
        self.default = default

    def from_json(self, name: str, value: Any) -> Any:
        if value is None:
            return self.default
        if isinstance(value, str) and len(value) <= 20:
            try:
                return int(value)
            except ValueError:
                raise wrong_type(name, value) from None
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(name, value)
        return value

    def from_query(self, name: str, values: Sequence[str]) -> Any:
        return self.from_json(name, values[0] if values else None)


class Flag:
    """True or false; required."""

    def from_json(self, name: str, value: Any) -> Any:
        if value is None:
            raise missing(name)
        if not isinstance(value, bool):
            raise wrong_type(name, value)
        return value

    def from_query(self, name: str, values: Sequence[str]) -> Any:
        if not values:
            raise missing(name)
        if values[0].lower() not in {"true", "false"}:
            raise invalid(f"Invalid boolean value: {shown(values[0])}, must be 'true' or 'false'.")
        return values[0].lower() == "true"


class Texts:
    """A list of strings; left out, it is empty."""

    def from_json(self, name: str, value: Any) -> Any:
        if value is None:
            return []
        if not isinstance(value, list) or not all(type(item) is str for item in value):
            raise wrong_type(name, value)
        return [clean(name, item) for item in value]

    def from_query(self, name: str, values: Sequence[str]) -> Any:
        return self.from_json(name, list(values))


class Tags:
    """``[{"key", "value"}, …]`` as a dict; a key that comes twice has its last value."""

    def from_json(self, name: str, value: Any) -> Any:
        if value is None:
            return {}
        if not isinstance(value, list):
            raise wrong_type(name, value)
        tags: dict[str, str] = {}
        for item in value:
            if not isinstance(item, dict):
                raise wrong_type(name, value)
            key, text = item.get("key"), item.get("value")
            if key is None or key == "":
                raise missing("key")
            if type(key) is not str or not (text is None or type(text) is str):
                raise wrong_type(name, value)
            tags[clean(name, key)] = clean(name, text or "")
        return tags

    def from_query(self, name: str, values: Sequence[str]) -> Any:
        if values:
            raise wrong_type(name, list(values))
        return {}


class Raw:
    """Any JSON value as it came, for calls with a shape of their own to check."""

    def from_json(self, name: str, value: Any) -> Any:
        return value

    def from_query(self, name: str, values: Sequence[str]) -> Any:
        return list(values) or None


def read(request: HttpRequest, fields: Mapping[str, Field]) -> dict[str, Any]:
    """What the call declares, from the query of a GET or the JSON body of anything else."""
    if request.method == "GET" and (request.META.get("QUERY_STRING") or not _has_body(request)):
        query = _query(request)
        return {name: field.from_query(name, query.getlist(name)) for name, field in fields.items()}
    body = _body(request)
    return {name: field.from_json(name, body.get(name)) for name, field in fields.items()}


def clean(name: str, value: str) -> str:
    """The text, when a database and a log can hold it."""
    if value.isascii():
        if "\x00" not in value:
            return value
    else:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid(f"Invalid value for parameter '{name}': broken Unicode.") from None
        if "\x00" not in value:
            return value
    raise invalid(f"Invalid value for parameter '{name}': text holds no NUL character.")


def wrong_type(name: str, value: Any) -> Exception:
    return invalid(
        f"Invalid value {shown(json.dumps(value))} for parameter '{name}' supplied: "
        f" Hint: Value was of type '{type(value).__name__}'.{_HINT}"
    )


def _has_body(request: HttpRequest) -> bool:
    return request.META.get("CONTENT_LENGTH") not in (None, "", "0")


def _query(request: HttpRequest) -> QueryDict:
    try:
        return request.GET
    except SuspiciousOperation:
        raise invalid("Too many parameters.") from None


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        raw = request.body
    except RequestDataTooBig:
        raise invalid("The request's body is too large.") from None
    except (UnreadablePostError, RawPostDataException):
        raise invalid("The request's body could not be read.") from None
    if not raw:
        return {}
    try:
        body = json.loads(raw)
        if isinstance(body, str):  # older clients encode twice
            body = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("Bad Request. The request's body must be a JSON object.") from None
    if not isinstance(body, dict):
        raise invalid("Bad Request. The request's body must be a JSON object.")
    return body
