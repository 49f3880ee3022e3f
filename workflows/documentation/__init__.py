"""What the API document says of the endpoints here, beside what their serializers say."""

from workflows.documentation.jobs import cancel, job, jobs, request
from workflows.documentation.orders import OrderSchema, order

__all__ = ["OrderSchema", "cancel", "job", "jobs", "order", "request"]
