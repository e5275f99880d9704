"""A storage of its own for each test, and the way bytes are sent to the API."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> Path:
    """Files of a test lie in its own folder."""
    storages = {**settings.STORAGES}
    storages["default"] = {**storages["default"], "OPTIONS": {"location": tmp_path / "storage"}}
    settings.STORAGES = storages
    return tmp_path / "storage"


@pytest.fixture
def tree(storage: Path) -> Callable[[], dict[str, str]]:
    """What lies on the disk: relative name → digest of the bytes."""

    def look() -> dict[str, str]:
        return {
            str(path.relative_to(storage)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in storage.rglob("*")
            if path.is_file()
        }

    return look


@pytest.fixture
def builder(api: Any) -> Any:
    return api("model_owner")


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def noise(size: int) -> bytes:
    return os.urandom(size)


def put(client: Any, raw: bytes, *, name: str = "model.bin", sha256: str = "") -> Any:
    return client.generic(
        "PUT",
        f"/api/v1/artifacts/{sha256 or sha(raw)}?name={name}",
        raw,
        content_type="application/octet-stream",
    )


def begin(client: Any, size: int, **fields: Any) -> Any:
    return client.post("/api/v1/artifacts/uploads", {"name": "m.bin", "size": size, **fields})


def part(client: Any, uid: str, offset: Any, raw: bytes) -> Any:
    return client.generic(
        "PATCH",
        f"/api/v1/artifacts/uploads/{uid}",
        raw,
        content_type="application/octet-stream",
        HTTP_UPLOAD_OFFSET=str(offset),
    )


def complete(client: Any, uid: str, **fields: Any) -> Any:
    return client.post(f"/api/v1/artifacts/uploads/{uid}/complete", fields)
