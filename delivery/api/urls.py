"""API routes of delivery."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from delivery.api import views

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("rollouts", views.RolloutViewSet, basename="rollout")

urlpatterns = [
    path("gateways", views.GatewayList.as_view(), name="gateway-list"),
    path("routes", views.RouteList.as_view(), name="route-list"),
    path("routes/<slug:name>/current", views.RouteCurrent.as_view(), name="route-current"),
    *router.urls,
]
