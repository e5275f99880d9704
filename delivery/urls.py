"""Pages of delivery."""

from django.urls import path

from delivery.views import rollouts, routes

app_name = "delivery"
urlpatterns = [
    path("rollouts/", rollouts.RolloutList.as_view(), name="rollout-list"),
    path("rollouts/<uuid:uid>/", rollouts.RolloutDetail.as_view(), name="rollout-detail"),
    path("rollouts/<uuid:uid>/steer", rollouts.rollout_steer, name="rollout-steer"),
    path("routes/", routes.RouteList.as_view(), name="route-list"),
]
