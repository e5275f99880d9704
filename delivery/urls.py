"""Pages of delivery."""

from django.urls import path

from delivery.views import fleet, learning, receipts, rollouts, routes

MODEL = "models/<str:name>"

app_name = "delivery"
urlpatterns = [
    path("rollouts/", rollouts.RolloutList.as_view(), name="rollout-list"),
    path("rollouts/<uuid:uid>/", rollouts.RolloutDetail.as_view(), name="rollout-detail"),
    path("rollouts/<uuid:uid>/steer", rollouts.rollout_steer, name="rollout-steer"),
    path("routes/", routes.RouteList.as_view(), name="route-list"),
    path(f"{MODEL}/receipts/", receipts.ReceiptList.as_view(), name="receipt-list"),
    path(f"{MODEL}/fleet/", fleet.FleetDetail.as_view(), name="fleet-detail"),
    path(f"{MODEL}/fleet/recall", fleet.recall_order, name="recall-order"),
    path(f"{MODEL}/fleet/recalls/<uuid:uid>/lift", fleet.recall_lift, name="recall-lift"),
    path(f"{MODEL}/fleet/rings", fleet.rings_set, name="rings-set"),
    path(f"{MODEL}/fleet/rings/open", fleet.ring_open, name="ring-open"),
    path(f"{MODEL}/learning/", learning.LearningDetail.as_view(), name="learning-detail"),
    path(f"{MODEL}/learning/plan", learning.plan_set, name="learning-plan"),
    path(f"{MODEL}/learning/fallback", learning.fallback_set, name="fallback-set"),
]
