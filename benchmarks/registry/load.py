"""Two thousand models with five versions each, in MLflow's tables and in ours.

Run as ``python -m benchmarks.registry.load MODELS VERSIONS`` it fills ours and prints a token.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

TIERS, FRAMEWORKS = ("low", "medium", "high"), ("sklearn", "xgboost", "lightgbm", "pytorch")
AT_MS = 1_780_000_000_000
DEEP = "bench-deep"


def model_name(number: int) -> str:
    return f"bench-model-{number:05d}"


def rows(models: int, versions: int) -> Iterator[tuple[str, dict[str, str], list[dict[str, Any]]]]:
    """Name, tags, versions; the same whoever asks."""
    generator = random.Random(7)
    for number in range(models):
        tags = {
            "tier": generator.choice(TIERS),
            "team": f"team-{generator.randrange(20):02d}",
            "framework": generator.choice(FRAMEWORKS),
        }
        yield model_name(number), tags, [_version(generator, number, it) for it in _to(versions)]


def deep(versions: int) -> tuple[str, dict[str, str], list[dict[str, Any]]]:
    """One model with many versions."""
    generator = random.Random(8)
    return DEEP, {}, [_version(generator, 0, it) for it in _to(versions)]


def into_mlflow(url: str, models: int, versions: int, many: int) -> None:
    """By COPY into MLflow's own tables, which its server has made."""
    import psycopg

    everything = [*rows(models, versions), deep(many)]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy(
            "COPY registered_models (name, creation_time, last_updated_time, description)"
            " FROM STDIN"
        ) as copy:
            for name, _, _ in everything:
                copy.write_row((name, AT_MS, AT_MS, f"bench {name}"))
        with cursor.copy("COPY registered_model_tags (key, value, name) FROM STDIN") as copy:
            for name, tags, _ in everything:
                for key, value in tags.items():
                    copy.write_row((key, value, name))
        with cursor.copy(
            "COPY model_versions (name, version, creation_time, last_updated_time, description,"
            " current_stage, source, run_id, status, storage_location) FROM STDIN"
        ) as copy:
            for name, _, made in everything:
                for it in made:
                    at, source = AT_MS + it["number"], it["source"]
                    when = (name, it["number"], at, at, it["description"])
                    copy.write_row((*when, "None", source, it["run_id"], "READY", source))
        with cursor.copy("COPY model_version_tags (key, value, name, version) FROM STDIN") as copy:
            for name, _, made in everything:
                for it in made:
                    for key, value in it["tags"].items():
                        copy.write_row((key, value, name, it["number"]))
        with cursor.copy("COPY registered_model_aliases (alias, version, name) FROM STDIN") as copy:
            for name, _, made in everything:
                copy.write_row(("champion", min(3, len(made)), name))
        connection.commit()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def into_ours(models: int, versions: int, many: int) -> str:
    """Through our own tables, each release with its digest; returns a token that may write."""
    from django.db import connection, transaction

    from accounts.callers import Caller
    from accounts.services import people, service_accounts, tokens, workspaces
    from registry import release as releases
    from registry.models import Alias, ModelVersion, RegisteredModel

    with transaction.atomic():
        workspace = workspaces.create(slug="bench", name="Bench")
        system = Caller.system("bench", workspace)
        owner = people.create_person(
            email="bench@example.org", name="Bench", password="a-long-bench-password", caller=system
        )
        people.grant_role(user=owner, role="administrator", workspace=workspace, caller=system)
        account = service_accounts.create(
            caller=system, name="bench-ci", responsible=owner, roles=["model_owner"]
        )
        _, token = tokens.create(
            workspace=workspace,
            service_account=account,
            name="bench",
            scopes=["read", "registry:write", "requests:write"],
            days=1,
            caller=system,
        )
        everything = [*rows(models, versions), deep(many)]
        made = RegisteredModel.objects.bulk_create(
            RegisteredModel(
                workspace=workspace,
                name=name,
                description=f"bench {name}",
                owner=owner,
                tags=tags,
                next_version=len(numbered) + 1,
            )
            for name, tags, numbered in everything
        )
        versions_ = []
        for model, (_, _, numbered) in zip(made, everything, strict=True):
            for it in numbered:
                release = releases.canonical(
                    releases.ReleaseInput(source=it["source"], run_id=it["run_id"])
                )
                versions_.append(
                    ModelVersion(
                        workspace=workspace,
                        model=model,
                        number=it["number"],
                        release=release,
                        release_digest=releases.digest(release),
                        source=it["source"],
                        run_id=it["run_id"],
                        description=it["description"],
                        tags=it["tags"],
                        created_by=owner,
                        created_through=account,
                    )
                )
        stored = ModelVersion.objects.bulk_create(versions_, batch_size=2000)
        Alias.objects.bulk_create(
            [
                Alias(model=it.model, name="champion", version=it, moved_by_pid=system.actor.pid)
                for it in stored
                if it.number == 3
            ],
            batch_size=2000,
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return token


def _version(generator: random.Random, model: int, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "source": f"s3://bucket/{model_name(model)}/{number}/model",
        "run_id": f"{generator.getrandbits(128):032x}",
        "description": f"version {number}",
        "tags": {
            "auc": f"{generator.random():.4f}",
            "approved": generator.choice(("yes", "no")),
            "stage": generator.choice(("dev", "staging", "prod")),
        },
    }


def _to(count: int) -> range:
    return range(1, count + 1)


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write(into_ours(*(int(it) for it in sys.argv[1:4])) + "\n")
