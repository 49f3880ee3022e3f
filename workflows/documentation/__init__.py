"""What the API document says of the endpoints here, beside what their serializers say."""

from workflows.documentation.catalogue import models, workflows
from workflows.documentation.jobs import cancel, erase, job, jobs, request
from workflows.documentation.orders import OrderSchema, order
from workflows.documentation.uploads import upload
from workflows.documentation.usage import usage

__all__ = [
    "OrderSchema",
    "cancel",
    "erase",
    "job",
    "jobs",
    "models",
    "order",
    "request",
    "upload",
    "usage",
    "workflows",
]
