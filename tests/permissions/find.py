from accounts.roles import Capability
from tests.permissions import Row

VIEW = Capability.VIEW

ROWS = [
    Row("v1:as-of", {"get": VIEW}),
    Row("governance:as-of", {"get": VIEW}),
]
