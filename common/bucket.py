"""A bucket of an S3-compatible store as a storage. Imports boto3: only where one is configured."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from common.storage import CHUNK, StorageDown

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _or_down(method: _Function) -> _Function:
    """What botocore raises is no OSError; callers should have one kind of trouble to know."""

    @wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise _as_os_error(error) from error

    return wrapped  # type: ignore[return-value]


def _as_os_error(error: Exception) -> OSError:
    answer = getattr(error, "response", {})
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
        return FileNotFoundError(str(error))
    return StorageDown(f"{type(error).__name__}: {error}")


class BucketStorage(S3Storage):
    """A bucket of an S3-compatible store."""

    def __init__(self, **options: Any) -> None:
        style = options.pop("addressing_style", "path")
        options.setdefault(
            "client_config",
            Config(
                s3={"addressing_style": style},
                signature_version="s3v4",
                connect_timeout=5,
                read_timeout=30,
                retries={"max_attempts": 3, "mode": "standard"},
                # What we check ourselves by SHA-256, many S3-compatible stores cannot.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        # One piece in memory at a time, whatever the size of the file.
        options.setdefault("transfer_config", TransferConfig(use_threads=False))
        # A file that is opened whole goes to a temporary file beyond this, not into memory.
        options.setdefault("max_memory_size", 8 * CHUNK)
        super().__init__(file_overwrite=True, default_acl=None, **options)

    @_or_down
    def _open(self, name: str, mode: str = "rb") -> Any:
        return super()._open(name, mode)

    @_or_down
    def _save(self, name: str, content: Any) -> str:
        return str(super()._save(name, content))

    @_or_down
    def delete(self, name: str) -> None:
        super().delete(name)

    @_or_down
    def exists(self, name: str) -> bool:
        return bool(super().exists(name))

    @_or_down
    def size(self, name: str) -> int:
        return int(super().size(name))

    @_or_down
    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        folders, files = super().listdir(name)
        return folders, files

    def ranged(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        if stop <= start:
            return
        body = self._body(name, start, stop)
        with contextlib.closing(body):
            while chunk := _or_down(body.read)(CHUNK):
                yield chunk

    @_or_down
    def _body(self, name: str, start: int, stop: int) -> Any:
        found = self.bucket.Object(self._normalize_name(name))
        return found.get(Range=f"bytes={start}-{stop - 1}")["Body"]
