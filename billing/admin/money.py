from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from billing import ledger
from billing.models import MAX_AMOUNT, MAX_REASON, Client, LedgerEntry
from studio_gateway.admin import close_dialog, find
from studio_gateway.errors import DomainError
from studio_gateway.ids import new_ulid


class MoneyForm(BaseDialogForm):
    form_before_template = "admin/billing/balance.html"
    field_order = ("credits", "reason", "reference")

    reason = forms.CharField(max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    # Made once for each dialog, so that its form moves credits once however often it arrives.
    reference = forms.CharField(max_length=40, initial=lambda: f"console-{new_ulid()}", widget=forms.HiddenInput)

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"client": find(Client, object_id)}


class GrantForm(MoneyForm):
    credits = forms.IntegerField(min_value=1, max_value=MAX_AMOUNT, widget=UnfoldAdminIntegerFieldWidget)


class AdjustForm(MoneyForm):
    credits = forms.IntegerField(
        min_value=-MAX_AMOUNT,
        max_value=MAX_AMOUNT,
        help_text="10 adds ten credits, -10 takes ten off.",
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean_credits(self) -> int:
        credits = int(self.cleaned_data["credits"])
        if not credits:
            raise forms.ValidationError("0 would change nothing.")
        return credits


class MoneyActions(ModelAdmin):
    """What moves the balance of the client that the page shows."""

    def has_grant_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.grant_credits")

    def has_adjust_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.adjust_credits")

    @action(
        description="Grant credits",
        icon="add_card",
        variant=ActionVariant.PRIMARY,
        permissions=["grant"],
        dialog={"title": "Grant credits", "form_class": GrantForm, "form_submit_text": "Grant"},
    )
    def grant(self, request: HttpRequest, form: GrantForm, object_id: str) -> HttpResponse:
        return self._move(request, form, object_id, LedgerEntry.Kind.GRANT)

    @action(
        description="Adjust balance",
        icon="tune",
        permissions=["adjust"],
        dialog={"title": "Adjust the balance", "form_class": AdjustForm, "form_submit_text": "Adjust"},
    )
    def adjust(self, request: HttpRequest, form: AdjustForm, object_id: str) -> HttpResponse:
        return self._move(request, form, object_id, LedgerEntry.Kind.ADJUSTMENT)

    def _move(self, request: HttpRequest, form: MoneyForm, object_id: str, kind: LedgerEntry.Kind) -> HttpResponse:
        client, wanted = find(Client, object_id), form.cleaned_data
        again = client.ledger_entries.filter(kind=kind, reference=wanted["reference"]).exists()
        move = ledger.grant if kind == LedgerEntry.Kind.GRANT else ledger.adjust
        try:
            entry = move(
                client_id=client.pk,
                credits=wanted["credits"],
                reason=wanted["reason"],
                reference=wanted["reference"],
                actor=request.user.get_username(),
            )
        except DomainError as error:
            messages.error(request, str(error))
            return close_dialog("billing_client", client.pk)
        if kind == LedgerEntry.Kind.GRANT:
            done = f"Granted {entry.amount} credits"
        else:
            done = f"Adjusted the balance by {entry.amount:+d} credits"
        if again:
            messages.info(request, f"{done} before, and not a second time; the balance was {entry.balance_after} then.")
        else:
            self.log_change(request, client, f"{done}: {entry.reason}")
            messages.success(request, f"{done}; the balance is {entry.balance_after}.")
        return close_dialog("billing_client", client.pk)
