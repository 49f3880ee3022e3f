from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from billing import allowances, ledger
from billing.allowances import Allowance
from studio_gateway.ids import new_ulid
from workflows.errors import JobNotFound, NotRefundable
from workflows.models import Event, Job, JobEvent
from workflows.webhooks.events import tell_of_job

CANCELLED = "cancelled"


def end_in_failure(row: QuerySet[Job], *, job: Job, code: str, message: str, retryable: bool, actor: str = "") -> bool:
    """End `job` in FAILURE and refund it, if `row` still selects it. False: it does not, and nothing was written.

    A job that was cancelled while it ran ends as cancelled, whatever it would have failed with. `retryable` says that
    nothing is wrong with its spec; the ledger names the `actor` where somebody of the staff ends it.
    """
    refund_id = new_ulid()
    ended = {"status": Job.Status.FAILURE, "refund_id": refund_id, "ended_at": Now(), "lease_until": None}
    with transaction.atomic(durable=True):
        why = {"error_code": code, "error_message": message, "error_retryable": retryable}
        if not row.filter(cancel_requested_at=None).update(**ended, **why):
            code, message = CANCELLED, "The job was cancelled."
            why = {"error_code": code, "error_message": message, "error_retryable": True}
            if not row.exclude(cancel_requested_at=None).update(**ended, **why):
                return False
        JobEvent.objects.create(
            job=job, kind=JobEvent.Kind.FAILED, attempt=job.attempt, worker=job.worker, detail=f"{code}: {message}"
        )
        tell_of_job(Job.objects.get(pk=job.pk), type=Event.Type.JOB_FAILED)
        ledger.refund(
            client_id=job.client_id,
            credits=job.credits_cost,
            entry_id=refund_id,
            reference=job.pk,
            reason=f"failed: {code}",
            actor=actor,
            closes_job=True,
        )
    return True


def why_not_refund(job: Job) -> str | None:
    """Say why staff cannot refund a job now; None where they can."""
    if job.refund_id:
        return "it was refunded already"
    if job.status in Job.OPEN:
        return "it is still open; it is refunded by itself if it fails"
    return None


def refund(*, job_id: str, reason: str, actor: str, allowance: Allowance | None = None) -> Job:
    """Refund a job that succeeded: in full, once, for a reason and in somebody's name.

    `allowance` bounds what `actor` may give back; None: nothing does. Raises what ledger.check_staff_texts and
    allowances.draw raise, JobNotFound, or NotRefundable for a job that is open or refunded already, also where
    two people press at once.
    """
    ledger.check_staff_texts(reason=reason, actor=actor)
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise JobNotFound(job_id=job_id[:40])
    refund_id = new_ulid()
    with transaction.atomic(durable=True):
        if allowance is not None:
            allowances.draw(actor=actor, credits=job.credits_cost, allowance=allowance)
        due = Job.objects.filter(pk=job_id, status=Job.Status.SUCCESS, refund=None)
        if not due.update(refund_id=refund_id):
            job.refresh_from_db()
            raise NotRefundable(job_id=job.pk, why=why_not_refund(job))
        job.refresh_from_db()
        refunded = JobEvent.objects.create(
            job=job, kind=JobEvent.Kind.REFUNDED, attempt=job.attempt, detail=f"by {actor}: {reason}"
        )
        tell_of_job(job, type=Event.Type.JOB_REFUNDED, at=refunded.at, outputs=list(job.outputs.all()))
        ledger.refund(
            client_id=job.client_id,
            credits=job.credits_cost,
            entry_id=refund_id,
            reference=job.pk,
            reason=reason,
            actor=actor,
            closes_job=False,
        )
    return job
