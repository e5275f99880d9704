"""The hook in docs/endpoint-sources.md is what somebody will copy, so it is run."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from outbound import secrets
from outbound.services import calls
from serving.models import EndpointProvision
from tests.factories.serving import EndpointProvisionFactory, EndpointSourceFactory

PAGE = Path(__file__).resolve().parents[2] / "docs" / "endpoint-sources.md"
SECRET = "whsec_0123456789abcdef"


@pytest.fixture
def hook() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return SimpleNamespace(**names)


def test_it_knows_our_calls_from_others(hook):
    body = b'{"type": "endpoint.wanted"}'
    headers = calls.headers("standard", identity="some-id", secret=SECRET, body=body)
    assert hook.is_ours(SECRET, headers, body)
    assert not hook.is_ours("another-secret-of-16", headers, body)
    assert not hook.is_ours(SECRET, headers, body + b" ")
    assert not hook.is_ours(SECRET, {**headers, "webhook-timestamp": "1"}, body)


@pytest.mark.django_db
def test_its_answer_is_taken(hook, version, server, service_api):
    source = EndpointSourceFactory(
        model=version.model,
        kind="hook",
        template="",
        hook_url="http://127.0.0.1:9/hook",
        sealed_secret=secrets.seal(SECRET),
    )
    asked = EndpointProvisionFactory(
        version=version,
        source=source,
        state="waiting",
        expires_at=timezone.now() + timedelta(hours=1),
    )
    token = service_api("operator", scopes=["serving:write"])
    path = reverse("v1:endpoint-hook-answer", args=[asked.uid])
    request = hook.answer(
        {"id": str(asked.uid), "answer_url": f"https://countersign.test{path}"},
        {"url": f"http://127.0.0.1:{server.port}/v1"},
        secret=SECRET,
        token=token.token_text,
    )
    sent = {name.lower(): value for name, value in request.header_items()}
    answer = token.generic(
        "POST",
        path,
        request.data,
        content_type=sent["content-type"],
        headers={name: value for name, value in sent.items() if name.startswith("webhook")},
    )
    assert answer.status_code == 200, answer.content
    assert EndpointProvision.objects.get().state == "made"
