"""Many calls at once to one model server: aiohttp under the same address policy as the client.

    policy = policy_for(workspace)                     # a query: before the event loop
    async with TrafficClient(policy, connections=4) as client:
        answer = await client.post(url, headers=…, body=…, deadline_s=5.0, max_bytes=…)

Connections are kept and used again within one client, that is: within one policy.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from outbound import resolve
from outbound.addresses import Policy, literal, parse_url, shown
from outbound.client import DNS_TIMEOUT_S, tls_context
from outbound.errors import AddressRefused, DeadlineExceeded, ResponseTooLarge, Unreachable
from outbound.responses import Response

if TYPE_CHECKING:
    import ssl
    from types import TracebackType
    from typing import Self

logger = logging.getLogger(__name__)


class TrafficClient:
    """An asynchronous client for prediction traffic; at most ``connections`` sockets at once."""

    def __init__(
        self, policy: Policy, *, connections: int = 4, tls: ssl.SSLContext | None = None
    ) -> None:
        self.policy = policy
        self.connections = connections
        self.tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=self.connections,
            ssl=self.tls or tls_context(),
            resolver=_PinnedResolver(self.policy),
            use_dns_cache=False,
            socket_factory=self._socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "countersign"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline_s: float,
        max_bytes: int = 10_000_000,
    ) -> Response:
        """POST once; ``deadline_s`` covers everything, the wait for a free connection too.

        Raises: AddressRefused, Unreachable, DeadlineExceeded, ResponseTooLarge.
        """
        if self._session is None:
            raise RuntimeError("TrafficClient is used inside “async with”")
        target = parse_url(url)
        if (address := literal(target.host)) is not None:
            # aiohttp asks its resolver nothing about a literal.
            self.policy.insist(host=target.host, port=target.port, answers=[address])
        started = time.monotonic()
        try:
            async with (
                asyncio.timeout(deadline_s),
                self._session.post(
                    url,
                    data=body,
                    headers=dict(headers),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as answer,
            ):
                content = await _read(answer, max_bytes)
                got = {name.lower(): value for name, value in answer.headers.items()}
        except TimeoutError:
            raise DeadlineExceeded(
                f"{shown(target.host)} did not answer within {deadline_s:g} s."
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _explained(error, target.host) from None
        elapsed_ms = (time.monotonic() - started) * 1000
        return Response(answer.status, got, content, elapsed_ms)

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The last look, at the very address that is about to be dialled."""
        family, kind, proto, _, place = info
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if self.policy.is_never(address, place[1]):
            raise AddressRefused("An address that is never called was about to be dialled.")
        return socket.socket(family, kind, proto)


class _PinnedResolver(AbstractResolver):
    """Resolves, checks every answer, and hands over literals."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        name = host.rstrip(".").lower()
        found = await asyncio.to_thread(resolve.answers, name, port, timeout_s=DNS_TIMEOUT_S)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.policy.insist(host=name, port=port, answers=found)
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _read(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise ResponseTooLarge(f"The answer is larger than {max_bytes:,} bytes.")
    return bytes(body)


def _explained(error: Exception, host: str) -> Exception:
    """Our own refusal where aiohttp wrapped it, else what a person can be told."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressRefused | DeadlineExceeded | Unreachable):
            return seen
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, aiohttp.InvalidURL):
        return AddressRefused(f"{shown(host)} is no plainly written address or name.")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Unreachable(f"{shown(host)} shows a certificate that does not verify.")
    if isinstance(error, aiohttp.ClientSSLError):
        return Unreachable(f"{shown(host)} does not speak TLS as it should.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"{shown(host)} refused or broke the connection.")
    return Unreachable(f"{shown(host)} broke off or did not answer in HTTP.")
