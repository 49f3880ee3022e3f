"""What drf-spectacular cannot see for itself."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class HTTPBearer(OpenApiAuthenticationExtension):
    target_class = "billing.authentication.BearerAuthentication"
    name = "HTTPBearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
