"""Who did it, as the trail knows them: a frozen value, so that audit depends on nobody above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ActorKind = Literal["user", "token", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an event.

    Attributes:
        pid: pseudonymous id (``p:…``, service accounts ``s:…``, ``system:…``); goes into the body.
        kind: a person in a session, a caller with a token, or one of our own processes.
        label: the name to show; kept beside the trail (``audit_pii``), never in the hashed body.
        workspace: slug of the workspace it acted in, or empty.
        auth: how it was authenticated: ``{"method": "session"|"token"|…, "token_id": …}``.
        request: ``{"id": …, "ip_hash": …, "ua_hash": …}`` of the HTTP request, if there was one.
        job: ``{"id": …, "fence": …}`` of the job, if there was one.
    """

    pid: str
    kind: ActorKind
    label: str = ""
    workspace: str = ""
    auth: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    job: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def system(
        cls, name: str, *, workspace: str = "", job: Mapping[str, Any] | None = None
    ) -> Actor:
        """One of our own processes acting by itself, such as ``system("delivery")``."""
        return cls(
            pid=f"system:{name}",
            kind="system",
            label=f"Countersign ({name})",
            workspace=workspace,
            auth={"method": "internal"},
            job=job or {},
        )
