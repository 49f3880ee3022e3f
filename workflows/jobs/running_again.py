from django.db import transaction
from django.db.models.functions import Now

from billing import ledger
from studio_gateway.ids import new_ulid
from workflows.errors import JobNotFound, NotRunAgain
from workflows.jobs.policy import attempts_allowed
from workflows.models import Job, Workflow


def run_again(*, job_id: str, actor: str) -> Job:
    """Make a new job with the spec of one that has ended, at no charge, in somebody's name; return it.

    It is bound by none of its client's limits, and not by a suspension either. While it is open the same job is not run
    again: two people who press at once make one. Raises what ledger.check_staff_texts raises, JobNotFound or
    NotRunAgain.
    """
    reason = f"run again of {job_id}"
    ledger.check_staff_texts(reason=reason, actor=actor)
    with transaction.atomic(durable=True):
        # Its lock keeps others away who would run it again, or erase it, until the new job is there to be seen.
        old = Job.objects.select_for_update(no_key=True).select_related(None).filter(pk=job_id).first()
        if old is None:
            raise JobNotFound(job_id=job_id[:40])
        if why := why_not_run_again(old):
            raise NotRunAgain(job_id=old.pk, why=why)
        workflow = Workflow.objects.get(name=old.workflow)
        policy = Job.OnTechnicalFailure(old.on_technical_failure)
        job = Job.objects.create(
            rerun_of=old,
            client_id=old.client_id,
            workflow=old.workflow,
            spec=old.spec,
            is_test=old.is_test,
            on_technical_failure=policy,
            output_format=old.output_format,
            credits_cost=0,
            charge_id=new_ulid(),
            deadline_at=Now() + workflow.deadline,
            max_attempts=attempts_allowed(policy, workflow=workflow),
            time_limit=workflow.time_limit,
        )
        ledger.charge_nothing(
            client_id=job.client_id, entry_id=job.charge_id, reference=job.pk, reason=reason, actor=actor
        )
    return job


def why_not_run_again(job: Job) -> str | None:
    """Say why a job cannot be run again now; None where it can."""
    if job.status in Job.OPEN:
        return "it is still open"
    if job.erased_at is not None:
        return "it was erased, and with it what was ordered"
    # All of them, for there are few: who asks of many jobs has read their reruns along.
    running = next((rerun.pk for rerun in job.reruns.all() if rerun.status in Job.OPEN), None)
    return running and f"it is being run again, as job {running}"
