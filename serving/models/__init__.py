from serving.models.endpoint import Endpoint, EndpointSecret

__all__ = ["Endpoint", "EndpointSecret"]
