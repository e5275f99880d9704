"""Which addresses may be dialled. Pure: no name is resolved and no table is read here.

``ipaddress.is_global`` is not used: on Python 3.11 it is True for ``64:ff9b::7f00:1``,
``2002:7f00:1::``, ``::7f00:1``, ``192.0.0.8``, ``224.0.0.1`` and ``fec0::1``, each of which leads
somewhere it should not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from outbound.errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL = 2000


def _networks(*rows: tuple[str, str]) -> tuple[tuple[Network, str], ...]:
    return tuple((ipaddress.ip_network(text), why) for text, why in rows)


#: Nothing opens these: metadata services, what is no unicast address, IPv4 hidden in IPv6.
HARD_DENY = _networks(
    ("0.0.0.0/8", "“this host”"),
    ("169.254.0.0/16", "link-local, where cloud metadata lives"),
    ("100.100.100.200/32", "a cloud's metadata service"),
    ("168.63.129.16/32", "a cloud's metadata service"),
    ("192.0.0.0/24", "reserved for protocols"),
    ("192.88.99.0/24", "a 6to4 relay"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved or broadcast"),
    ("::/96", "IPv4 hidden in IPv6"),
    ("::ffff:0:0:0/96", "IPv4 hidden in IPv6"),
    ("64:ff9b::/96", "IPv4 hidden in IPv6"),
    ("64:ff9b:1::/48", "IPv4 hidden in IPv6"),
    ("2002::/16", "IPv4 hidden in IPv6"),
    ("2001::/32", "IPv4 hidden in IPv6"),
    ("100::/64", "discarded"),
    ("fd00:ec2::254/128", "a cloud's metadata service"),
    ("fd20:ce::254/128", "a cloud's metadata service"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
#: Closed unless an administrator opened this address and port.
SOFT_DENY = _networks(
    ("127.0.0.0/8", "this machine"),
    ("::1/128", "this machine"),
    ("10.0.0.0/8", "a private network"),
    ("172.16.0.0/12", "a private network"),
    ("192.168.0.0/16", "a private network"),
    ("100.64.0.0/10", "a provider's inner network"),
    ("198.18.0.0/15", "a test network"),
    ("192.0.2.0/24", "a documentation range"),
    ("198.51.100.0/24", "a documentation range"),
    ("203.0.113.0/24", "a documentation range"),
    ("fc00::/7", "a private network"),
    ("2001:db8::/32", "a documentation range"),
    ("3fff::/20", "a documentation range"),
    ("2001::/23", "reserved for protocols"),
)
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
# ::1 lies in the hard ::/96 and is this machine all the same.
_SOFT_FIRST = frozenset({ipaddress.ip_address("::1")})
_GLOBAL_6 = ipaddress.ip_network("2000::/3")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL points, before anything is resolved. ``host``: lower-case ASCII, no brackets."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Pinned:
    """A checked place to dial: ``address`` is the literal, ``host`` the name for TLS and Host."""

    address: str
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class Opening:
    """One entry that opens soft-denied addresses: a network, ports, a name if bound to one."""

    network: Network
    first_port: int
    last_port: int
    host: str = ""

    def admits(self, host: str, address: Address, port: int) -> bool:
        return (
            address.version == self.network.version
            and address in self.network
            and self.first_port <= port <= self.last_port
            and self.host in ("", host)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """What one workspace may dial.

    Attributes:
        openings: the entries in force.
        own_ports: ports of this house on this machine: closed on every loopback address.
        own: (address, port) pairs of this house elsewhere, such as an outside PostgreSQL.
    """

    openings: tuple[Opening, ...] = ()
    own_ports: frozenset[int] = frozenset()
    own: frozenset[tuple[str, int]] = frozenset()

    def why_not(self, *, host: str, address: Address, port: int) -> str | None:
        """None when it may be dialled, else the reason, as the end of a sentence."""
        address = normalise(address)
        if (never := self.is_never(address, port)) is not None:
            return never
        if (why := _found(SOFT_DENY, address)) is None:
            return None
        if any(opening.admits(host, address, port) for opening in self.openings):
            return None
        return f"belongs to {why}, which no administrator has opened for port {port}"

    def is_never(self, address: Address, port: int) -> str | None:
        """The reason no opening can change, or None."""
        address = normalise(address)
        if address not in _SOFT_FIRST and (why := _found(HARD_DENY, address)) is not None:
            return f"is never called ({why})"
        if (is_loopback(address) and port in self.own_ports) or (str(address), port) in self.own:
            return "is one of Countersign's own"
        if address.version == 4 or address in _GLOBAL_6 or _found(SOFT_DENY, address) is not None:
            return None
        return "is never called (no global unicast address)"

    def insist(self, *, host: str, port: int, answers: Sequence[Address]) -> list[Address]:
        """The addresses to dial, in order: every answer passes, or none is dialled.

        Raises: AddressRefused. One bad answer among good ones is how a rebinding attack looks.
        """
        if not answers:
            raise AddressRefused(f"{shown(host)} has no address.")
        for address in answers:
            if (reason := self.why_not(host=host, address=address, port=port)) is not None:
                raise AddressRefused(f"{shown(host)}:{port} {reason}.")
        return [normalise(address) for address in answers]


def normalise(address: Address) -> Address:
    """IPv4 where IPv6 only wraps it (``::ffff:127.0.0.1``): that is what the kernel would dial."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_loopback(address: Address) -> bool:
    return any(address.version == net.version and address in net for net in _LOOPBACK)


