from django.apps import AppConfig


class StudioGatewayConfig(AppConfig):
    name = "studio_gateway"

    def ready(self) -> None:
        from studio_gateway.api import openapi  # noqa: F401 — registers itself
