from delivery.models.rollout import Rollout, RolloutSample, RolloutStep
from delivery.models.route import Gateway, Route, RouteTarget

__all__ = ["Gateway", "Rollout", "RolloutSample", "RolloutStep", "Route", "RouteTarget"]
