from serving.models.endpoint import Endpoint, EndpointSecret
from serving.models.source import EndpointProvision, EndpointSource, EndpointSourceSecret

__all__ = [
    "Endpoint",
    "EndpointProvision",
    "EndpointSecret",
    "EndpointSource",
    "EndpointSourceSecret",
]
