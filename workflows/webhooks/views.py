from typing import Any

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import authenticated
from billing.clients import set_low_credits_threshold
from studio_gateway.api.views import APIView
from workflows.webhooks import deliveries, documentation, endpoints, feed, listing
from workflows.webhooks.models import WebhookEndpoint
from workflows.webhooks.serializers import (
    ChangeWebhookEndpointRequest,
    CreateWebhookEndpointRequest,
    CreditsAlert,
    CreditsAlertRequest,
    EventPage,
    EventsQuery,
    WebhookDeliveriesQuery,
    WebhookDeliveryDetails,
    WebhookDeliveryPage,
    WebhookDeliverySerializer,
    WebhookEndpointList,
    WebhookEndpointSerializer,
    WebhookEndpointWithSecret,
)


class EndpointsView(APIView):
    """The endpoints of a client."""

    @documentation.list_endpoints
    def get(self, request: Request) -> Response:
        rows = endpoints.endpoints_of(authenticated(request)[0]).order_by("id")
        return Response(WebhookEndpointList({"endpoints": rows}).data)

    @documentation.create_endpoint
    def post(self, request: Request) -> Response:
        body = CreateWebhookEndpointRequest().run_validation(request.data)
        endpoint, secret = endpoints.create(client=authenticated(request)[0], **body)
        headers = {"Location": f"/v1/webhook-endpoints/{endpoint.pk}"}
        return Response(_with_secret(endpoint, secret), status=status.HTTP_201_CREATED, headers=headers)


class EndpointView(APIView):
    """One endpoint."""

    @documentation.get_endpoint
    def get(self, request: Request, endpoint_id: str) -> Response:
        endpoint = endpoints.find(client=authenticated(request)[0], endpoint_id=endpoint_id)
        return Response(WebhookEndpointSerializer(endpoint).data)

    @documentation.change_endpoint
    def patch(self, request: Request, endpoint_id: str) -> Response:
        client, _ = authenticated(request)
        endpoints.find(client=client, endpoint_id=endpoint_id)  # whose it is comes before what is wrong with the body
        body = ChangeWebhookEndpointRequest().run_validation(request.data)
        endpoint = endpoints.change(client=client, endpoint_id=endpoint_id, **body)
        return Response(WebhookEndpointSerializer(endpoint).data)

    @documentation.delete_endpoint
    def delete(self, request: Request, endpoint_id: str) -> Response:
        endpoints.delete(client=authenticated(request)[0], endpoint_id=endpoint_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RotateSecretView(APIView):
    """A new secret for an endpoint."""

    @documentation.rotate_secret
    def post(self, request: Request, endpoint_id: str) -> Response:
        endpoint, secret = endpoints.rotate_secret(client=authenticated(request)[0], endpoint_id=endpoint_id)
        return Response(_with_secret(endpoint, secret))


class TestView(APIView):
    """A test of an endpoint."""

    @documentation.test_endpoint
    def post(self, request: Request, endpoint_id: str) -> Response:
        delivery = endpoints.send_test(client=authenticated(request)[0], endpoint_id=endpoint_id)
        return Response(WebhookDeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class DeliveriesView(APIView):
    """What was sent, and what will be."""

    @documentation.list_deliveries
    def get(self, request: Request) -> Response:
        page = listing.page(client=authenticated(request)[0], **WebhookDeliveriesQuery.of(request))
        return Response(WebhookDeliveryPage(page).data)


class DeliveryView(APIView):
    """One delivery, with its body and its attempts."""

    @documentation.get_delivery
    def get(self, request: Request, delivery_id: str) -> Response:
        delivery = deliveries.find(client=authenticated(request)[0], delivery_id=delivery_id)
        return Response(WebhookDeliveryDetails(delivery).data)


class ReplayView(APIView):
    """A delivery once more."""

    @documentation.replay
    def post(self, request: Request, delivery_id: str) -> Response:
        delivery = deliveries.replay(client=authenticated(request)[0], delivery_id=delivery_id)
        return Response(WebhookDeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class EventsView(APIView):
    """What happened, to be pulled."""

    @documentation.list_events
    def get(self, request: Request) -> Response:
        page = feed.read(client=authenticated(request)[0], **EventsQuery.of(request))
        return Response(EventPage(page).data)


class CreditsAlertView(APIView):
    """When to be told that credits are low."""

    @documentation.get_credits_alert
    def get(self, request: Request) -> Response:
        return Response(CreditsAlert(authenticated(request)[0]).data)

    @documentation.set_credits_alert
    def put(self, request: Request) -> Response:
        client, _ = authenticated(request)
        set_low_credits_threshold(client=client, **CreditsAlertRequest().run_validation(request.data))
        return Response(CreditsAlert(client).data)


def _with_secret(endpoint: WebhookEndpoint, secret: str) -> Any:
    endpoint.secret = secret  # type: ignore[attr-defined]  # shown this once
    return WebhookEndpointWithSecret(endpoint).data
