"""The OpenAPI document behind the same door as the rest, and how it names our two ways in."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularAPIView

from accounts.roles import Capability


class SchemaView(SpectacularAPIView):
    """The OpenAPI 3 description of this version of the API."""

    capabilities: ClassVar = {"get": Capability.VIEW}
    api_version = "v1"


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "cs_<id>_<secret>_<checksum>",
            "description": "A scoped token of one workspace; also taken as the password of Basic.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A signed-in person; writing needs X-CSRFToken too.",
        }
