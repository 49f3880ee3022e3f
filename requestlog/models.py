from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from studio_gateway.ids import ULIDField


class RequestLog(models.Model):
    """One API request and how it was answered.

    No foreign keys point here or away: rows are pruned by age, and a refused request must always find room. The body
    is bytes, as received but for masked secrets, so that nothing a client sends can make the insert fail; it is kept
    for authenticated requests only.
    """

    request_id = ULIDField(primary_key=True)
    received_at = models.DateTimeField(db_default=Now())
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=512)
    status = models.SmallIntegerField()
    code = models.CharField(max_length=64, blank=True)
    duration_ms = models.IntegerField()
    client_id = models.BigIntegerField(null=True)
    api_key_prefix = models.CharField(max_length=16, blank=True)
    job_id = ULIDField(blank=True)
    remote_addr = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    body = models.BinaryField()
    body_size = models.IntegerField(
        help_text="Bytes received or announced; the body above holds at most the first 64 KiB of them."
    )
    body_truncated = models.BooleanField(db_default=False, help_text="Whether the body above holds less than that.")

    class Meta:
        db_table = "request_logs"
        verbose_name = "request log"
        indexes = [
            # The console's list of one client's requests, newest first. Of a flood without keys there is nothing in it.
            models.Index(
                name="request_logs_by_client",
                fields=["client_id", "request_id"],
                condition=Q(client_id__isnull=False),
            ),
            # The console's list of what was refused, newest first.
            models.Index(name="request_logs_refused", fields=["-request_id"], condition=Q(status__range=(400, 499))),
            # The console's list of what went wrong here, newest first.
            models.Index(name="request_logs_broken", fields=["-request_id"], condition=Q(status__range=(500, 599))),
            # The job page's way to the exchange that ordered it, and the eraser's to all bodies that are about a job.
            models.Index(name="request_logs_by_job", fields=["job_id"], condition=~Q(job_id="")),
        ]

    def __str__(self) -> str:
        return self.request_id