def parse_url(url: str) -> Target:
    """Scheme, host and port of a URL that may be called at all.

    Raises: AddressRefused: not http(s), with a user name, without a host, or not plainly written.
    """
    if len(url) > MAX_URL:
        raise AddressRefused(f"A URL may have at most {MAX_URL} characters.")
    if not url.isascii() or any(
        ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in url
    ):
        raise AddressRefused("A URL is plain ASCII, without blanks or backslashes.")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        raise AddressRefused("This is not a URL.") from None
    if parts.scheme not in ("http", "https"):
        raise AddressRefused("Only http and https URLs are called.")
    if "@" in parts.netloc:
        raise AddressRefused("A URL with a user name or password in it is not called.")
    if not host or len(host) > 253 or "%" in host:
        raise AddressRefused("The URL names no host that could be called.")
    if port == 0:
        raise AddressRefused("Port 0 cannot be called.")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80))


def literal(host: str) -> Address | None:
    """The address, when the host is one in its usual spelling."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def parse_openings(text: str) -> tuple[Opening, ...]:
    """The setting ``OUTBOUND_ALLOW``: ``127.0.0.1/32:18010-18030,[fd00::/8]:443``.

    Raises: ValueError, which names the entry.
    """
    return tuple(_opening(entry.strip()) for entry in text.split(",") if entry.strip())


def openable(network: Network) -> str | None:
    """Why an administrator cannot open this network, or None when they can."""
    for net, why in HARD_DENY:
        if _within(network, net) and network.network_address not in _SOFT_FIRST:
            return f"Nothing opens {network}: {why}."
    if not any(_within(network, net) for net, _ in SOFT_DENY):
        return f"{network} does not lie within one private range; public addresses need no entry."
    return None


def is_public(address: Address) -> bool:
    """Whether anybody on the internet can ask this address, with no entry of ours."""
    address = normalise(address)
    return _found(HARD_DENY, address) is None and _found(SOFT_DENY, address) is None


def shown(host: str) -> str:
    """A host as it may stand in a sentence."""
    return host if len(host) <= 80 else f"{host[:77]}…"


def _opening(entry: str) -> Opening:
    net, colon, ports = entry.rpartition(":")
    first, dash, last = ports.partition("-")
    try:
        opening = Opening(
            ipaddress.ip_network(net.strip("[]")), int(first), int(last if dash else first)
        )
    except ValueError:
        raise ValueError(f"{entry!r} should look like 10.0.0.0/8:8000-8010") from None
    if not colon or not 0 < opening.first_port <= opening.last_port < 65_536:
        raise ValueError(f"{entry!r} names no ports")
    if (why := openable(opening.network)) is not None:
        raise ValueError(why)
    return opening


def _found(table: Iterable[tuple[Network, str]], address: Address) -> str | None:
    for net, why in table:
        if address.version == net.version and address in net:
            return why
    return None


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False
