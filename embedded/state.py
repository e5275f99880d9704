"""What the embedded services remember between runs: two files that only their owner may read.

``services.json`` says what runs and how to reach it; it is rewritten by ``up`` and ``down``.
``secrets.json`` holds development secrets; it is made once and then only added to, because a new
key would make stored tokens unreadable and the audit trail unverifiable.
"""

import base64
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedded.errors import EmbeddedError

SERVICES = "services.json"
SECRETS = "secrets.json"


def prepare(var_dir: Path | str) -> Path:
    """Make VAR_DIR if it is missing and return it as an absolute path.

    As root, the folder we make may be walked through (not listed) by others: PostgreSQL runs as
    somebody else inside it. Everything in it is closed on its own.
    """
    path = Path(var_dir).expanduser().absolute()
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True)
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    (path / "logs").mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def locked(var_dir: Path) -> Iterator[None]:
    """One ``up`` or ``down`` at a time for one VAR_DIR."""
    handle = os.open(var_dir / ".embedded.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty when there is none."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise EmbeddedError(f"{path} is not valid JSON ({error}); repair or remove it.") from error
    if not isinstance(value, dict):
        raise EmbeddedError(f"{path} should hold a JSON object; repair or remove it.")
    return value


def write(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file whole, mode 0600: a reader sees the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600 by itself
    try:
        with os.fdopen(handle, "w") as out:
            json.dump(value, out, indent=2, sort_keys=True)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def services(var_dir: Path) -> dict[str, Any]:
    """What ``services.json`` says now."""
    return read(var_dir / SERVICES)


def update_services(var_dir: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """Merge ``changes`` into ``services.json``; a value of None removes its key."""
    merged = {**services(var_dir), **changes}
    merged = {key: value for key, value in merged.items() if value is not None}
    write(var_dir / SERVICES, merged)
    return merged


def ensure_secrets(var_dir: Path) -> dict[str, str]:
    """The secrets of this VAR_DIR; what is missing is made now, what exists never changes."""
    path = var_dir / SECRETS
    known = read(path)
    made = {key: make() for key, make in _MAKERS.items() if key not in known}
    if made:
        known = {**known, **made}
        write(path, known)
    return {key: str(value) for key, value in known.items()}


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _password() -> str:
    return secrets.token_urlsafe(24)  # needs no quoting inside a URL


_MAKERS = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    # What cryptography's Fernet.generate_key() returns: 32 random bytes, URL-safe base64.
    "FIELD_KEYS": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "AUDIT_SIGNING_KEY": _random_key,  # an Ed25519 seed is any 32 random bytes
    "AUDIT_MAC_KEY": _random_key,
    "POSTGRES_PASSWORD": _password,
    "POSTGRES_OWNER_PASSWORD": _password,
    "POSTGRES_APP_PASSWORD": _password,
    "POSTGRES_SEALER_PASSWORD": _password,
}
