"""The database itself refuses: as the application, as the sealer, as the tables' owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import Event, Leaf
from audit.services.seal import seal_once
from embedded import state
from tests.audit.conftest import write

CLOSED = ("audit_event", "audit_leaf", "audit_node", "audit_checkpoint")
CHANGES = {
    "audit_event": "body = body",
    "audit_leaf": "leaf_hash = leaf_hash",
    "audit_node": "hash = hash",
    "audit_checkpoint": "note = note",
}
INSERT_EVENT = """
    INSERT INTO audit_event ({columns} uid, body, mac, at, workspace, actor_pid, action,
        object_type, object_id, object_name)
    VALUES ({values} gen_random_uuid(), '{{}}', '', now(), '', 'p', 'a', 't', '1', '')
"""


def change(table: str) -> list[str]:
    return [
        f"UPDATE {table} SET {CHANGES[table]}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("table", CLOSED)
def test_the_owner_is_refused_by_triggers(table):
    write(300)
    assert seal_once() == 300
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"SELECT count(*) FROM {table}")
        before = cursor.fetchone()
        assert before[0] > 0, "nothing there that could be changed"
    for statement in change(table):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == before


@pytest.mark.django_db
def test_every_trigger_of_the_trail_fires_in_a_replica_session_too():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), bool_and(tgenabled = 'A') FROM pg_trigger"
            " WHERE starts_with(tgname, 'audit_') AND NOT tgisinternal"
        )
        assert cursor.fetchone() == (12, True)


@pytest.mark.serial
def test_a_superuser_in_a_replica_session_is_refused(house):
    """``session_replication_role = replica`` passes ordinary triggers by, and foreign keys."""
    admin_url = state.services(settings_var_dir()).get("DATABASE_ADMIN_URL")
    if admin_url is None:
        pytest.skip("an outside server: its superuser is not ours (the catalogue test holds)")
    write()
    seal_once()
    url = urlsplit(admin_url)._replace(path=f"/{house.database}").geturl()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        for table in ("audit_event", "audit_leaf", "audit_checkpoint"):
            for statement in change(table):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                    admin.execute(statement)


def settings_var_dir() -> Path:
    from config.settings import base

    return base.VAR_DIR  # the house's own settings point elsewhere


@pytest.mark.django_db
def test_a_personal_value_can_be_erased_but_not_changed():
    (event,) = write()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for statement in ("UPDATE audit_pii SET value = ''", "TRUNCATE audit_pii"):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

    assert event.pii.get(field="reason").value == "checked the holdout"


@pytest.fixture
def as_role(house: Any) -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    write(3)
    seal_once()
    write(1)
    opened = []

    def connect(role: str) -> psycopg.Connection[Any]:
        url = house.urls[{"app": "DATABASE_URL", "sealer": "DATABASE_SEALER_URL"}[role]]
        opened.append(psycopg.connect(url, autocommit=True))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


@pytest.mark.serial
def test_the_application_may_add_events_and_nothing_else(as_role):
    app = as_role("app")
    forbidden = [
        *(statement for table in CLOSED for statement in change(table)),
        "UPDATE audit_pii SET value = ''",
        "DELETE FROM audit_pii",
        "TRUNCATE audit_pii",
        "DELETE FROM audit_pending",
        "INSERT INTO audit_pending SELECT max(id) + 1 FROM audit_event",
        "INSERT INTO audit_leaf (leaf_index, event_id, leaf_hash) VALUES (99, 1, '')",
        "INSERT INTO audit_checkpoint (tree_size, root, note, public_key) VALUES (99, '', '', '')",
        "SELECT audit_take_pending(1)",
        "SELECT setval('audit_event_id_seq', 1)",
        "SET session_replication_role = replica",
        "ALTER TABLE audit_event DISABLE TRIGGER ALL",
        "ALTER TABLE audit_event ADD COLUMN x int",
        "DROP TABLE audit_event CASCADE",
        "DROP FUNCTION audit_refuse_change() CASCADE",
        "CREATE TABLE mine (x int)",
        "DELETE FROM django_migrations",
        INSERT_EVENT.format(columns="id,", values="999999,"),
        INSERT_EVENT.format(columns="id,", values="999999,").replace(
            "VALUES", "OVERRIDING SYSTEM VALUE VALUES"
        ),
    ]
    for statement in forbidden:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)

    app.execute(INSERT_EVENT.format(columns="", values=""))
    assert app.execute("SELECT count(*) FROM audit_event").fetchone() == (5,)
    assert app.execute("SELECT count(*) FROM audit_pending").fetchone() == (2,)


@pytest.mark.serial
def test_the_sealer_may_seal_and_nothing_else(as_role):
    sealer = as_role("sealer")
    forbidden = [
        *(statement for table in CLOSED for statement in change(table)),
        INSERT_EVENT.format(columns="", values=""),
        "SELECT * FROM audit_pii",
        "SELECT * FROM accounts_user",
        "SELECT * FROM accounts_apitoken",
        "DELETE FROM audit_pending",
        "TRUNCATE audit_pending",
        "CREATE TABLE mine (x int)",
    ]
    for statement in forbidden:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sealer.execute(statement)

    assert len(sealer.execute("SELECT audit_take_pending(10)").fetchall()) == 1


@pytest.mark.serial
def test_every_other_table_is_the_applications_to_use(as_role):
    app = as_role("app")
    owned = app.execute(
        """
        SELECT relname FROM pg_class c
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname NOT LIKE 'audit\\_%' AND relname <> 'django_migrations'
        AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
        """
    ).fetchall()

    assert owned == []
    assert app.execute("SELECT count(*) > 0 FROM django_migrations").fetchone() == (True,)


@pytest.mark.serial
def test_sealed_rows_stay_as_they_are_after_all_that(as_role):
    as_role("app")

    assert Event.objects.count() == 4
    assert list(Leaf.objects.order_by("leaf_index").values_list("leaf_index", flat=True)) == [
        0,
        1,
        2,
    ]
