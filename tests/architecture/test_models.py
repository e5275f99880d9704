"""Models and migrations agree, and every constraint has a name that says what it is about."""

from __future__ import annotations

import io

import pytest
from django.apps import apps
from django.core.management import call_command

OURS = {
    "audit",
    "accounts",
    "jobs",
    "outbound",
    "registry",
    "serving",
    "evaluation",
    "monitoring",
    "delivery",
    "governance",
}


@pytest.mark.django_db
def test_no_migration_is_missing():
    out = io.StringIO()
    try:
        call_command("makemigrations", "--check", "--dry-run", stdout=out, stderr=out)
    except SystemExit:
        pytest.fail(f"run manage.py makemigrations:\n{out.getvalue()}")


def test_nothing_goes_with_a_row_of_another_app():
    """Things under governance are retired, not deleted; only parts go with their own whole."""
    cascading = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model._meta.app_label in OURS
        for field in model._meta.get_fields()
        if field.concrete
        and field.is_relation
        and not field.many_to_many
        and getattr(field.remote_field, "on_delete", None).__name__ == "CASCADE"
        and field.related_model._meta.app_label != model._meta.app_label
    ]

    assert cascading == []


def test_every_model_has_a_sentence_of_meaning():
    silent = [
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in OURS
        and (not model.__doc__ or model.__doc__.startswith(f"{model.__name__}("))
    ]

    assert silent == []
