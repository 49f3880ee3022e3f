from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import OrderAuthentication, authenticated
from requestlog.entries import draft
from studio_gateway.api.fields import StrictSerializer
from studio_gateway.api.parameters import flag, idempotency_key
from studio_gateway.api.views import APIView
from workflows import documentation, jobs, offers
from workflows.catalogue import Definition
from workflows.models import Job
from workflows.serializers import DryRunResponse, WorkflowAcceptedResponse


class SubmitView(APIView):
    """Accept an order of one workflow: POST /v1/{name}."""

    schema = documentation.OrderSchema()
    authentication_classes = [OrderAuthentication]
    definition: Definition = None  # type: ignore[assignment]  # given to as_view()

    def get_serializer_class(self) -> type[StrictSerializer]:
        """For the API document."""
        return self.definition.serializer

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Let an empty body be parsed, and refused: DRF would take it for an empty object."""
        wrapped = super().initialize_request(request, *args, **kwargs)
        wrapped._stream = request  # type: ignore[assignment]  # only its being there is looked at
        return wrapped

    @documentation.order
    def post(self, request: Request) -> HttpResponse:
        client, credentials = authenticated(request)
        dry_run = flag(request, "dry_run")
        once = None if dry_run else self._once(request)
        if once and (job := jobs.replayed(client=client, once=once)):
            return _accepted(request, job)
        spec = self.definition.validator.run_validation(request.data)
        if dry_run:
            trial = offers.try_out(definition=self.definition, spec=spec, client=client, credentials=credentials)
            return Response(DryRunResponse(trial).data)
        job = jobs.submit(
            client=client,
            workflow=offers.offer(name=self.definition.name, version=credentials.config_version),
            spec=spec,
            credits_cost=offers.quote(definition=self.definition, spec=spec, credentials=credentials),
            log=draft(request._request, status=status.HTTP_202_ACCEPTED),
            is_test=credentials.is_test,
            once=once,
        )
        return _accepted(request, job)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell whoever is known its balance, and what is left of its minute (draft-ietf-httpapi-ratelimit-headers)."""
        client, _ = getattr(request._request, "authenticated", (None, None))
        if client is not None:
            rate = client.rate
            response["RateLimit-Policy"] = f'"orders";q={rate.limit};w=60'
            response["RateLimit"] = f'"orders";r={rate.remaining};t={rate.seconds}'
            response["X-Credits-Balance"] = str(client.balance)
            response.headers.setdefault("X-Credits-Charged", "0")
        return super().finalize_response(request, response, *args, **kwargs)

    def _once(self, request: Request) -> jobs.Once | None:
        """Return what the order is told apart by; where a signature alone vouches for it, that is the signed body."""
        _, credentials = authenticated(request)
        key: str | None
        if credentials.key_prefix:
            key, header = idempotency_key(request), "Idempotency-Key"
        else:  # a key that no header can spell, which is ASCII
            key, header = f"shopify·{sha256(request._request.body).hexdigest()}", "X-Shopify-Hmac-Sha256"
        if key is None:
            return None
        digest = jobs.order_digest(workflow=self.definition.name, is_test=credentials.is_test, body=request.data)
        return jobs.Once(key=key, digest=digest, header=header)


_accepted_response = WorkflowAcceptedResponse()  # one for all: to be made it takes longer than to be used


def _accepted(request: Request, job: Job) -> HttpResponse:
    """Answer with a job that this request made, or one that an earlier request made of the same order."""
    again = job.request_id != request._request.request_id  # type: ignore[attr-defined]
    request._request.logged, request._request.job_id = not again, job.pk  # type: ignore[attr-defined]
    headers = {
        "Location": f"/v1/jobs/{job.pk}",
        "X-Credits-Charged": "0" if again else str(job.credits_cost),
        **({"Idempotent-Replayed": "true"} if again else {}),
    }
    # Django's own response: DRF's would choose how to render it, and then be rendered, which takes thrice as long.
    return JsonResponse(
        _accepted_response.to_representation(job),
        json_dumps_params={"separators": (",", ":")},
        status=status.HTTP_202_ACCEPTED,
        headers=headers,
    )
