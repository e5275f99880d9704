"""config/env.py: what comes from where, and what a missing or malformed value says."""

import base64
import json
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

KEY = base64.b64encode(bytes(32)).decode()
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "SECRET_KEY": "s" * 60,
    "ALLOWED_HOSTS": "one.example, two.example",
    "BASE_URL": "https://one.example/",
    "DATABASE_URL": "postgres://cs_app:a@db/countersign",
    "REDIS_URL": "redis://cache:6379/0",
    "FIELD_KEYS": KEY,
    "AUDIT_MAC_KEY": KEY,
}


@pytest.fixture
def var_dir(tmp_path: Path) -> Path:
    (tmp_path / "services.json").write_text(
        json.dumps(
            {
                "DATABASE_URL": "postgres://cs_app:a@127.0.0.1:5/countersign",
                "DATABASE_OWNER_URL": "postgres://cs_owner:o@127.0.0.1:5/countersign",
                "DATABASE_SEALER_URL": "postgres://cs_sealer:s@127.0.0.1:5/countersign",
                "REDIS_URL": "unix:///tmp/r.sock?db=0",
                "postgres": {"pid": 1},
            }
        )
    )
    names = ("SECRET_KEY", "FIELD_KEYS", "AUDIT_SIGNING_KEY", "AUDIT_MAC_KEY")
    (tmp_path / "secrets.json").write_text(json.dumps(dict.fromkeys(names, KEY)))
    return tmp_path


def dev(var_dir: Path, **given: str) -> dict[str, str]:
    module = "config.settings.dev"
    return {"DJANGO_SETTINGS_MODULE": module, "VAR_DIR": str(var_dir), **given}


def test_one_process_is_one_role(var_dir):
    users = {
        role: env.database_settings(env.load(dev(var_dir, DATABASE_ROLE=role)).database_url)["USER"]
        for role in ("app", "owner", "sealer")
    }

    assert users == {"app": "cs_app", "owner": "cs_owner", "sealer": "cs_sealer"}
    assert env.load(dev(var_dir)).database_role == "app"
    with pytest.raises(ImproperlyConfigured, match="not 'root'"):
        env.load(dev(var_dir, DATABASE_ROLE="root"))


def test_tests_connect_as_owner_and_read_no_dotenv(var_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(env, "ROOT", tmp_path)
    (tmp_path / ".env").write_text("DATABASE_OWNER_URL=postgres://me@real/mine\n")
    environ = dev(var_dir) | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}

    loaded = env.load(environ)

    assert loaded.database_role == "owner"
    assert env.database_settings(loaded.database_url)["HOST"] == "127.0.0.1"


