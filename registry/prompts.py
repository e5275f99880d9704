"""Prompts as MLflow's clients register them: text and settings in tags (pure).

What shapes an answer belongs into the release: the digests of the text and its settings do, and
the tags that hold them cannot be set to something else afterwards.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

TEXT = "mlflow.prompt.text"
TYPE = "_mlflow_prompt_type"
FORMAT = "_mlflow_prompt_response_format"
CONFIG = "_mlflow_prompt_model_config"
#: What a signature is about. MLflow lets the settings be set later; then they are not.
CONTENT_TAGS = (TEXT, TYPE, FORMAT, CONFIG)
MAX_LINES = 2000
_VARIABLE = re.compile(r"\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; a text prompt is one without a role."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; ``is_variable`` when it is replaced before use."""

    text: str
    is_variable: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison: ``same``, ``added`` or ``removed``."""

    change: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a version's tags say it is made of."""

    messages: tuple[Message, ...]
    is_chat: bool
    variables: tuple[str, ...]
    config: tuple[tuple[str, str], ...]
    response_format: str
    has_logic: bool

    @property
    def text(self) -> str:
        """The whole as lines, a role before its turn: what is compared."""
        if not self.is_chat:
            return self.messages[0].content if self.messages else ""
        return "\n".join(f"[{it.role}]\n{it.content}" for it in self.messages)


def parse(tags: Mapping[str, Any]) -> Prompt | None:
    """The prompt in these tags; None when they hold none."""
    text = tags.get(TEXT)
    if not isinstance(text, str):
        return None
    chat = _chat(text) if tags.get(TYPE) == "chat" or text.lstrip().startswith("[") else None
    messages = chat if chat is not None else (Message("", text),)
    found = [name for it in messages for name in _VARIABLE.findall(it.content)]
    return Prompt(
        messages=messages,
        is_chat=chat is not None,
        variables=tuple(dict.fromkeys(found)),
        config=_config(tags.get(CONFIG)),
        response_format=_pretty(tags.get(FORMAT)),
        has_logic=any("{%" in it.content for it in messages),
    )


def pieces(text: str) -> list[Piece]:
    """The text in stretches, so that a page can mark its variables; joined they are the text."""
    found, end = [], 0
    for match in _VARIABLE.finditer(text):
        if match.start() > end:
            found.append(Piece(text[end : match.start()]))
        found.append(Piece(match.group(0), is_variable=True))
        end = match.end()
    if end < len(text):
        found.append(Piece(text[end:]))
    return found


def compare(before: str, after: str) -> list[Line]:
    """What changed, line by line, with three lines round each change; empty when nothing did."""
    old, new = before.splitlines()[:MAX_LINES], after.splitlines()[:MAX_LINES]
    lines: list[Line] = []
    # The first two name the files, of which there are none.
    for raw in islice(difflib.unified_diff(old, new, n=3, lineterm=""), 2, None):
        if raw.startswith("@@"):
            if lines:
                lines.append(Line("gap", "…"))
            continue
        change = {"+": "added", "-": "removed"}.get(raw[:1], "same")
        lines.append(Line(change, raw[1:]))
    return lines


def content(tags: Mapping[str, Any]) -> dict[str, str]:
    """What of a prompt the release digest covers, by name; empty where there is no text."""
    names = {TEXT: "prompt_text", FORMAT: "prompt_response_format", CONFIG: "prompt_model_config"}
    if not isinstance(tags.get(TEXT), str):
        return {}
    covered = {
        f"{name}_sha256": hashlib.sha256(str(tags[key]).encode()).hexdigest()
        for key, name in names.items()
        if key in tags
    }
    return {**covered, "prompt_type": str(tags.get(TYPE, "text"))}


def changed_content(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The first tag of a prompt's content that differs, or nothing.

    Settings that were not there at registration may come later, as MLflow has it.
    """
    if TEXT not in before:
        return ""
    for key in CONTENT_TAGS:
        if before.get(key) != after.get(key) and not (key == CONFIG and CONFIG not in before):
            return key
    return ""


def _chat(text: str) -> tuple[Message, ...] | None:
    try:
        turns = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(turns, list) or not turns:
        return None
    if not all(isinstance(it, dict) and "role" in it and "content" in it for it in turns):
        return None
    return tuple(Message(str(it["role"])[:50], _plain(it["content"])) for it in turns)


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _config(raw: Any) -> tuple[tuple[str, str], ...]:
    try:
        found = json.loads(raw) if isinstance(raw, str) else None
    except (ValueError, RecursionError):
        return (("as given", str(raw)[:500]),)
    if not isinstance(found, dict):
        return ()
    return tuple((str(key)[:100], _plain(value)[:500]) for key, value in sorted(found.items()))


def _pretty(raw: Any) -> str:
    if not isinstance(raw, str) or not raw:
        return ""
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)[:20_000]
    except (ValueError, RecursionError):
        return raw[:20_000]


def label(changes: Sequence[Line]) -> str:
    """How much changed, in words."""
    added = sum(it.change == "added" for it in changes)
    removed = sum(it.change == "removed" for it in changes)
    if not added and not removed:
        return "The text is the same."
    return f"{added} {'line' if added == 1 else 'lines'} added, {removed} removed."
