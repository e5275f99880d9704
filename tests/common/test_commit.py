"""What goes wrong after the commit is logged: the change is made, and its caller is told so."""

import pytest
from django.db import transaction

from accounts.models import Workspace
from common.commit import after_commit


@pytest.mark.django_db(transaction=True)
def test_a_listener_that_fails_costs_neither_the_change_nor_the_next_listener(caplog):
    heard = []

    def fail(word: str) -> None:
        raise RuntimeError(word)

    with transaction.atomic():
        Workspace.objects.create(slug="acme", name="Acme")
        after_commit(fail, "no")
        after_commit(heard.append, "yes")

    assert Workspace.objects.filter(slug="acme").exists()
    assert heard == ["yes"]
    assert "RuntimeError" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_nothing_is_told_of_what_was_rolled_back():
    heard = []
    with transaction.atomic():
        after_commit(heard.append, "yes")
        transaction.set_rollback(True)
    assert heard == []
