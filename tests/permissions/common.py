"""Routes of the house itself: health, readiness, the schema."""

from __future__ import annotations

from accounts.roles import Capability
from tests.permissions import PUBLIC, Row

ROWS = [
    Row("healthz", {"get": PUBLIC}),
    Row("readyz", {"get": PUBLIC}),
    Row("v1:schema", {"get": Capability.VIEW}),
]
