"""Pages of governance; the approver's queue is the front page."""

from django.urls import include, path

from governance.views import detail, findings, policies, registration, requests

app_name = "governance"
one = "requests/<int:number>/"
urlpatterns = [
    path("", requests.RequestListView.as_view(), name="request-list"),
    path("requests/open/", requests.RequestOpenView.as_view(), name="request-open"),
    path(one, detail.RequestDetailView.as_view(), name="request-detail"),
    path(f"{one}sign/", detail.sign, name="request-sign"),
    path(f"{one}running/", requests.running, name="request-running"),
    path(f"{one}withdraw/", requests.withdraw, name="request-withdraw"),
    path(f"{one}ask/", requests.ask, name="request-ask"),
    path(f"{one}rollout/", requests.start_rollout, name="request-rollout"),
    path(f"{one}authors/", requests.map_author, name="request-map-author"),
    path("policies/", policies.PolicyListView.as_view(), name="policy-list"),
    path("policies/+new/", policies.PolicyEditView.as_view(), name="policy-create"),
    path("policies/<str:name>/", policies.PolicyDetailView.as_view(), name="policy-detail"),
    path("policies/<str:name>/edit/", policies.PolicyEditView.as_view(), name="policy-edit"),
    path("findings/", findings.FindingListView.as_view(), name="finding-list"),
    path("findings/new/", findings.FindingCreateView.as_view(), name="finding-create"),
    path("findings/<int:number>/", findings.FindingDetailView.as_view(), name="finding-detail"),
    path("findings/<int:number>/close/", findings.close, name="finding-close"),
    path("findings/<int:number>/change/", findings.change, name="finding-change"),
    path(
        "models/<str:name>/versions/<int:number>/registration-check/",
        registration.RegistrationCheckView.as_view(),
        name="registration-check",
    ),
    path("", include("governance.urls_audit")),
    path("", include("governance.urls_as_of")),
    path("", include("governance.urls_compare")),
]
