"""The one HTTP client of the house: resolves, checks and dials the same address.

Checking a name and then letting a library resolve it again is beaten by a name whose answers
change (rebinding). Here the check sits inside the connection: the network backend resolves, every
answer must pass, and the literal that passed is what is dialled. TLS still verifies the name.
Proxy variables, redirects, cookies, ``.netrc`` and compression play no part.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from outbound import resolve
from outbound.addresses import Policy, parse_url, shown
from outbound.errors import AddressRefused, DeadlineExceeded, ResponseTooLarge, Unreachable
from outbound.responses import Response
from outbound.services.destinations import policy_for

if TYPE_CHECKING:
    from accounts.models import Workspace

logger = logging.getLogger(__name__)

DNS_TIMEOUT_S = 5.0


def request(
    method: str,
    url: str,
    *,
    workspace: Workspace,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    deadline_s: float = 10.0,
    max_bytes: int = 1_000_000,
    purpose: str,
) -> Response:
    """One call. ``deadline_s`` covers all of it, however slowly the bytes drip in.

    Raises:
        AddressRefused: the URL or one of its addresses may not be dialled; nothing was sent.
        Unreachable: no connection, TLS did not verify, or the answer is not HTTP.
        DeadlineExceeded: it took longer than ``deadline_s`` seconds.
        ResponseTooLarge: the body is over ``max_bytes``.
    """
    started = time.monotonic()
    target = parse_url(url)
    backend = PinnedBackend(policy_for(workspace), started + deadline_s)
    try:
        outgoing = httpx.Request(method, url, headers=_headers(headers), content=content)
    except httpx.InvalidURL:
        raise AddressRefused(f"{shown(target.host)} is no plainly written address.") from None
    outgoing.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), deadline_s)
    try:
        with httpcore.ConnectionPool(
            ssl_context=tls_context(), network_backend=backend, retries=0, max_connections=1
        ) as pool:
            status, got, body = _exchange(pool, outgoing, max_bytes)
    except AddressRefused as refusal:
        logger.warning("outbound %s: refused: %s", purpose, refusal.message)
        raise
    except httpcore.TimeoutException:
        raise DeadlineExceeded(
            f"{shown(target.host)} did not answer within {deadline_s:g} s."
        ) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
        raise Unreachable(f"{shown(target.host)} {_what_failed(error)}.") from None
    elapsed_ms = (time.monotonic() - started) * 1000
    logger.info("outbound %s: %s %d in %.0f ms", purpose, method, status, elapsed_ms)
    return Response(
        status=status,
        headers=got,
        content=body,
        elapsed_ms=elapsed_ms,
        address=backend.dialled,
    )


class PinnedBackend(httpcore.NetworkBackend):
    """Connects only to addresses that passed, and lets no operation outlive the deadline."""

    def __init__(self, policy: Policy, deadline: float) -> None:
        self.policy = policy
        self.deadline = deadline
        self.inner = httpcore.SyncBackend()
        self.dialled = ""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        name = host.rstrip(".").lower()
        found = resolve.answers(
            name, port, timeout_s=min(DNS_TIMEOUT_S, _left(self.deadline, timeout))
        )
        failure: Exception | None = None
        for address in self.policy.insist(host=name, port=port, answers=found):
            try:
                stream = self.inner.connect_tcp(
                    str(address), port, _left(self.deadline, timeout), None, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
                continue
            self.dialled = str(address)
            return _Stream(stream, self.deadline)
        raise failure or httpcore.ConnectError("no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise AddressRefused("Unix sockets are not called.")


class _Stream(httpcore.NetworkStream):
    """A connection whose every operation gets only what is left of the whole call's time."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self.inner = inner
        self.deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, _left(self.deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: one large write could otherwise outlive the deadline, each send in time.
        view = memoryview(buffer)
        for start in range(0, len(view), 65_536):
            self.inner.write(bytes(view[start : start + 65_536]), _left(self.deadline, timeout))

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self.deadline, timeout)
        return _Stream(self.inner.start_tls(ssl_context, server_hostname, left), self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)


@cache
def tls_context() -> ssl.SSLContext:
    """Verifies chain and name; a private authority is added by ``SSL_CERT_FILE``."""
    return ssl.create_default_context()


def _exchange(
    pool: httpcore.ConnectionPool, outgoing: httpx.Request, max_bytes: int
) -> tuple[int, dict[str, str], bytes]:
    with pool.stream(
        outgoing.method,
        httpcore.URL(
            scheme=outgoing.url.raw_scheme,
            host=outgoing.url.raw_host,
            port=outgoing.url.port,
            target=outgoing.url.raw_path,
        ),
        headers=outgoing.headers.raw,
        content=outgoing.read(),
        extensions=outgoing.extensions,
    ) as answer:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in answer.headers
        }
        body = bytearray()
        for chunk in answer.iter_stream():
            body += chunk
            if len(body) > max_bytes:
                raise ResponseTooLarge(f"The answer is larger than {max_bytes:,} bytes.")
        return answer.status, headers, bytes(body)


def _headers(given: Mapping[str, str] | None) -> httpx.Headers:
    fixed = {"accept-encoding": "identity", "connection": "close", "user-agent": "countersign"}
    return httpx.Headers({**fixed, **(given or {})})


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the call's time is over")
    return left if timeout is None else min(left, timeout)


def _what_failed(error: Exception) -> str:
    text = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return "shows a certificate that does not verify"
    if isinstance(error, ssl.SSLError) or "SSL" in text:
        return "does not speak TLS as it should"
    if isinstance(error, httpcore.ProtocolError):
        return "broke off or did not answer in HTTP"
    return "refused or broke the connection"
