from django.urls import path

from workflows.webhooks import views

urlpatterns = [
    path("v1/webhook-endpoints", views.EndpointsView.as_view(), name="webhook-endpoints"),
    path("v1/webhook-endpoints/<ulid:endpoint_id>", views.EndpointView.as_view(), name="webhook-endpoint"),
    path(
        "v1/webhook-endpoints/<ulid:endpoint_id>/rotate-secret", views.RotateSecretView.as_view(), name="rotate-secret"
    ),
    path("v1/webhook-endpoints/<ulid:endpoint_id>/test", views.TestView.as_view(), name="test-endpoint"),
    path("v1/webhook-deliveries", views.DeliveriesView.as_view(), name="webhook-deliveries"),
    path("v1/webhook-deliveries/<ulid:delivery_id>", views.DeliveryView.as_view(), name="webhook-delivery"),
    path("v1/webhook-deliveries/<ulid:delivery_id>/replay", views.ReplayView.as_view(), name="replay-delivery"),
    path("v1/events", views.EventsView.as_view(), name="events"),
    path("v1/credits/alert", views.CreditsAlertView.as_view(), name="credits-alert"),
]
