"""What `reconcile --fix` does. Each looks again under lock, and edits no ledger entry."""

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from billing import ledger
from billing.models import Client, LedgerEntry
from studio_gateway.ids import new_ulid
from workflows.jobs.refunds import end_in_failure
from workflows.models import Job
from workflows.reconcile.checks import Violation


def refund(violation: Violation) -> None:
    """Refund a failed job whose refund is missing; where the entry is there, only join the two."""
    job = Job.objects.get(pk=violation.job_id)
    with transaction.atomic(durable=True):
        written = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.REFUND, reference=job.pk).first()
        refund_id = written.pk if written else new_ulid()
        moved = Job.objects.filter(pk=job.pk, status=Job.Status.FAILURE, refund_id=job.refund_id)
        if moved.update(refund_id=refund_id) and written is None:
            ledger.refund(
                client_id=job.client_id,
                credits=job.credits_cost,
                entry_id=refund_id,
                reference=job.pk,
                reason=f"failed: {job.error_code}",
                actor="reconcile",
                closes_job=False,
            )


def fail(violation: Violation) -> None:
    """End an open job that nobody will finish, and refund it."""
    job = Job.objects.get(pk=violation.job_id)
    nobody = Q(deadline_at__lte=Now()) | Q(lease_until=None, attempt=job.max_attempts)
    row = Job.objects.filter(nobody, pk=job.pk, status__in=Job.OPEN, attempt=job.attempt)
    message = "The job was found open with nobody at work on it."
    end_in_failure(row, job=job, code="abandoned", message=message, retryable=True)


def make_due(violation: Violation) -> None:
    """Let a worker have an open job now. Whoever may still be at it fails on the fence."""
    job = Job.objects.filter(pk=violation.job_id, status__in=Job.OPEN)
    job.update(run_after=Now(), reserved_until=None)
    job.filter(lease_until__isnull=False).update(lease_until=Now())


def reset_balance(violation: Violation) -> None:
    """Set balance and ledger_seq to what the client's entries say."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        Client.objects.select_for_update().get(pk=violation.ids["client_id"])
        cursor.execute(
            """UPDATE billing_client c SET balance = l.total, ledger_seq = l.last
                 FROM (SELECT coalesce(sum(amount), 0) AS total, coalesce(max(seq), 0) AS last
                         FROM billing_ledgerentry WHERE client_id = %(id)s) l
                WHERE c.id = %(id)s AND l.total >= 0""",
            {"id": violation.client_id},
        )


def reset_open_jobs(violation: Violation) -> None:
    """Set open_jobs to the number of open jobs. Whoever opens or ends one now waits for the row and counts on."""
    with transaction.atomic(durable=True):
        client = Client.objects.select_for_update().get(pk=violation.ids["client_id"])
        client.open_jobs = Job.objects.filter(client=client, status__in=Job.OPEN).count()
        client.save(update_fields=["open_jobs"])


# In this order: refunds and failures move balances and counts, which are set right last.
FIXES = {
    "refund": refund,
    "fail": fail,
    "make due": make_due,
    "reset open_jobs": reset_open_jobs,
    "reset balance": reset_balance,
}
