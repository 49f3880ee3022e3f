"""A customer's program on the client that was generated for it: orders, reads, and prints what it was given."""

import json
import sys

from studio_client import AuthenticatedClient
from studio_client.api.jobs import get_job, get_job_by_request
from studio_client.api.orders import order_background_generator, order_extract
from studio_client.models import (
    BackgroundGeneratorRequest,
    Error,
    ExtractionContext,
    ExtractTrialItemsRequest,
    HTTPValidationError,
    Job,
    JobStatus,
    WorkflowAcceptedResponse,
)

from tests.gateway import eventually

url, key, trial_image = sys.argv[1:]
gateway = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)


def finished(accepted: object) -> Job:
    assert isinstance(accepted, WorkflowAcceptedResponse), accepted
    assert accepted.status is JobStatus.NOT_STARTED

    def ended() -> Job | None:
        job = get_job.sync(accepted.job_id, client=gateway)
        assert isinstance(job, Job), job
        return job if job.status in (JobStatus.SUCCESS, JobStatus.FAILURE) else None

    job = eventually(ended, seconds=40)
    assert get_job_by_request.sync(accepted.request_id, client=gateway).job_id == job.job_id
    return job


background = BackgroundGeneratorRequest(scene_type="podium", mood="calm", resolution="512", dominant_colors=["sage"])
made = finished(order_background_generator.sync(client=gateway, body=background))

hints = ExtractionContext(max_items=1, product_name="orange flight suit")
photo = ExtractTrialItemsRequest(trial_image=trial_image, extraction_context=hints)
cut = finished(order_extract.sync(client=gateway, body=photo))

wrong = BackgroundGeneratorRequest(scene_type=7, mood="calm", dominant_colors=["sage", None])
fault = order_background_generator.sync(client=gateway, body=wrong)
assert isinstance(fault, HTTPValidationError), fault

stranger = AuthenticatedClient(base_url=url, token="sk_unknown", raise_on_unexpected_status=True)
refusal = get_job.sync(made.job_id, client=stranger)
assert isinstance(refusal, Error), refusal

print(
    json.dumps(
        {
            "background": made.to_dict(),
            "extract": cut.to_dict(),
            "faults": [[entry.loc, entry.type_] for entry in fault.detail],
            "refusal": refusal.code,
        }
    )
)
