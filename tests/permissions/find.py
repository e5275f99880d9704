from accounts.roles import Capability
from tests.permissions import Row

VIEW = Capability.VIEW

ROWS = [
    Row("v1:as-of", {"get": VIEW}),
    Row("governance:as-of", {"get": VIEW}),
    Row("v1:compare", {"get": VIEW}),
    Row("governance:compare", {"get": VIEW}),
    Row("governance:compare-ask", {"post": Capability.EVIDENCE_RUN}),
]
