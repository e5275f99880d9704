"""The one place that reads the environment: typed values for the settings, and why one is missing.

In development and tests a value comes from the environment, then ``.env``, then the files that
``manage.py embedded up`` keeps in VAR_DIR. Under ``config.settings.prod`` it comes from the
environment alone, and a missing secret stops the process at once, by name.
"""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 8000

Role = Literal["app", "owner", "sealer"]
DATABASE_VARIABLES: dict[str, str] = {
    "app": "DATABASE_URL",
    "owner": "DATABASE_OWNER_URL",
    "sealer": "DATABASE_SEALER_URL",
}

# A socket folder that does not exist: whoever connects reads this sentence in PostgreSQL's own
# error.
NO_DATABASE = "/no database known: run 'manage.py embedded up' or set DATABASE_URL"


@dataclass(frozen=True)
class Env:
    """Everything the settings take from outside; secrets stay out of its repr and of tracebacks."""

    var_dir: Path
    port: int
    database_role: Role
    database_url: str | None = field(repr=False)
    database_pool: bool
    database_prepare: bool
    redis_url: str = field(repr=False)  # as redis-py reads it
    email_url: str = field(repr=False)
    storage_url: str = field(repr=False)
    artifact_max_bytes: int
    artifact_quota_bytes: int
    secret_key: str = field(repr=False)
    allowed_hosts: list[str]
    base_url: str
    field_keys: list[str] = field(repr=False)  # Fernet keys, newest first
    audit_signing_key: str = field(
        repr=False
    )  # Ed25519 seed, base64; empty where only the sealer needs it
    audit_mac_key: str = field(repr=False)  # 32 bytes, base64
    outbound_allow: str
    debug: bool

    @property
    def broker_url(self) -> str:
        """The same Redis as kombu names it."""
        return _kombu_url(self.redis_url)

    @property
    def cache_url(self) -> str:
        """The cache's own logical database, so that clearing it loses no message."""
        return self.redis_database(1)

    def redis_database(self, number: int) -> str:
        """The same Redis, logical database ``number``."""
        return _redis_database(self.redis_url, number)


def load(environ: Mapping[str, str] | None = None) -> Env:
    """Read the environment.

    Raises:
        ImproperlyConfigured: a value is malformed, or in production one is missing.
    """
    environ = os.environ if environ is None else environ
    module = environ.get("DJANGO_SETTINGS_MODULE", "")
    source = _production(environ) if module.endswith(".prod") else _development(environ, module)
    role = source.role
    return Env(
        var_dir=source.var_dir,
        port=source.port,
        database_role=role,
        database_url=source.database_url(),
        database_pool=source.flag("DATABASE_POOL"),
        database_prepare=source.get("DATABASE_PREPARE") != "0",
        redis_url=_checked_redis(source.need("REDIS_URL")),
        email_url=source.need("EMAIL_URL"),
        storage_url=source.get("STORAGE_URL"),
        artifact_max_bytes=source.bytes("ARTIFACT_MAX_BYTES", 5 * 1024**3),
        artifact_quota_bytes=source.bytes("ARTIFACT_QUOTA_BYTES", 200 * 1024**3),
        secret_key=source.need("SECRET_KEY"),
        allowed_hosts=_words(source.need("ALLOWED_HOSTS")),
        base_url=source.need("BASE_URL").rstrip("/"),
        field_keys=[_key("FIELD_KEYS", key) for key in _words(source.need("FIELD_KEYS"))],
        # Only the sealer may hold it: a stolen web process must not be able to sign a checkpoint.
        audit_signing_key=_key("AUDIT_SIGNING_KEY", source.need("AUDIT_SIGNING_KEY"))
        if role == "sealer" or source.get("AUDIT_SIGNING_KEY")
        else "",
        audit_mac_key=_key("AUDIT_MAC_KEY", source.need("AUDIT_MAC_KEY")),
        outbound_allow=source.get("OUTBOUND_ALLOW"),
        debug=source.flag("DEBUG"),
    )


