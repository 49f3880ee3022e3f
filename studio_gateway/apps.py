from django.apps import AppConfig


class StudioGatewayConfig(AppConfig):
    name = "studio_gateway"
