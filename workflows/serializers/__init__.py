"""Bodies of requests and answers; those that the published contract names are named so, with its fields in its order.

What stands here as name, docstring, label and help_text stands in the API document.
"""

from workflows.serializers.catalogue import ModelList, WorkflowList
from workflows.serializers.jobs import JobPage, JobSerializer, JobsQuery
from workflows.serializers.orders import (
    BackgroundGeneratorRequest,
    DryRunResponse,
    ExtractTrialItemsRequest,
    WorkflowAcceptedResponse,
)
from workflows.serializers.uploads import CreateUploadRequest, UploadSerializer
from workflows.serializers.usage import UsageQuery, UsageReport

__all__ = [
    "BackgroundGeneratorRequest",
    "CreateUploadRequest",
    "DryRunResponse",
    "ExtractTrialItemsRequest",
    "JobPage",
    "JobSerializer",
    "JobsQuery",
    "ModelList",
    "UploadSerializer",
    "UsageQuery",
    "UsageReport",
    "WorkflowAcceptedResponse",
    "WorkflowList",
]
