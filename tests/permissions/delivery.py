from accounts.roles import Capability
from tests.factories.delivery import (
    FallbackFactory,
    GatewayFactory,
    LearningPlanFactory,
    RecallFactory,
    RolloutFactory,
    RouteFactory,
    make_live,
)
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.permissions import Row


def a_model(workspace):
    return {"name": RegisteredModelFactory(workspace=workspace).name}


def a_recall(workspace):
    recall = RecallFactory(version__model__workspace=workspace)
    return {"name": recall.model.name, "uid": recall.uid}


def a_plan(workspace):
    return {"name": LearningPlanFactory(model__workspace=workspace).model.name}


def a_fallback(workspace):
    return {"name": FallbackFactory(version__model__workspace=workspace).model.name}


def a_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    return {"name": version.model.name, "number": version.number}


def a_gateway(workspace):
    return {"uid": GatewayFactory(workspace=workspace).uid}


def a_live_route(workspace):
    route = RouteFactory(gateway__workspace=workspace)
    make_live(route, ModelVersionFactory(model=route.model))
    return {"name": route.name}


def a_rollout(workspace):
    return {"uid": RolloutFactory(route__gateway__workspace=workspace).uid}


VIEW, OPERATE, AGENT = Capability.VIEW, Capability.ROLLOUT_OPERATE, Capability.GATEWAY_AGENT
WRITE, EDIT = Capability.PREDICTIONS_WRITE, Capability.MODEL_EDIT

ROWS = [
    Row("v1:gateway-list", {"get": VIEW, "post": OPERATE}),
    Row("v1:route-list", {"get": VIEW, "post": OPERATE}),
    Row("v1:route-current", {"get": VIEW}, a_live_route),
    Row("v1:route-rings", {"get": VIEW, "put": OPERATE}, a_live_route),
    Row("v1:ring-open", {"post": OPERATE}, a_live_route),
    Row("v1:receipt-list", {"get": VIEW, "post": WRITE}, a_model),
    Row("v1:device-list", {"get": VIEW, "post": WRITE}, a_model),
    Row("v1:fleet-detail", {"get": VIEW}, a_model),
    Row("v1:recall-list", {"get": VIEW, "post": OPERATE}, a_model),
    Row("v1:recall-lift", {"post": OPERATE}, a_recall),
    Row("v1:learning-detail", {"get": VIEW, "put": EDIT, "delete": EDIT}, a_plan),
    Row("v1:snapshot-list", {"get": VIEW, "post": EDIT}, a_plan),
    Row("v1:fallback-detail", {"get": VIEW, "put": OPERATE, "delete": OPERATE}, a_fallback),
    Row("v1:version-needs", {"get": VIEW}, a_version),
    Row("delivery:receipt-list", {"get": VIEW}, a_model),
    Row("delivery:fleet-detail", {"get": VIEW}, a_model),
    Row("delivery:recall-order", {"post": OPERATE}, a_model),
    Row("delivery:recall-lift", {"post": OPERATE}, a_recall),
    Row("delivery:rings-set", {"post": OPERATE}, a_model),
    Row("delivery:ring-open", {"post": OPERATE}, a_model),
    Row("delivery:learning-detail", {"get": VIEW}, a_model),
    Row("delivery:learning-plan", {"post": EDIT}, a_plan),
    Row("delivery:fallback-set", {"post": OPERATE}, a_model),
    Row("v1:rollout-list", {"get": VIEW}),
    Row("v1:rollout-detail", {"get": VIEW}, a_rollout),
    Row("v1:rollout-pause", {"post": OPERATE}, a_rollout),
    Row("v1:rollout-resume", {"post": OPERATE}, a_rollout),
    Row("v1:rollout-abort", {"post": OPERATE}, a_rollout),
    Row("v1:rollout-rollback", {"post": OPERATE}, a_rollout),
    Row("xds:gateway-configuration", {"get": AGENT}, a_gateway),
    Row("xds:gateway-status", {"post": AGENT}, a_gateway),
    Row("delivery:rollout-list", {"get": VIEW}),
    Row("delivery:rollout-detail", {"get": VIEW}, a_rollout),
    Row("delivery:rollout-steer", {"post": OPERATE}, a_rollout, data={"do": "pause"}),
    Row("delivery:route-list", {"get": VIEW}),
]
