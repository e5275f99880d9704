"""Which facts a webhook can be told of, and what it is told (pure). Pairs and keys are MLflow's.

``budget_policy.exceeded``, which MLflow's gateway knows, is none of ours and is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

#: A tag of this key holds a prompt version's text.
PROMPT_TEXT = "mlflow.prompt.text"
#: A tag of this key makes a registered model a prompt.
IS_PROMPT = "mlflow.prompt.is_prompt"
#: A body over this goes without its tags' values: what is told never stops what happens.
MAX_BODY = 200_000

ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "REGISTERED_MODEL": ("CREATED",),
    "MODEL_VERSION": ("CREATED",),
    "MODEL_VERSION_TAG": ("SET", "DELETED"),
    "MODEL_VERSION_ALIAS": ("CREATED", "DELETED"),
    "PROMPT": ("CREATED",),
    "PROMPT_VERSION": ("CREATED",),
    "PROMPT_TAG": ("SET", "DELETED"),
    "PROMPT_VERSION_TAG": ("SET", "DELETED"),
    "PROMPT_ALIAS": ("CREATED", "DELETED"),
}
_IN_WORDS: Final[Mapping[str, str]] = {
    "REGISTERED_MODEL": "Model",
    "MODEL_VERSION": "Version",
    "MODEL_VERSION_TAG": "Tag of a version",
    "MODEL_VERSION_ALIAS": "Alias",
    "PROMPT": "Prompt",
    "PROMPT_VERSION": "Prompt version",
    "PROMPT_TAG": "Tag of a prompt",
    "PROMPT_VERSION_TAG": "Tag of a prompt version",
    "PROMPT_ALIAS": "Alias of a prompt",
}


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """An entity and what happened to it, as MLflow writes them in requests: ``MODEL_VERSION``."""

    entity: str
    action: str

    @property
    def is_known(self) -> bool:
        return self.action in ACTIONS.get(self.entity, ())

    @property
    def name(self) -> str:
        """As deliveries and people's forms name it: ``model_version.created``."""
        return f"{self.entity.lower()}.{self.action.lower()}"

    @property
    def in_words(self) -> str:
        return f"{_IN_WORDS.get(self.entity, self.entity)} {self.action.lower()}"

    @property
    def stored(self) -> dict[str, str]:
        return {"entity": self.entity, "action": self.action}


def every_event() -> list[Event]:
    """All that can be subscribed to, in the order of the table."""
    return [Event(entity, action) for entity, actions in ACTIONS.items() for action in actions]


def named(name: str) -> Event:
    """``model_version.created`` as an event, which may be none that is known."""
    entity, _, action = name.partition(".")
    return Event(entity.upper(), action.upper())


def body(event: Event, data: Mapping[str, Any], at: datetime) -> str:
    """The JSON that is sent and signed."""
    text = _written(event, data, at)
    if len(text) <= MAX_BODY:
        return text
    cut = {**data, "tags": {}, "template": "", "description": None, "truncated": True}
    return _written(event, {key: cut[key] for key in cut if key in data or key == "truncated"}, at)


def _written(event: Event, data: Mapping[str, Any], at: datetime) -> str:
    return json.dumps(
        {
            "entity": event.entity.lower(),
            "action": event.action.lower(),
            "timestamp": at.isoformat(),
            "data": data,
        }
    )


def model_created(*, name: str, tags: Mapping[str, str], description: str) -> dict[str, Any]:
    shown = {key: value for key, value in tags.items() if key != IS_PROMPT}
    return {"name": name, "tags": shown, "description": description or None}


def version_created(
    *,
    name: str,
    number: int,
    source: str,
    run_id: str,
    tags: Mapping[str, str],
    description: str,
    is_prompt: bool,
) -> dict[str, Any]:
    beginning: dict[str, Any] = {"name": name, "version": str(number)}
    if not is_prompt:
        beginning |= {"source": source, "run_id": run_id or None, "tags": dict(tags)}
        return {**beginning, "description": description or None}
    hidden = (IS_PROMPT, PROMPT_TEXT)
    return {
        **beginning,
        "template": tags.get(PROMPT_TEXT, ""),
        "tags": {key: value for key, value in tags.items() if key not in hidden},
        "description": description or None,
    }


def sample(event: Event) -> dict[str, Any]:
    """What a test call tells: made up, and recognisable as such."""
    name = "a-prompt" if event.entity.startswith("PROMPT") else "a-model"
    if event.entity in ("REGISTERED_MODEL", "PROMPT"):
        return model_created(name=name, tags={"team": "test"}, description="Sent as a test.")
    if event.entity in ("MODEL_VERSION", "PROMPT_VERSION"):
        return version_created(
            name=name,
            number=1,
            source="models:/m-0",
            run_id="",
            tags={"team": "test", PROMPT_TEXT: "Hello, {{name}}."}
            if event.entity == "PROMPT_VERSION"
            else {"team": "test"},
            description="Sent as a test.",
            is_prompt=event.entity == "PROMPT_VERSION",
        )
    if event.entity.endswith("_ALIAS"):
        alias = {"name": name, "alias": "a-test"}
        return {**alias, "version": "1"} if event.action == "CREATED" else alias
    tag = {"name": name, "key": "team"}
    if event.entity != "PROMPT_TAG":
        tag["version"] = "1"
    return {**tag, "value": "test"} if event.action == "SET" else tag
