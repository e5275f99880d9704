"""Saved views: a name for the filters in a page's address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.http import QueryDict

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists, Invalid, NotAllowed, NotFound
from registry.models import SavedView

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.callers import Caller

MOST = 100
MOST_CHARACTERS = 2000
#: What says where in a list somebody was, and not which list.
_NOT_KEPT = ("page", "format", "csrfmiddlewaretoken")


def views_for(caller: Caller, page: str) -> QuerySet[SavedView]:
    """The caller's own and those that others share, by name."""
    from django.db.models import Q

    return (
        SavedView.objects.filter(workspace=caller.workspace, page=page)
        .filter(Q(owner=caller.user) | Q(is_shared=True))
        .select_related("owner")
        .order_by("name", "pk")
    )


def is_own(caller: Caller, uid: UUID) -> bool:
    """Whether the view is the caller's to change."""
    own = SavedView.objects.filter(workspace=caller.workspace, owner=caller.user, uid=uid)
    return own.exists()


@transaction.atomic
def save(*, caller: Caller, page: str, name: str, query: str, is_shared: bool) -> SavedView:
    """Keep the filters under a name; the same name again keeps the new filters.

    Raises: NotAllowed (nobody's), Invalid, AlreadyExists (another request was faster).
    """
    caller.insist(Capability.VIEW)
    if caller.user is None:
        raise NotAllowed("A saved view belongs to a person.", code="person_needed")
    kept = kept_query(query)
    title = _title(name)
    if page not in SavedView.Page.values:
        raise Invalid("There is no such page.", fields={"page": ["There is no such page."]})
    own = SavedView.objects.filter(workspace=caller.workspace, owner=caller.user, page=page)
    view = own.select_for_update().filter(name=title).first()
    if view is None:
        if own.count() >= MOST:
            raise Invalid(f"You have {MOST} saved views; delete one.", code="too_many_views")
        try:
            with transaction.atomic():
                view = SavedView.objects.create(
                    workspace=caller.workspace,
                    owner=caller.user,
                    name=title,
                    page=page,
                    query=kept,
                    is_shared=is_shared,
                )
        except IntegrityError as error:
            raise AlreadyExists(f"There is a view “{title}” already.") from error
    else:
        view.query, view.is_shared = kept, is_shared
        view.save(update_fields=["query", "is_shared"])
    _record(Action.VIEW_SAVED, caller, view)
    return view


@transaction.atomic
def rename(*, caller: Caller, uid: UUID, name: str, is_shared: bool) -> SavedView:
    """Give one's own view another name, share it or stop sharing it. Raises: NotFound, Invalid."""
    caller.insist(Capability.VIEW)
    view = _own(caller, uid)
    view.name, view.is_shared = _title(name), is_shared
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "is_shared"])
    except IntegrityError as error:
        raise AlreadyExists(
            f"You have a view “{view.name}” already.",
            fields={"name": ["You have a view of that name."]},
        ) from error
    _record(Action.VIEW_SAVED, caller, view)
    return view


@transaction.atomic
def delete(*, caller: Caller, uid: UUID) -> None:
    """Forget one's own view. Raises: NotFound."""
    caller.insist(Capability.VIEW)
    view = _own(caller, uid)
    _record(Action.VIEW_DELETED, caller, view)
    view.delete()


def kept_query(query: str) -> str:
    """The filters of a query string, in order, without what is empty or not a filter.

    Raises: Invalid when it is too long or holds what no address holds.
    """
    if len(query) > MOST_CHARACTERS or "\x00" in query:
        raise Invalid("That is no list of filters.", fields={"query": ["Too long, or no text."]})
    given = QueryDict(query.removeprefix("?"), mutable=True)
    kept = QueryDict(mutable=True)
    for key in sorted(given):
        values = [value for value in given.getlist(key) if value]
        if key not in _NOT_KEPT and values:
            kept.setlist(key, values)
    encoded = kept.urlencode()
    if len(encoded) > MOST_CHARACTERS:
        raise Invalid("These filters are too long.", fields={"query": ["Too long."]})
    return encoded


def _title(name: str) -> str:
    title = " ".join(name.split())
    if not title or len(title) > 100 or "\x00" in title:
        raise Invalid(
            "A view needs a name of at most 100 characters.",
            fields={"name": ["1 to 100 characters."]},
        )
    return title


def _own(caller: Caller, uid: UUID) -> SavedView:
    view = (
        SavedView.objects.select_for_update()
        .filter(workspace=caller.workspace, owner=caller.user, uid=uid)
        .first()
    )
    if view is None:
        raise NotFound("You have no such saved view.", code="view_not_found")
    return view


def _record(action: Action, caller: Caller, view: SavedView) -> None:
    audit.record(
        action,
        actor=caller.actor,
        object_type="saved_view",
        object_id=str(view.uid),
        details={"page": view.page, "shared": view.is_shared},
        pii={"name": view.name, "query": view.query},
    )
