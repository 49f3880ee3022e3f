"""What the tests of the staff console share: somebody signed in, and rows to look at."""

import re
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session

from billing.models import Client
from requestlog.models import RequestLog
from studio_gateway.ids import new_ulid
from tests.helpers import output
from tests.http_client import HttpClient as Browser
from workflows import jobs
from workflows.models import Job, Workflow

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7 }}'


def signed_in() -> Browser:
    """A browser with a superuser at it."""
    browser, users = Browser(), get_user_model().objects
    browser.force_login(users.filter(username="ada").first() or users.create_superuser("ada"))
    return browser


def signed_in_with(*rights: str) -> Browser:
    """A browser with somebody at it who may do just this; rights are like `billing.view_client`."""
    person = get_user_model().objects.create_user("eve", is_staff=True)
    for right in rights:
        app, codename = right.split(".")
        person.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    browser = Browser()
    browser.force_login(person)
    return browser


def secret_in(answer: Any, browser: Browser) -> str:
    """The secret that this answer shows, after a look at all that could have kept it."""
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (200, "#main")
    assert "no-store" in answer.headers["Cache-Control"]
    (secret,) = re.findall(r'<code id="secret" class="secret">([^<]+)</code>', answer.content.decode())
    assert answer.content.decode().count(secret) == 1
    assert secret not in str(answer.headers) + str(browser.cookies)
    assert secret not in "".join(str(session.get_decoded()) for session in Session.objects.all())
    for model in apps.get_models():
        for row in model._default_manager.values():
            assert secret not in str(row), model
    assert messages(browser) == []
    return secret


def order(client: Client, *, spec: dict[str, Any] | None = None, body: bytes = b"{}", cost: int = 3) -> Job:
    log = RequestLog(
        request_id=new_ulid(),
        method="POST",
        path="/v1/background-generator",
        status=202,
        duration_ms=4,
        client_id=client.pk,
        body=body,
        body_size=len(body),
        body_truncated=False,
    )
    workflow = Workflow.objects.get(name="background-generator")
    client.read_again()
    job = jobs.submit(client=client, workflow=workflow, spec=spec or {}, credits_cost=cost, log=log)
    job.refresh_from_db()
    return job


def succeed(job: Job) -> Job:
    attempt = jobs.claim(job_id=job.pk, worker="test")
    assert attempt is not None
    made = output(attempt, name="a.png", details={"note": HOSTILE})
    assert jobs.succeed(attempt, outputs=[made], summary={"engine": HOSTILE})
    job.refresh_from_db()
    return job


def fail(job: Job, *, message: str = "no", technical: bool = False) -> Job:
    attempt = jobs.claim(job_id=job.pk, worker="test")
    assert attempt is not None
    assert jobs.fail(attempt, code="unknown_model", message=message, technical=technical)
    job.refresh_from_db()
    return job


def submit_dialog(browser: Browser, path: str, **fields: object) -> Any:
    """Post a dialog's form with the values that it came with and `fields`."""
    form = browser.get(path).context["form"]
    sent = {name: form[name].value() or "" for name in form.fields}
    return browser.post(path, {**sent, **fields})


def messages(browser: Browser) -> list[str]:
    """The messages that the next page shows."""
    return [str(message) for message in browser.get("/admin/").context["messages"]]


__all__ = [
    *("HOSTILE", "fail", "messages", "order", "secret_in", "signed_in", "signed_in_with", "submit_dialog", "succeed"),
]
