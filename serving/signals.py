"""Facts that serving tells to whoever stands above it, after the commit."""

from django.dispatch import Signal

#: A probe succeeded at an endpoint that was not ready before. Argument: ``endpoint``.
endpoint_ready = Signal()

#: An endpoint takes no more calls. Argument: ``endpoint``.
endpoint_retired = Signal()
