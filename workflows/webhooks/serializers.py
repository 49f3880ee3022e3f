"""Bodies of what is told, and of the requests and answers about being told."""

from rest_framework import serializers

from workflows.models import Job
from workflows.serializers import JobSerializer, OutputSerializer


class ToldOutputSerializer(OutputSerializer):
    """One file that a job made; the job says where it is to be had."""

    url = None  # type: ignore[assignment]  # so DRF leaves a field out


class ToldJobSerializer(JobSerializer):
    """A job as it was when it was told of: without its spec, and without links that expire."""

    spec = None  # type: ignore[assignment]
    link = serializers.SerializerMethodField(help_text="The path at which the job is to be read.")
    outputs = ToldOutputSerializer(many=True, help_text="The files that it made, in order; none until SUCCESS.")

    def get_link(self, job: Job) -> str:
        return f"/v1/jobs/{job.pk}"
