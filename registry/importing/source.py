"""Another MLflow registry, read over its REST API through the house's own client."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from accounts.models import Workspace
from common.errors import DomainError, Invalid, Unavailable
from outbound import client
from outbound.addresses import parse_url
from outbound.errors import DeadlineExceeded, ResponseTooLarge, Unreachable
from registry.importing import content

API = "/api/2.0/mlflow/"
DEADLINE_S = 30.0
MAX_BYTES = 30_000_000
PAGE = 200
#: What may heal is asked again after these pauses.
PAUSES_S = (0.5, 2.0, 5.0)
PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"


class NotThere(DomainError):
    """It says that there is no such thing, or no such call."""

    code = "not_there"
    title = "The other registry does not have it"


class Refused(DomainError):
    """It answers, and will not let us read."""

    code = "source_refused"
    title = "The other registry refused"


def base_url(given: str) -> str:
    """The registry's URL in one spelling. Raises: AddressRefused, Invalid."""
    parse_url(given)
    parts = urlsplit(given)
    if parts.query or parts.fragment:
        raise Invalid("The registry's URL has no query and no fragment.", fields={"from": ["…"]})
    path = parts.path.rstrip("/").removesuffix(API.rstrip("/"))
    return urlunsplit(parts._replace(path=path))


def authorization(*, token: str = "", user: str = "", password: str = "") -> dict[str, str]:
    """The header that MLflow's own client would send."""
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {"Authorization": f"Bearer {token}"} if token else {}


@dataclass(frozen=True, slots=True)
class Source:
    """Reads one registry. Nothing is followed, everything has a cap and a deadline."""

    url: str
    workspace: Workspace
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    pause: Callable[[float], None] = time.sleep

    def models_page(self, *, prompts: bool, token: str) -> tuple[list[content.Model], str]:
        """A page of models (or prompts) by name, and the token of the next, or "".

        Raises: Unavailable, Refused, NotThere, BadAnswer, AddressRefused.
        """
        answer = self._get(
            "registered-models/search",
            max_results=PAGE,
            order_by=["name ASC"],
            filter=PROMPTS if prompts else None,
            page_token=token,
        )
        rows = _list(answer, "registered_models")
        return [content.model(row) for row in rows], str(answer.get("next_page_token") or "")

    def model(self, name: str) -> content.Model:
        """The model with its aliases."""
        answer = self._get("registered-models/get", name=name)
        return content.model(answer.get("registered_model"))

    def versions(self, name: str, *, prompts: bool) -> list[content.Version]:
        """All of its versions, the first one first."""
        quote = '"' if "'" in name else "'"
        if quote in name:
            raise Invalid("MLflow's search cannot name it: both kinds of quotes stand in its name.")
        wanted = f"name = {quote}{name}{quote}" + (f" AND {PROMPTS}" if prompts else "")
        rows = [content.version(row) for row in self._pages("model-versions/search", wanted)]
        return sorted(rows, key=lambda it: it.number)

    def run(self, run_id: str) -> content.Run:
        """The run's figures; it may be long gone: NotThere."""
        return content.run(self._get("runs/get", run_id=run_id).get("run"))

    def _pages(self, path: str, wanted: str) -> Iterator[Any]:
        token = ""
        seen: set[str] = set()
        while True:
            answer = self._get(path, filter=wanted, max_results=PAGE, page_token=token)
            yield from _list(answer, "model_versions")
            token = str(answer.get("next_page_token") or "")
            if not token:
                return
            if token in seen:
                raise content.BadAnswer("Its pages go round in a circle.")
            seen.add(token)

    def _get(self, path: str, **parameters: str | int | Sequence[str] | None) -> dict[str, Any]:
        given = {key: value for key, value in parameters.items() if value not in (None, "")}
        url = f"{self.url}{API}{path}?{urlencode(given, doseq=True)}"
        for pause in (*PAUSES_S, None):
            try:
                return self._once(url, path)
            except (Unavailable, Unreachable, DeadlineExceeded) as error:
                if pause is None:
                    raise Unavailable(error.message, code="source_unavailable") from error
                self.pause(pause)
        raise AssertionError("the last pause is None")

    def _once(self, url: str, path: str) -> dict[str, Any]:
        try:
            answer = client.request(
                "GET",
                url,
                workspace=self.workspace,
                headers={**self.headers, "Accept": "application/json"},
                deadline_s=DEADLINE_S,
                max_bytes=MAX_BYTES,
                purpose="import",
            )
        except ResponseTooLarge as error:
            raise content.BadAnswer(error.message) from error
        status = answer.status
        if status == HTTPStatus.NOT_FOUND:
            raise NotThere(f"{path}: it answers 404{_said(answer.content)}.")
        if status in (401, 403):
            raise Refused(
                f"{path}: it answers {status}, so it does not accept the token or the user name."
            )
        if status in (408, 429) or status >= 500:
            raise Unavailable(f"{path}: it answers {status}.", code="source_unavailable")
        if status != HTTPStatus.OK:
            raise Refused(f"{path}: it answers {status}{_said(answer.content)}.")
        try:
            body = json.loads(answer.content)
        except ValueError:
            raise content.BadAnswer(f"{path}: it answers no JSON.") from None
        if not isinstance(body, dict):
            raise content.BadAnswer(f"{path}: it answers no JSON object.")
        return body


def _list(answer: Mapping[str, Any], key: str) -> list[Any]:
    rows = answer.get(key) or []
    if not isinstance(rows, list):
        raise content.BadAnswer(f"“{key}” is no list.")
    return rows


def _said(body: bytes) -> str:
    """MLflow's error code, which is a fixed word; its text may quote what only it should show."""
    try:
        code = json.loads(body)["error_code"]
    except (ValueError, KeyError, TypeError):
        return ""
    text = str(code)
    return f" ({text})" if text.replace("_", "").isalpha() and len(text) <= 60 else ""
