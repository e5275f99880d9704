"""Every string field of the REST API against the corpus: no file outside the storage is opened,
nothing of one comes back, nothing breaks.

The other fields get the smallest value that fits, so that most requests pass the door and the
shape, and the text reaches whatever would use it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import api_schema, operations, undone
from tests.api.test_bad_input import WRITING, properties
from tests.corpus import EVERYTHING
from tests.opened import outside, watched

pytestmark = pytest.mark.django_db
#: Each field sees every eleventh line, the next field the following ones: all fields together see
#: the whole corpus several times over.
STEP = 11


def _resolved(kind: dict[str, Any]) -> dict[str, Any]:
    if "allOf" in kind:
        kind = kind["allOf"][0]
    if "$ref" in kind:
        return dict(api_schema()["components"]["schemas"][kind["$ref"].rsplit("/", 1)[1]])
    return kind


def _smallest(kind: dict[str, Any], depth: int = 0) -> Any:
    """The smallest value of this shape; a guess is good enough."""
    kind = _resolved(kind)
    if "enum" in kind:
        return kind["enum"][0]
    if "oneOf" in kind:
        return _smallest(kind["oneOf"][0], depth)
    match kind.get("type"):
        case "integer" | "number":
            return kind.get("minimum", 1)
        case "boolean":
            return False
        case "array":
            needed = kind.get("minItems", 0)
            return [_smallest(kind["items"], depth + 1)] * needed if depth < 4 else []
        case "object":
            needed = kind.get("required", [])
            shapes = kind.get("properties", {})
            return {name: _smallest(shapes[name], depth + 1) for name in needed if name in shapes}
    formats = {
        "email": "a@example.org",
        "uuid": "00000000-0000-0000-0000-000000000000",
        "date-time": "2026-01-01T00:00:00Z",
        "date": "2026-01-01",
        "uri": "https://example.org/",
    }
    return formats.get(kind.get("format", ""), "x" * max(1, kind.get("minLength", 1)))


def _strings(kind: dict[str, Any], depth: int = 0) -> list[tuple[str | int, ...]]:
    """Where text stands in this shape: ``("tags",)``, ``("artifacts", 0, "name")`` …"""
    kind = _resolved(kind)
    if depth > 3 or "enum" in kind:
        return []
    if kind.get("type") == "object":
        found: list[tuple[str | int, ...]] = []
        for name, inner in kind.get("properties", {}).items():
            found += [(name, *rest) for rest in _strings(inner, depth + 1)]
        if isinstance(kind.get("additionalProperties"), dict) and "properties" not in kind:
            found.append(("key",))
        return found
    if kind.get("type") == "array":
        return [(0, *rest) for rest in _strings(kind["items"], depth + 1)]
    return [()] if kind.get("type") == "string" else []


def _put(value: Any, path: tuple[str | int, ...], text: str, kind: dict[str, Any]) -> Any:
    """``value`` with ``text`` at the place; what is missing on the way is made."""
    if not path:
        return text
    kind, (first, *rest) = _resolved(kind), path
    if isinstance(first, int):
        inner = value[0] if value else _smallest(kind["items"])
        return [_put(inner, tuple(rest), text, kind["items"])]
    shape = kind.get("properties", {}).get(first) or kind.get("additionalProperties") or {}
    base = value if isinstance(value, dict) else {}
    inner = base.get(first, _smallest(shape) if shape else None)
    return {**base, first: _put(inner, tuple(rest), text, shape)}


def _body_shape(method: str, path: str) -> dict[str, Any]:
    content = api_schema()["paths"][path][method]["requestBody"]["content"]
    return _resolved(content["application/json"]["schema"])


WITH_TEXT = [
    (method, path)
    for method, path in operations(*WRITING)
    if properties(method, path) and _strings(_body_shape(method, path))
]


def test_the_walk_finds_texts_inside_lists_and_objects():
    assert ("artifacts", 0, "name") in _strings(
        _body_shape("post", "/api/v1/models/{name}/versions")
    )
    assert len(WITH_TEXT) > 25


@pytest.mark.parametrize(("method", "path"), WITH_TEXT)
def test_no_text_is_a_path(method, path, everybody):
    address = path.format(**everybody.objects(path))
    shape = _body_shape(method, path)
    whole = _smallest(shape)
    wrong = []
    for turn, place in enumerate(_strings(shape)):
        for text in EVERYTHING[turn % STEP :: STEP]:
            with undone(), watched() as opened:
                answer = everybody.client.generic(
                    method.upper(),
                    address,
                    json.dumps(_put(whole, place, text, shape)),
                    content_type="application/json",
                )
            if answer.status_code >= 500 or b"root:x:0" in answer.content:
                wrong.append(f"{place} {text!r}: {answer.status_code}")
            if files := outside(opened):
                wrong.append(f"{place} {text!r} opened {files}")
            if "\n" in "".join(answer.headers.values()):
                wrong.append(f"{place} {text!r} made a header line")
    assert wrong == []


@pytest.mark.parametrize(("method", "path"), operations("get"))
def test_no_parameter_is_a_path(method, path, everybody):
    parameters = api_schema()["paths"][path][method].get("parameters", [])
    names = [it["name"] for it in parameters if it["in"] == "query"]
    address = path.format(**everybody.objects(path))
    wrong = []
    for turn, name in enumerate(name for name in names if name != "wait"):
        for text in EVERYTHING[turn % STEP :: STEP]:
            with watched() as opened:
                answer = everybody.client.get(address, {name: text})
                content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            if answer.status_code >= 500 or b"root:x:0" in content or outside(opened):
                wrong.append(f"{name}={text!r}: {answer.status_code} {outside(opened)}")
    assert wrong == []


def test_the_watch_sees_a_file_outside():
    with watched() as opened, open("/etc/hostname") as file:
        file.read()
    assert outside(opened) == ["/etc/hostname"]
    with watched() as opened, open(__file__) as file:
        file.read()
    assert outside(opened) == []
