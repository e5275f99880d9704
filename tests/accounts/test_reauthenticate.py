"""The password again, before a signature: counted, limited, and never without its counter."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import ConnectionError as RedisGone

from accounts.models import User
from accounts.services.reauthenticate import LIMIT, TooManyAttempts, WrongPassword, insist_password
from common.errors import Unavailable
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(person):
    return person("validator")


def test_the_right_password_passes(ada):
    insist_password(ada, PASSWORD)


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper()])
def test_anything_else_does_not(ada, password):
    with pytest.raises(WrongPassword) as refused:
        insist_password(ada, password)

    assert refused.value.code == "wrong_password"


def test_ten_wrong_ones_close_it_for_that_person_only(ada, person):
    for _ in range(LIMIT):
        with pytest.raises(WrongPassword):
            insist_password(ada, "wrong")

    with pytest.raises(TooManyAttempts) as refused:
        insist_password(ada, PASSWORD)
    assert refused.value.code == "too_many_attempts"
    insist_password(person("validator"), PASSWORD)


def test_the_count_survives_the_callers_rollback(ada):
    for _ in range(LIMIT):
        with pytest.raises(WrongPassword), transaction.atomic():
            insist_password(ada, "wrong")

    with pytest.raises(TooManyAttempts):
        insist_password(ada, PASSWORD)


def test_the_right_one_begins_the_count_anew(ada):
    for _ in range(LIMIT - 1):
        with pytest.raises(WrongPassword):
            insist_password(ada, "wrong")
    insist_password(ada, PASSWORD)

    with pytest.raises(WrongPassword):
        insist_password(ada, "wrong")
    insist_password(ada, PASSWORD)


def test_the_count_expires(ada):
    with pytest.raises(WrongPassword):
        insist_password(ada, "wrong")

    key = cache.make_key(f"accounts.reauthenticate.{ada.pk}")
    left = cache._cache.get_client().ttl(key)
    assert 0 < left <= timedelta(minutes=15).total_seconds()


def test_a_changed_password_and_a_closed_person_count_at_once(ada):
    User.objects.get(pk=ada.pk)
    stale = User.objects.get(pk=ada.pk)
    ada.set_password("another long passphrase")
    ada.save()
    with pytest.raises(WrongPassword):
        insist_password(stale, PASSWORD)
    insist_password(stale, "another long passphrase")

    User.objects.filter(pk=ada.pk).update(is_active=False)
    with pytest.raises(WrongPassword):
        insist_password(stale, "another long passphrase")


def test_without_its_counter_nothing_is_signed(ada, monkeypatch):
    def gone(*args, **kwargs):
        raise RedisGone("gone")

    monkeypatch.setattr(type(cache._cache), "add", gone)

    with pytest.raises(Unavailable):
        insist_password(ada, PASSWORD)
