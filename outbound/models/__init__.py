from outbound.models.destination import Destination
from outbound.models.message import Message

__all__ = ["Destination", "Message"]
