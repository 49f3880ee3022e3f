"""What a client wants done when an attempt fails for technical reasons."""

from typing import Any

from workflows.engines.base import BUILT_IN, engine_name, quoted
from workflows.models import Job, Workflow

Policy = Job.OnTechnicalFailure


def on_technical_failure(spec: dict[str, Any]) -> Policy:
    """Return what `spec` asks for: RETRY where it says nothing, or nothing that is known.

    FALLBACK from the built-in engine to itself is a RETRY.
    """
    asked = _asked(spec)
    policy = Policy(asked) if asked in Policy.values else Policy.RETRY
    if policy is Policy.FALLBACK and engine_name(spec.get("image_model")) == BUILT_IN:
        return Policy.RETRY
    return policy


def attempts_allowed(policy: Policy, *, workflow: Workflow) -> int:
    """Return how many attempts a job may have: with FAIL one, with FALLBACK one at least for the built-in engine."""
    match policy:
        case Policy.FAIL:
            return 1
        case Policy.FALLBACK:
            return max(2, workflow.max_attempts)
    return workflow.max_attempts


def remark(job: Job) -> str:
    """Say what the timeline must say of the attempt that begins now, or nothing."""
    said = []
    asked = job.spec.get("on_technical_failure")
    if job.attempt == 1 and asked is not None and _asked(job.spec) not in Policy.values:
        said.append(f"on_technical_failure {quoted(asked)} is not known; the default is in force: retry")
    if job.fell_back:
        said.append(f"by the {BUILT_IN} engine instead of {quoted(job.spec.get('image_model'))}")
    return "; ".join(said)


def _asked(spec: dict[str, Any]) -> str:
    return str(spec.get("on_technical_failure") or Policy.RETRY).strip().lower()
