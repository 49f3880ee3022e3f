from studio_gateway.errors import DomainError


class WorkflowsError(DomainError):
    """A job could not be had or changed."""


class WorkflowDisabled(WorkflowsError):
    """The workflow {workflow} is switched off at the moment; nothing was charged."""

    code = "workflow_disabled"


class JobNotFound(WorkflowsError):
    """There is no job {job_id}."""

    code = "job_not_found"


class JobOver(WorkflowsError):
    """Job {job_id} has ended in {status} already; there is nothing to cancel."""

    code = "job_over"


class JobOpen(WorkflowsError):
    """Job {job_id} has not ended; cancel it first."""

    code = "job_open"


class StorageUnavailable(WorkflowsError):
    """The storage is away. The files of job {job_id} will be deleted as soon as it is back; all else is erased."""

    code = "storage_unavailable"


class ClientHasOpenJobs(WorkflowsError):
    """Client {client_id} has open jobs. Cancel them, or suspend it and wait until they have ended; then erase it."""

    code = "client_has_open_jobs"


class NotRefundable(WorkflowsError):
    """Job {job_id} cannot be refunded: {why}."""

    code = "not_refundable"


class NotRunAgain(WorkflowsError):
    """Job {job_id} cannot be run again: {why}."""

    code = "not_run_again"


class KeyReused(WorkflowsError):
    """This key was sent before, with another body, to another workflow, or with a key of another kind."""

    code = "idempotency_key_reused"


class BadWebhookURL(WorkflowsError):
    """Nothing can be sent to this URL. {why}"""

    code = "url_not_allowed"
    loc = ("body", "url")


class EndpointNotFound(WorkflowsError):
    """There is no webhook endpoint {endpoint_id}."""

    code = "not_found"


class TooManyEndpoints(WorkflowsError):
    """A client may have {limit} webhook endpoints; delete one first."""

    code = "too_many_endpoints"


class EndpointDisabled(WorkflowsError):
    """The webhook endpoint {endpoint_id} is disabled; enable it first."""

    code = "endpoint_disabled"


class DeliveryNotFound(WorkflowsError):
    """There is no webhook delivery {delivery_id}."""

    code = "not_found"


class UploadNotSigned(WorkflowsError):
    """This URL was not signed for an upload, or not as it stands. POST /v1/uploads for another."""

    code = "not_found"


class UploadExpired(WorkflowsError):
    """The time of this URL is over. POST /v1/uploads for another."""

    code = "upload_expired"


class UploadWrongType(WorkflowsError):
    """This URL takes Content-Type {signed}, and {sent} was sent."""

    code = "upload_wrong_type"


class UploadWrongSize(WorkflowsError):
    """This URL takes a Content-Length of {signed} bytes, and {sent} was announced."""

    code = "upload_wrong_size"


class UploadExists(WorkflowsError):
    """This URL has been used: its file is there. POST /v1/uploads for another."""

    code = "upload_exists"


class TooManyUploads(WorkflowsError):
    """As many uploads are under way as are taken at once. Send it again."""

    code = "too_many_uploads"
    retry_after = 5
