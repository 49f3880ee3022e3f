import contextlib
import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RadioFilter
from unfold.decorators import display

from requestlog.models import RequestLog
from studio_gateway.admin import RecordAdmin, code, label, link, preformatted

CLASS_COLOURS = {2: "success", 3: "info", 4: "warning", 5: "danger"}


class AnswerFilter(RadioFilter):
    title = "answer"
    parameter_name = "answer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("2", "2xx"), ("4", "4xx"), ("5", "5xx")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
        if self.value() in ("2", "4", "5"):
            first = int(self.value() or 0) * 100
            return queryset.filter(status__range=(first, first + 99))
        return queryset


@admin.register(RequestLog)
class RequestLogAdmin(RecordAdmin):
    list_display = [
        "request_id",
        "received_at",
        "call",
        "answer",
        "shown_code",
        "client",
        "job",
        "duration",
    ]
    list_filter = [AnswerFilter]
    ulid_fields = ("request_id", "job_id")
    search_help_text = "Request id or job id"
    fieldsets = [
        (None, {"fields": ["request_id", "received_at", "duration"]}),
        ("Request", {"fields": ["method", "path", "client", "api_key_prefix", "remote_addr", "user_agent"]}),
        ("Body", {"fields": ["size", "text"]}),
        ("Answer", {"fields": ["answer", "shown_code", "job"]}),
    ]
    readonly_fields = ["answer", "shown_code", "client", "job", "duration", "size", "text"]

    @display(description="Request")
    def call(self, log: RequestLog) -> str:
        return f"{log.method}\N{NO-BREAK SPACE}{log.path}"

    @display(description="Status")
    def answer(self, log: RequestLog) -> SafeString:
        return label(str(log.status), {str(log.status): CLASS_COLOURS.get(log.status // 100, "")})

    @display(description="Code")
    def shown_code(self, log: RequestLog) -> SafeString | None:
        return code(log.code) if log.code else None

    @display(description="Client")
    def client(self, log: RequestLog) -> SafeString | None:
        return link("billing_client", log.client_id) if log.client_id else None

    @display(description="Job")
    def job(self, log: RequestLog) -> SafeString | None:
        return link("workflows_job", log.job_id) if log.job_id else None

    @display(description="Took")
    def duration(self, log: RequestLog) -> str:
        return f"{log.duration_ms} ms"

    @display(description="Bytes received")
    def size(self, log: RequestLog) -> str:
        kept = f"of which the first {len(log.body)} are kept" if log.body else "none of which are kept"
        return f"{log.body_size}, {kept}" if log.body_truncated else f"{log.body_size}"

    @display(description="Text")
    def text(self, log: RequestLog) -> SafeString | None:
        if not log.body:
            return None
        text = bytes(log.body).decode("utf-8", "replace")
        with contextlib.suppress(ValueError, RecursionError):  # what is no JSON is shown as it came
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        return preformatted(text)
