"""API routes of governance."""

from django.urls import include, path

from governance.api.registration import RegistrationCheckView
from governance.api.requests import PromotionRequestViewSet as Requests
from governance.api.views import FindingViewSet, PolicyViewSet

one = "<uuid:uid>"
urlpatterns = [
    path("policies", PolicyViewSet.as_view({"get": "list", "post": "create"}), name="policy-list"),
    path(f"policies/{one}", PolicyViewSet.as_view({"get": "retrieve"}), name="policy-detail"),
    path(
        f"policies/{one}/revisions",
        PolicyViewSet.as_view({"post": "revise"}),
        name="policy-revise",
    ),
    path(
        "promotion-requests",
        Requests.as_view({"get": "list", "post": "create"}),
        name="promotion-request-list",
    ),
    path(
        f"promotion-requests/{one}",
        Requests.as_view({"get": "retrieve"}),
        name="promotion-request-detail",
    ),
    path(
        f"promotion-requests/{one}/clearance",
        Requests.as_view({"get": "clearance"}),
        name="promotion-request-clearance",
    ),
    *(
        path(
            f"promotion-requests/{one}/{name}",
            Requests.as_view({"post": name}),
            name=f"promotion-request-{name}",
        )
        for name in ("approve", "reject", "withdraw", "ask")
    ),
    path(
        "findings", FindingViewSet.as_view({"get": "list", "post": "create"}), name="finding-list"
    ),
    path(
        f"findings/{one}",
        FindingViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="finding-detail",
    ),
    path(f"findings/{one}/close", FindingViewSet.as_view({"post": "close"}), name="finding-close"),
    path(
        "models/<str:name>/versions/<int:number>/registration-check",
        RegistrationCheckView.as_view(),
        name="registration-check",
    ),
    path("", include("governance.api.urls_audit")),
    path("", include("governance.api.urls_as_of")),
    path("", include("governance.api.urls_compare")),
]
