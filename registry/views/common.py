"""What the registry's pages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import Http404

from common.errors import DomainError, NotFound


def found_or_404(find: Callable[[], Any]) -> Any:
    """What ``find`` finds; a page answers 404 where a selector says NotFound."""
    try:
        return find()
    except NotFound as error:
        raise Http404(error.message) from error


def put_beside(form: forms.Form, error: DomainError) -> DomainError | None:
    """Show the refusal at the fields it names; what is left to show above the form, if anything."""
    named = {name: messages for name, messages in error.fields.items() if name in form.fields}
    for name, messages in named.items():
        form.add_error(name, list(messages))
    return None if named and len(named) == len(error.fields) else error
