"""People who can sign, and how they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import governance as make

PASSWORD = "a long password of words"


@pytest.fixture
def signer(workspace: Any, person: Callable[..., Any]) -> Callable[..., Any]:
    """``signer("validator")``: a person with these roles who knows ``PASSWORD``."""

    def made(*roles: str, **fields: Any) -> Any:
        user = person(*roles, **fields)
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
        return user

    return made


@pytest.fixture
def approve(workspace: Any) -> Callable[..., Any]:
    """``approve(user, promotion)`` signs for it as its first fitting role."""
    from governance.selectors import slots
    from governance.services import signatures

    def act(user: Any, promotion: Any, **given: Any) -> Any:
        promotion.refresh_from_db()
        caller = given.pop("caller", None) or make.caller(user, workspace)
        roles = [s.role for s in slots([promotion])[promotion.pk] if s.role in caller.roles]
        meanings = promotion.policy_revision.body["meanings"]
        values = {
            "digest": promotion.digest,
            "password": PASSWORD,
            "reason": "Read it all.",
            "meaning": meanings[roles[0]][0] if roles else "I approve",
            **given,
        }
        return signatures.approve(caller=caller, promotion=promotion, **values)

    return act


@pytest.fixture
def reject(workspace: Any) -> Callable[..., Any]:
    """``reject(user, promotion)`` signs against it."""
    from governance.services import signatures

    def act(user: Any, promotion: Any, **given: Any) -> Any:
        promotion.refresh_from_db()
        values = {
            "digest": promotion.digest,
            "password": PASSWORD,
            "reason": "Not good enough.",
            "meaning": "",
            **given,
        }
        return signatures.reject(caller=make.caller(user, workspace), promotion=promotion, **values)

    return act
