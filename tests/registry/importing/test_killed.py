"""An import that is killed goes on with the same command: nothing twice, nothing missing."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from registry.models import ImportRun, ModelVersion
from tests.processes import House, Process
from tests.registry.mlflow_registry import Registry, serving

pytestmark = pytest.mark.serial
MODELS, EACH = 6, 8


def import_from(house: House, url: str, email: str) -> Process:
    return house.start(
        "import",
        *(sys.executable, "manage.py", "import_mlflow", "--from", url, "--as", email),
        OUTBOUND_ALLOW=f"127.0.0.1/32:{url.rpartition(':')[2]}",
    )


def test_a_killed_import_goes_on(house: House) -> None:
    ada = house.person("model_owner", email="ada@example.org")
    registry = Registry()
    for number in range(MODELS):
        registry.add(f"model-{number}", *({} for _ in range(EACH)), aliases=[aliased(3)])
    with serving(registry):
        first = import_from(house, registry.url, ada.email)
        house.wait(
            "some versions are here", lambda: ModelVersion.objects.count() > EACH, alive=[first]
        )
        first.kill()
        cut = ImportRun.objects.get()
        assert cut.state == "running"
        assert EACH < ModelVersion.objects.count() < MODELS * EACH

        second = import_from(house, registry.url, ada.email)
        house.wait("it ends", lambda: not second.is_running, timeout_s=60)

    assert "going on with the import" in second.log
    run = ImportRun.objects.get()
    assert run.state == "done", second.log
    assert run.counts == {
        "models": MODELS,
        "versions": MODELS * EACH,
        "aliases": MODELS,
    } | dict.fromkeys(("tags", "metrics"), 0)
    found: Any = ModelVersion.objects.values_list("model__name", "number")
    assert sorted(found) == [(f"model-{m}", n) for m in range(MODELS) for n in range(1, EACH + 1)]


def aliased(number: int) -> dict[str, str]:
    return {"alias": "blue", "version": str(number)}