def test_environment_beats_dotenv_beats_the_files_of_embedded_up(var_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(env, "ROOT", tmp_path)
    (tmp_path / ".env").write_text(
        "# mine\nexport REDIS_URL='redis://dotenv/0'\nBASE_URL=http://dotenv\nEMAIL_URL=\n"
    )

    loaded = env.load(dev(var_dir, BASE_URL="http://environment"))

    assert loaded.base_url == "http://environment"
    assert loaded.redis_url == "redis://dotenv/0"
    assert loaded.email_url == "file:"  # empty is not set
    assert loaded.database_url == "postgres://cs_app:a@127.0.0.1:5/countersign"


def test_a_malformed_dotenv_line_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(env, "ROOT", tmp_path)
    (tmp_path / ".env").write_text("PORT=1\nnonsense\n")

    with pytest.raises(ImproperlyConfigured, match="line 2"):
        env.load(dev(tmp_path / "var"))


def test_without_any_database_development_still_loads_and_leaves_no_file(tmp_path):
    loaded = env.load(dev(tmp_path / "var"))

    assert loaded.database_url is None
    assert "embedded up" in env.database_settings(None)["HOST"]
    assert loaded.secret_key
    assert loaded.allowed_hosts == ["127.0.0.1", "localhost", "[::1]"]
    assert not (tmp_path / "var").exists()


def test_somebody_elses_database_gets_secrets_that_stay(tmp_path):
    given = dev(tmp_path / "var", DATABASE_URL="postgres://me@elsewhere/mine")

    first, second = env.load(given), env.load(given)

    assert first == second
    assert (tmp_path / "var" / "secrets.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", sorted(set(PRODUCTION) - {"DJANGO_SETTINGS_MODULE"}))
def test_production_names_what_is_missing(name, var_dir):
    # Even with the files of a development run lying about.
    given = {key: value for key, value in PRODUCTION.items() if key != name}

    with pytest.raises(ImproperlyConfigured, match=name):
        env.load({**given, "VAR_DIR": str(var_dir)})


def test_only_the_sealer_needs_the_signing_key():
    assert env.load(PRODUCTION).audit_signing_key == ""

    sealer = {**PRODUCTION, "DATABASE_ROLE": "sealer", "DATABASE_SEALER_URL": "postgres://s@db/c"}
    with pytest.raises(ImproperlyConfigured, match="AUDIT_SIGNING_KEY"):
        env.load(sealer)
    assert env.load({**sealer, "AUDIT_SIGNING_KEY": KEY}).audit_signing_key == KEY


def test_production_values_are_typed():
    loaded = env.load({**PRODUCTION, "DATABASE_POOL": "1"})

    assert loaded.allowed_hosts == ["one.example", "two.example"]
    assert loaded.base_url == "https://one.example"
    assert loaded.field_keys == [KEY]
    assert loaded.database_pool is True
    assert loaded.debug is False


def test_a_bad_key_is_named_and_never_shown():
    with pytest.raises(ImproperlyConfigured, match="FIELD_KEYS") as caught:
        env.load({**PRODUCTION, "FIELD_KEYS": "hunter2"})

    assert "hunter2" not in str(caught.value)


def test_no_secret_is_in_the_repr(var_dir):
    text = repr(env.load(dev(var_dir)))

    assert KEY not in text
    assert "cs_app:a" not in text


@pytest.mark.parametrize(
    ("redis_url", "broker", "cache"),
    [
        (
            "unix:///run/my%20redis.sock?db=0",
            "redis+socket:///run/my%20redis.sock?virtual_host=0",
            "unix:///run/my%20redis.sock?db=1",
        ),
        ("redis://:pw@host:6379/0", "redis://:pw@host:6379/0", "redis://:pw@host:6379/1"),
        ("rediss://host/2", "rediss://host/2", "rediss://host/1"),
    ],
)
def test_one_redis_setting_gives_both_forms(redis_url, broker, cache):
    loaded = env.load({**PRODUCTION, "REDIS_URL": redis_url})

    assert (loaded.broker_url, loaded.cache_url) == (broker, cache)


def test_a_socket_path_that_is_too_long_is_refused():
    with pytest.raises(ImproperlyConfigured, match="under 100 bytes"):
        env.load({**PRODUCTION, "REDIS_URL": f"unix:///{'x' * 120}"})


def test_database_url_is_unquoted_and_keeps_its_options():
    settings = env.database_settings("postgresql://u%40x:p%2Fw@db:6543/name?sslmode=verify-full")

    assert settings["USER"] == "u@x"
    assert settings["PASSWORD"] == "p/w"
    assert (settings["HOST"], settings["PORT"], settings["NAME"]) == ("db", "6543", "name")
    assert settings["OPTIONS"] == {"sslmode": "verify-full"}
    with pytest.raises(ImproperlyConfigured):
        env.database_settings("mysql://db/name")


def test_email_urls():
    assert env.email_settings("file:") == ("outbound.mailbox.EmlBackend", {})
    backend, options = env.email_settings("smtp://me:p%40ss@mail:2525?tls=1")
    assert backend.endswith("smtp.EmailBackend")
    assert options["EMAIL_HOST"] == "mail"
    assert options["EMAIL_PORT"] == 2525
    assert options["EMAIL_HOST_PASSWORD"] == "p@ss"
    assert options["EMAIL_USE_TLS"] is True
    assert options["EMAIL_USE_SSL"] is False
    assert env.email_settings("smtps://mail")[1]["EMAIL_PORT"] == 465
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        env.email_settings("pigeon://roof")


@pytest.mark.parametrize("text", ["0", "65536", "web", "-1"])
def test_a_port_is_a_port(text, tmp_path):
    with pytest.raises(ImproperlyConfigured, match="PORT"):
        env.load(dev(tmp_path, PORT=text))
