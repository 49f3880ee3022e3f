from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from workflows.models import Workflow


@admin.register(Workflow)
class WorkflowAdmin(ModelAdmin):
    list_display = ["name", "summary", "enabled", "time_limit", "max_attempts", "deadline", "output_format"]
    search_fields = ["name", "summary"]
    search_help_text = "Name or summary"
    fields = ["name", "summary", "enabled", "time_limit", "max_attempts", "deadline", "output_format"]
    # It is joined to its code by name, and a row without code is nothing to order.
    readonly_fields = ["name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
