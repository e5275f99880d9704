from delivery.models.fleet import Device, FleetDay, Recall, Ring
from delivery.models.learning import Fallback, LearningPlan, Snapshot
from delivery.models.receipt import BatchReceipt
from delivery.models.rollout import Rollout, RolloutSample, RolloutStep
from delivery.models.route import Gateway, Route, RouteTarget

__all__ = [
    "BatchReceipt",
    "Device",
    "Fallback",
    "FleetDay",
    "Gateway",
    "LearningPlan",
    "Recall",
    "Ring",
    "Rollout",
    "RolloutSample",
    "RolloutStep",
    "Route",
    "RouteTarget",
    "Snapshot",
]
