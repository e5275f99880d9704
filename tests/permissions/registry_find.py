from accounts.roles import Capability
from registry.models import SavedView
from tests.factories.accounts import UserFactory
from tests.permissions import Row

VIEW = Capability.VIEW


def a_view(workspace):
    view = SavedView.objects.create(
        workspace=workspace, owner=UserFactory(), name="tier 1", query="tier=1", is_shared=True
    )
    return {"uid": view.uid}


ROWS = [
    Row("v1:search", {"get": VIEW}),
    Row("v1:saved-view-list", {"get": VIEW, "post": VIEW}),
    Row("v1:saved-view-detail", {"patch": VIEW, "delete": VIEW}, a_view, by_owner=True),
    Row("registry:search", {"get": VIEW}),
    Row("registry:view-save", {"post": VIEW}),
    Row("registry:view-show", {"get": VIEW}, a_view),
    Row("registry:view-change", {"post": VIEW}, a_view, by_owner=True),
    Row("registry:view-delete", {"post": VIEW}, a_view, by_owner=True),
]
