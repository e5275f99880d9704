"""Small real servers on loopback, and a policy that opens them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[socket.socket, bytes], None]


@dataclass
class Server:
    """A server of a few lines: what it was sent, and how it answers."""

    port: int
    requests: list[bytes] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def respond(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> Answer:
    """Answers every request so."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    raw = "\r\n".join([*lines, "", ""]).encode() + body

    def answer(connection: socket.socket, request: bytes) -> None:
        connection.sendall(raw)

    return answer


def drip(connection: socket.socket, request: bytes) -> None:
    """One byte at a time, each in good time, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """``serve(answer, tls=context)`` starts a server on loopback that lives as long as the test."""
    listeners: list[socket.socket] = []

    def start(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Server:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        server = Server(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, server, answer, tls), daemon=True).start()
        return server

    yield start
    for listener in listeners:
        listener.close()


def _accept(
    listener: socket.socket, server: Server, answer: Answer, tls: ssl.SSLContext | None
) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(
            target=_converse, args=(connection, server, answer, tls), daemon=True
        ).start()


def _converse(connection: Any, server: Server, answer: Answer, tls: ssl.SSLContext | None) -> None:
    with connection:
        try:
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            connection.settimeout(10)
            request = _read(connection)
            if request:
                server.requests.append(request)
                answer(connection, request)
        except (OSError, ValueError):
            return  # the client went away, as many of these tests intend
        finally:
            connection.close()


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        data += chunk
        if not chunk or data.startswith(b"\x16"):  # the end, or TLS where none is spoken
            return data
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What names resolve to: a list of addresses, or a function that is asked each time."""
    from outbound import resolve

    table: dict[str, Any] = {}
    real = resolve.lookup

    def lookup(host: str, port: int) -> list[str]:
        found = table.get(host)
        if found is None:
            # Odd spellings of literals go to the C library, as they would outside; names do not.
            if host and host[0].isdigit():
                return real(host, port)
            raise socket.gaierror(f"{host} is not in this test's table")
        return found() if callable(found) else list(found)

    monkeypatch.setattr(resolve, "lookup", lookup)
    return table


@pytest.fixture
def opened(settings: Any) -> Callable[[Server], None]:
    """Opens a server's own address and port by the setting."""

    def open_(server: Server) -> None:
        entry = f"127.0.0.1/32:{server.port}"
        settings.OUTBOUND_ALLOW = ",".join(filter(None, [settings.OUTBOUND_ALLOW, entry]))

    settings.OUTBOUND_ALLOW = ""
    return open_


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """``certificate("model.example")``: a server's context, and a client's that trusts it alone."""

    def make(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        try:
            alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = made.public_bytes(serialization.Encoding.PEM)
        (tmp_path / "cert.pem").write_bytes(pem)
        (tmp_path / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        return server, ssl.create_default_context(cadata=pem.decode())

    return make
