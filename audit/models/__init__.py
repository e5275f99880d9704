from audit.models.checkpoint import Checkpoint, Leaf, Node
from audit.models.event import Event, Pending, Pii

__all__ = ["Checkpoint", "Event", "Leaf", "Node", "Pending", "Pii"]
