from accounts.roles import Capability
from tests.factories.delivery import GatewayFactory, RolloutFactory, RouteFactory, make_live
from tests.factories.registry import ModelVersionFactory
from tests.permissions import Row


def a_gateway(workspace):
    return {"uid": GatewayFactory(workspace=workspace).uid}


def a_live_route(workspace):
    route = RouteFactory(gateway__workspace=workspace)
    make_live(route, ModelVersionFactory(model=route.model))
    return {"name": route.name}


def a_rollout(workspace):
    return {"uid": RolloutFactory(route__gateway__workspace=workspace).uid}


VIEW, OPERATE, AGENT = Capability.VIEW, Capability.ROLLOUT_OPERATE, Capability.GATEWAY_AGENT

ROWS = [
    Row("v1:gateway-list", {"get": VIEW, "post": OPERATE}),
    Row("v1:route-list", {"get": VIEW, "post": OPERATE}),
    Row("v1:route-current", {"get": VIEW}, a_live_route),
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
