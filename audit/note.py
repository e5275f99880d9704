"""Checkpoints as C2SP signed notes: a few lines of text, a signature line, readable for ever.

    http://127.0.0.1:8000/audit/1
    1234
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
    time 2026-03-20T09:12:00.000000+00:00

    — http://127.0.0.1:8000/audit/1 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5…

Source: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint, which allows the
extension line ``time``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"
DASH = "\N{EM DASH} "


class BadNote(ValueError):
    """Not a signed checkpoint, or not signed by this key."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a checkpoint says: the log ``origin`` had ``size`` leaves and this ``root``."""

    origin: str
    size: int
    root: bytes
    signed_at: datetime | None = None

    def text(self) -> str:
        """The signed bytes, without the signature."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode()]
        if self.signed_at is not None:
            lines.append(
                f"time {self.signed_at.astimezone(UTC).isoformat(timespec='microseconds')}"
            )
        return "".join(f"{line}\n" for line in lines)


def key_id(name: str, public_key: bytes) -> bytes:
    """Four bytes that say which key signed."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def sign(statement: Statement, key: Ed25519PrivateKey) -> str:
    """The note: text, an empty line, and one signature line under the origin's name."""
    name = statement.origin
    if not name or "+" in name or any(char.isspace() for char in name):
        raise BadNote(f"{name!r} cannot name a log: no spaces, no plus sign")
    text = statement.text()
    public = key.public_key().public_bytes_raw()
    blob = base64.b64encode(key_id(name, public) + key.sign(text.encode())).decode()
    return f"{text}\n{DASH}{name} {blob}\n"


def parse(note: str) -> tuple[Statement, list[tuple[str, bytes, bytes]]]:
    """The statement, and (name, key id, signature) of every signature line; nothing is verified.

    Raises: BadNote.
    """
    text, separator, rest = note.partition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) < 3:
        raise BadNote("not a signed note")
    signatures = []
    try:
        size = int(lines[1])
        if str(size) != lines[1] or size < 0:
            raise BadNote("the size is not a plain number")
        root = base64.b64decode(lines[2], validate=True)
        signed_at = None
        if len(lines) == 4 and lines[3].startswith("time "):
            signed_at = datetime.fromisoformat(lines[3].removeprefix("time "))
        for line in rest.removesuffix("\n").split("\n"):
            name, _, blob = line.removeprefix(DASH).rpartition(" ")
            raw = base64.b64decode(blob, validate=True)
            if not line.startswith(DASH) or not name or len(raw) != 68:
                raise BadNote("a signature line is malformed")
            signatures.append((name, raw[:4], raw[4:]))
    except ValueError as error:
        raise BadNote(str(error)) from error
    statement = Statement(lines[0], size, root, signed_at)
    if len(root) != 32 or statement.text() != text + "\n":
        raise BadNote("not a checkpoint")
    return statement, signatures


def verify(note: str, public_key: bytes) -> Statement:
    """The statement, when this key signed it under the log's own name.

    Raises: BadNote.
    """
    statement, signatures = parse(note)
    wanted = key_id(statement.origin, public_key)
    key = Ed25519PublicKey.from_public_bytes(public_key)
    for name, identity, signature in signatures:
        if name != statement.origin or identity != wanted:
            continue
        try:
            key.verify(signature, statement.text().encode())
        except InvalidSignature:
            raise BadNote("the signature does not fit the text") from None
        return statement
    raise BadNote("this key did not sign the note")
