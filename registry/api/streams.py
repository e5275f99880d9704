"""Raw bytes in, raw bytes out: the body is handed on as it comes, an answer may be a range."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

from common.errors import Invalid, Unavailable
from registry.artifacts import content
from registry.artifacts.content import ContentDiffers, Readable

if TYPE_CHECKING:
    from rest_framework.request import Request

    from registry.models import Artifact

_RANGE = re.compile(r"\Abytes=(\d{0,18})-(\d{0,18})\Z")
#: A body may come slowly, but not so slowly that a few of them keep everybody else out.
_GRACE_SECONDS, _LEAST_BYTES_PER_SECOND = 30.0, 8 * 1024


class LengthRequired(APIException):
    status_code = 411
    default_detail = "Send the body with a Content-Length, not in chunks."
    default_code = "length_required"


class RawParser(BaseParser):
    """``application/octet-stream``, not read here: whoever wants the bytes reads them in pieces."""

    media_type = "application/octet-stream"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return stream


class Paced:
    """A body that may be slow, within reason. Raises, while it is read: ContentDiffers."""

    def __init__(self, source: Readable) -> None:
        self._source, self._began, self._taken = source, time.monotonic(), 0

    def read(self, size: int) -> bytes:
        try:
            piece = self._source.read(size)
        except OSError as error:  # UnreadablePostError: the line is gone
            raise ContentDiffers("The line was cut.", code="cut_short") from error
        self._taken += len(piece)
        spent = time.monotonic() - self._began - _GRACE_SECONDS
        if spent > 0 and self._taken < spent * _LEAST_BYTES_PER_SECOND:
            raise ContentDiffers("The body comes too slowly.", code="too_slow")
        return piece


class _Doors:
    """How many bodies this process takes at a time: some of its threads stay free for the rest."""

    def __init__(self) -> None:
        self._free: threading.BoundedSemaphore | None = None

    @contextmanager
    def one(self) -> Iterator[None]:
        if self._free is None:
            self._free = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))
        if not self._free.acquire(blocking=False):
            raise Unavailable(
                "Too many uploads at this moment. Send this part again in a second.",
                code="too_many_uploads",
            )
        try:
            yield
        finally:
            self._free.release()


doors = _Doors()


def length_of(request: Request) -> int:
    """The announced length of the body. Raises: LengthRequired, Invalid."""
    text = request.META.get("CONTENT_LENGTH") or ""
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        raise LengthRequired
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid("Content-Length is no number.", code="invalid_length")
    return int(text or 0)


def body_of(request: Request) -> Paced:
    """The body as a stream; the wrong media type is refused here (415)."""
    source: Any = request.data
    return Paced(source if hasattr(source, "read") else _Empty())


class _Empty:
    def read(self, size: int) -> bytes:
        return b""


def download(request: Any, artifact: Artifact) -> HttpResponseBase:
    """The bytes, whole or a range (RFC 9110), as a file to keep and never as a page."""
    etag = f'"sha256:{artifact.sha256}"'
    if etag in _listed(request.META.get("HTTP_IF_NONE_MATCH", "")):
        return _dressed(HttpResponse(status=304), artifact, etag)
    wanted = request.META.get("HTTP_RANGE", "")
    if wanted and request.META.get("HTTP_IF_RANGE", etag) != etag:
        wanted = ""
    found = _RANGE.match(wanted)
    if found is None or not (found[1] or found[2]):
        body: Any = content.checked_whole(
            artifact.storage_name, size=artifact.size, sha256=artifact.sha256
        )
        return _sent(body, artifact, etag, artifact.size, status=200)
    start, stop = _bounds(found[1], found[2], artifact.size)
    if start >= stop:
        refused = HttpResponse(status=416)
        refused["Content-Range"] = f"bytes */{artifact.size}"
        return _dressed(refused, artifact, etag)
    body = content.pieces(artifact.storage_name, start, stop)
    answer = _sent(body, artifact, etag, stop - start, status=206)
    answer["Content-Range"] = f"bytes {start}-{stop - 1}/{artifact.size}"
    return answer


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Where a range begins and ends (the end not included); empty where it cannot be met."""
    if not first:
        return max(0, size - int(last)), size if int(last) else 0
    return int(first), min(size, int(last) + 1 if last else size)


def _listed(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _sent(
    body: Iterator[bytes], artifact: Artifact, etag: str, length: int, *, status: int
) -> StreamingHttpResponse:
    # The first piece now: a file that is missing is then a problem document, not a cut answer.
    first = next(body, b"")
    answer = StreamingHttpResponse(_after(first, body), status=status)
    answer["Content-Length"] = str(length)
    _dressed(answer, artifact, etag)
    return answer


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _dressed(answer: HttpResponseBase, artifact: Artifact, etag: str) -> HttpResponseBase:
    answer["Content-Type"] = "application/octet-stream"
    answer["Content-Disposition"] = (
        content_disposition_header(True, file_name(artifact)) or "attachment"
    )
    answer["ETag"] = etag
    answer["Accept-Ranges"] = "bytes"
    answer["Cache-Control"] = "private, no-cache"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def file_name(artifact: Artifact) -> str:
    """What a browser may call it: the last part of its name, without a way to anywhere."""
    last = artifact.name.replace("\\", "/").rpartition("/")[2].strip(". ")
    return last or f"{artifact.sha256[:12]}.bin"
