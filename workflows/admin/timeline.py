"""What happened to a job, with how long each step took."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.safestring import SafeString

from studio_gateway.admin import label
from workflows.models import Job, JobEvent

COLOURS = {
    "accepted": "info",
    "started": "primary",
    "waiting": "warning",
    "cancelling": "warning",
    "succeeded": "success",
    "failed": "danger",
    "refunded": "info",
}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One event, and what went on until then: `after` is like "2.1 s of waiting", or empty."""

    event: JobEvent
    after: str

    @property
    def badge(self) -> SafeString:
        return label(self.event.kind, COLOURS)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """All of a job's moments, and for how long it waited and ran in them all."""

    moments: list[Moment]
    waited: str
    ran: str


def span(time: timedelta) -> str:
    """Write a duration as people read it: 0.42 s, 12.3 s, 3 min 5 s, 2 h 10 min."""
    seconds = max(0.0, time.total_seconds())
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def timeline(job: Job, *, events: Iterable[JobEvent], now: datetime) -> Timeline:
    """Tell a job's life from its acceptance on.

    An attempt whose worker was lost has no end of its own: it counts as running until the next attempt, or the end.
    """
    moments = [Moment(event=JobEvent(kind="accepted", at=job.accepted_at, attempt=0), after="")]
    since, running = job.accepted_at, False
    spent = {False: timedelta(), True: timedelta()}
    for event in events:
        if event.kind in (JobEvent.Kind.CANCELLING, JobEvent.Kind.REFUNDED):
            moments.append(Moment(event=event, after=""))
            continue
        lost = running and event.kind == JobEvent.Kind.STARTED
        doing = "running, until its worker was lost" if lost else "running" if running else "waiting"
        moments.append(Moment(event=event, after=f"{span(event.at - since)} of {doing}"))
        spent[running] += event.at - since
        since, running = event.at, event.kind == JobEvent.Kind.STARTED
    if job.ended_at is None:
        spent[running] += now - since
    return Timeline(moments=moments, waited=span(spent[False]), ran=span(spent[True]) if job.started_at else "")
