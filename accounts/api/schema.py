"""The OpenAPI document behind the same door as the rest, and how it names our two ways in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularAPIView
from rest_framework.response import Response

from accounts.roles import Capability

if TYPE_CHECKING:
    from rest_framework.request import Request

VERSION = "v1"


class SchemaView(SpectacularAPIView):
    """The OpenAPI 3 description of this version of the API."""

    capabilities: ClassVar = {"get": Capability.VIEW}
    api_version = VERSION

    def _get_schema_response(self, request: Request) -> Response:
        name = self._get_filename(request, VERSION)
        return Response(
            _description(), headers={"Content-Disposition": f'inline; filename="{name}"'}
        )


@cache
def _description() -> dict[str, Any]:
    """Made once a process: it is the same for every caller and costs over a second."""
    generator = SpectacularAPIView.generator_class(api_version=VERSION)
    return dict(generator.get_schema(request=None, public=True))


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