def database_settings(url: str | None) -> dict[str, Any]:
    """One entry of Django's DATABASES; without a URL, one that says at first use what to do."""
    engine = "django.db.backends.postgresql"
    if url is None:
        return {"ENGINE": engine, "NAME": "none", "HOST": NO_DATABASE, "OPTIONS": {}}
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL should begin with postgres://")
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ImproperlyConfigured("DATABASE_URL names no database")
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def email_settings(url: str) -> tuple[str, dict[str, Any]]:
    """The mail backend and the EMAIL_* settings of an EMAIL_URL.

    ``file:`` writes .eml files to EMAIL_DIR; ``console:``, ``memory:``;
    ``smtp://user:password@host:587?tls=1`` (STARTTLS) and ``smtps://…`` send.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "outbound.mailbox.EmlBackend", {}
    simple = {"console": "console", "memory": "locmem"}
    if parts.scheme in simple:
        return f"django.core.mail.backends.{simple[parts.scheme]}.EmailBackend", {}
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured(
            "EMAIL_URL should be file:, console:, smtp://host or smtps://host"
        )
    query = parse_qs(parts.query)
    implicit = parts.scheme == "smtps"
    starttls = not implicit and query.get("tls", ["0"])[0] in {"1", "true"}
    return "django.core.mail.backends.smtp.EmailBackend", {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if implicit else 587 if starttls else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": implicit,
        "EMAIL_USE_TLS": starttls,
        "EMAIL_TIMEOUT": 10,
    }


def storage_settings(url: str, var_dir: Path) -> dict[str, Any]:
    """The default entry of Django's STORAGES.

    ``file:///folder`` (``VAR_DIR/storage`` when empty), or
    ``s3://KEY:SECRET@host:port/bucket/folder?region=…&tls=0&addressing=virtual``. Without a host it
    is Amazon's own; without a key, botocore looks where it always does (environment, instance).

    Raises:
        ImproperlyConfigured: another scheme, or no bucket.
    """
    parts = urlsplit(url)
    if parts.scheme in {"", "file"}:
        if parts.netloc or (url and not parts.path.startswith("/")):
            raise ImproperlyConfigured("STORAGE_URL should be file:///folder with three slashes")
        location = Path(unquote(parts.path)) if url else var_dir / "storage"
        return {"BACKEND": "common.storage.FileStorage", "OPTIONS": {"location": location}}
    if parts.scheme != "s3":
        raise ImproperlyConfigured("STORAGE_URL should begin with file:// or s3://")
    bucket, _, folder = unquote(parts.path).strip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    unknown = sorted(set(query) - {"region", "tls", "addressing"})
    try:
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured("STORAGE_URL: the port should be a number") from None
    if not bucket or unknown:
        raise ImproperlyConfigured(
            f"STORAGE_URL does not know {unknown[0]}"
            if unknown
            else "STORAGE_URL names no bucket: s3://KEY:SECRET@host:port/bucket"
        )
    options: dict[str, Any] = {
        "bucket_name": bucket,
        "location": folder,
        "region_name": query.get("region"),
        "addressing_style": query.get("addressing", "path"),
    }
    if parts.username:
        options["access_key"] = unquote(parts.username)
        options["secret_key"] = unquote(parts.password or "")
    if parts.hostname:
        scheme = "http" if query.get("tls") in {"0", "false"} else "https"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        options["endpoint_url"] = f"{scheme}://{host}" + (f":{port}" if port else "")
    return {"BACKEND": "common.bucket.BucketStorage", "OPTIONS": options}


# Where values come from


@dataclass(frozen=True)
class _Source:
    """Values in order of precedence, and whether silence is an error."""

    values: Mapping[str, str]
    var_dir: Path
    port: int
    role: Role
    is_production: bool

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name) or default

    def need(self, name: str) -> str:
        value = self.values.get(name)
        if not value:
            raise ImproperlyConfigured(
                f"{name} is not set. Production has no default for it; see docs/configuration.md."
                if self.is_production
                else f"{name} is not set."
            )
        return value

    def flag(self, name: str) -> bool:
        return self.get(name, "0").lower() in {"1", "true", "yes", "on"}

    def bytes(self, name: str, default: int) -> int:
        text = self.get(name)
        if not text:
            return default
        if not text.isdecimal() or int(text) <= 0:
            raise ImproperlyConfigured(f"{name} should be a number of bytes, not {text!r}")
        return int(text)

    def database_url(self) -> str | None:
        name = DATABASE_VARIABLES[self.role]
        return self.need(name) if self.is_production else self.values.get(name) or None


def _production(environ: Mapping[str, str]) -> _Source:
    defaults = {"EMAIL_URL": "console:"}
    return _source({**defaults, **_set(environ)}, is_production=True)


def _development(environ: Mapping[str, str], module: str) -> _Source:
    is_test = module.endswith(".test")
    given = _set(environ)
    if not is_test:  # a developer's .env must never lead a test run to their own database
        given = {**_dotenv(ROOT / ".env"), **given}
    var_dir, port = _var_dir(given), _port(given)
    known = {**_json(var_dir / "secrets.json"), **_json(var_dir / "services.json")}
    defaults = {
        "REDIS_URL": f"unix://{quote(str(var_dir / 'redis' / 'redis.sock'))}?db=0",
        "EMAIL_URL": "file:",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
        "BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_ROLE": "owner" if is_test else "app",
    }
    values = {**defaults, **known, **given}
    return _source({**_dev_secrets(values, var_dir), **values}, is_production=False)


def _source(values: Mapping[str, str], *, is_production: bool) -> _Source:
    role = values.get("DATABASE_ROLE") or "app"
    if role not in DATABASE_VARIABLES:
        raise ImproperlyConfigured(f"DATABASE_ROLE should be app, owner or sealer, not {role!r}")
    return _Source(
        values,
        _var_dir(values),
        _port(values),
        role,  # type: ignore[arg-type]  # narrowed by the check above
        is_production,
    )


def _dev_secrets(values: Mapping[str, str], var_dir: Path) -> dict[str, str]:
    """Secrets of a development machine that has none yet.

    With somebody else's PostgreSQL (DATABASE_URL) nobody called ``embedded up``: keys are made and
    kept, since each process would otherwise have its own. Without any database there is nothing
    that a key could protect, and a command such as ``makemigrations --check`` should leave no file
    behind.
    """
    names = ("SECRET_KEY", "FIELD_KEYS", "AUDIT_SIGNING_KEY", "AUDIT_MAC_KEY")
    if all(values.get(name) for name in names):
        return {}
    if any(values.get(name) for name in DATABASE_VARIABLES.values()):
        from embedded import state

        return state.ensure_secrets(state.prepare(var_dir))
    made = {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in names}
    made["FIELD_KEYS"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()  # Fernet's form
    return made


def _set(environ: Mapping[str, str]) -> dict[str, str]:
    # An empty variable is how a compose file or a Makefile says "not set".
    return {name: value for name, value in environ.items() if value}


def _var_dir(values: Mapping[str, str]) -> Path:
    return ROOT / Path(values.get("VAR_DIR") or "var").expanduser()


def _port(values: Mapping[str, str]) -> int:
    text = values.get("PORT") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ImproperlyConfigured(f"PORT should be a number from 1 to 65535, not {text!r}")
    return int(text)


def _json(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ImproperlyConfigured(f"{path} is not valid JSON: {error}") from error
    return {name: value for name, value in content.items() if isinstance(value, str)}


def _dotenv(path: Path) -> dict[str, str]:
    """``NAME=value`` lines, optionally quoted; no interpolation: a password may hold a dollar."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    values = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, sign, value = text.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ImproperlyConfigured(f"{path}, line {number}: expected NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if value:
            values[name.strip()] = value
    return values


# Checks and forms


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _key(name: str, text: str) -> str:
    """32 bytes in base64, or an error that names the variable and never shows the value."""
    try:
        size = len(base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True))
    except ValueError:
        size = 0
    if size != 32:
        raise ImproperlyConfigured(f"{name} should be 32 bytes in base64")
    return text


def _checked_redis(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"unix", "redis", "rediss"}:
        raise ImproperlyConfigured("REDIS_URL should begin with unix://, redis:// or rediss://")
    if parts.scheme == "unix" and len(os.fsencode(unquote(parts.path))) >= 100:
        raise ImproperlyConfigured("REDIS_URL: the socket's path should be under 100 bytes")
    return url


def _redis_database(url: str, number: int) -> str:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return parts._replace(path=f"/{number}").geturl()
    query = {**dict(parse_qsl(parts.query)), "db": str(number)}
    return f"unix://{parts.netloc}{parts.path}?{urlencode(query)}"


def _kombu_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = dict(parse_qsl(parts.query))
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={query.get('db', '0')}"
