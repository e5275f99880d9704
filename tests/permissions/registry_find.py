from accounts.roles import Capability
from tests.permissions import Row

VIEW = Capability.VIEW


def no_view(workspace):
    return {"uid": "01890000-0000-7000-8000-000000000000"}


ROWS = [
    Row("v1:search", {"get": VIEW}),
    Row("v1:saved-view-list", {"get": VIEW, "post": VIEW}),
    Row("v1:saved-view-detail", {"patch": VIEW, "delete": VIEW}, no_view),
    Row("registry:search", {"get": VIEW}),
    Row("registry:view-save", {"post": VIEW}),
    Row("registry:view-show", {"get": VIEW}, no_view),
    Row("registry:view-change", {"post": VIEW}, no_view),
    Row("registry:view-delete", {"post": VIEW}, no_view),
]
