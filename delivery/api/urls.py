"""API routes of delivery."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from delivery.api import consumption, routes, views

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("rollouts", views.RolloutViewSet, basename="rollout")

MODEL = "models/<str:name>"

urlpatterns = [
    path("gateways", views.GatewayList.as_view(), name="gateway-list"),
    path("routes", views.RouteList.as_view(), name="route-list"),
    path("routes/<slug:name>/current", routes.RouteCurrent.as_view(), name="route-current"),
    path("routes/<slug:name>/rings", routes.RouteRings.as_view(), name="route-rings"),
    path("routes/<slug:name>/rings/open", routes.RingOpen.as_view(), name="ring-open"),
    path(f"{MODEL}/receipts", consumption.ReceiptList.as_view(), name="receipt-list"),
    path(f"{MODEL}/devices", consumption.DeviceList.as_view(), name="device-list"),
    path(f"{MODEL}/fleet", consumption.FleetDetail.as_view(), name="fleet-detail"),
    path(f"{MODEL}/recalls", consumption.RecallList.as_view(), name="recall-list"),
    path(f"{MODEL}/recalls/<uuid:uid>/lift", consumption.RecallLift.as_view(), name="recall-lift"),
    path(f"{MODEL}/learning", consumption.Learning.as_view(), name="learning-detail"),
    path(f"{MODEL}/snapshots", consumption.SnapshotList.as_view(), name="snapshot-list"),
    path(f"{MODEL}/fallback", consumption.FallbackDetail.as_view(), name="fallback-detail"),
    path(
        f"{MODEL}/versions/<int:number>/needs",
        consumption.VersionNeeds.as_view(),
        name="version-needs",
    ),
    *router.urls,
]
