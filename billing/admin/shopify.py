from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from billing import shopify
from billing.models import Client, ShopDomain
from studio_gateway.admin import RecordInline, close_dialog, dialog_button, find, show_secret
from studio_gateway.errors import DomainError


class SecretForm(BaseDialogForm):
    secret = forms.CharField(
        required=False,
        max_length=200,
        help_text="The app's client secret, as Shopify shows it. Empty: one is made up, and shown once on the page "
        "that follows, for an app that signs its own calls.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    retire_previous = forms.BooleanField(
        label="Retire the previous one at once",
        required=False,
        help_text="Otherwise it holds on until the next one is set.",
        widget=UnfoldBooleanSwitchWidget,
    )


class ShopForm(BaseDialogForm):
    domain = forms.CharField(
        max_length=253,
        help_text="Such as cap-and-co.myshopify.com.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )


class RemoveShopForm(BaseDialogForm):
    form_before_template = "admin/billing/remove_shop.html"

    domain = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        self.initial["domain"] = request.GET.get("domain", "")

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        client, domain = find(Client, object_id), self.initial["domain"]
        if not client.shop_domains.filter(domain=domain).exists():
            raise Http404
        return {"client": client, "domain": domain}


class ShopInline(RecordInline):
    model = ShopDomain
    verbose_name_plural = "Shopify shops"
    template_before = "admin/billing/shopify.html"
    readonly_fields = ["shop", "remove"]
    ordering = ["domain"]
    per_page = 10

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("billing.view_client")

    def get_fields(self, request: HttpRequest, obj: Client | None = None) -> list[str]:
        return ["shop", *(["remove"] if request.user.has_perm("billing.delete_shopdomain") else [])]

    @display(description="Shop")
    def shop(self, shop: ShopDomain) -> str:
        return shop.domain

    @display(description="Remove")
    def remove(self, shop: ShopDomain) -> SafeString:
        domain = shop.domain
        return dialog_button("billing_client", "remove_shop", shop.client_id, "Remove", about=domain, domain=domain)


class ShopifyActions(ModelAdmin):
    """The secrets and shops of the client that the page shows."""

    def shopify(self, request: HttpRequest, client: Client) -> dict[str, Any]:
        """Tell of the secret's state what staff may know, and offer what this person may do."""
        since = [date_format(secret.created_at, "DATETIME_FORMAT") for secret in client.shopify_secrets.order_by("-pk")]
        state = f"set {since[0]}" if since else "none is set"
        if len(since) > 1:
            state += f"; the previous one, set {since[1]}, still holds"
        offered = (
            (self.has_set_secret_permission(request), "set_shopify_secret", "Set secret"),
            (self.has_add_shop_permission(request), "add_shop", "Add shop"),
        )
        buttons = [
            dialog_button("billing_client", action, client.pk, text, look="dialog-button")
            for may, action, text in offered
            if may
        ]
        return {"secret": state, "buttons": buttons}

    def has_set_secret_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_shopifysecret")

    def has_add_shop_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.add_shopdomain")

    def has_remove_shop_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.delete_shopdomain")

    @action(
        description="Set Shopify secret",
        icon="encrypted",
        permissions=["set_secret"],
        dialog={
            "title": "Set the Shopify secret",
            "description": "Requests that a shop of this client's signs with it are this client's.",
            "form_class": SecretForm,
            "form_submit_text": "Set secret",
        },
    )
    def set_shopify_secret(self, request: HttpRequest, form: SecretForm, object_id: str) -> HttpResponse:
        client, wanted = find(Client, object_id), form.cleaned_data
        secret = wanted["secret"] or shopify.new_secret()
        try:
            shopify.set_secret(client_id=client.pk, secret=secret, retire_previous=wanted["retire_previous"])
        except DomainError as error:
            messages.error(request, str(error))
            return close_dialog("billing_client", client.pk)
        retired = " and retired the previous one" if wanted["retire_previous"] else ""
        self.log_change(request, client, f"Set a Shopify secret{retired}")
        if wanted["secret"]:
            messages.success(request, f"Set the Shopify secret{retired}.")
            return close_dialog("billing_client", client.pk)
        return show_secret(
            request,
            title="A new Shopify secret",
            what=f"Shopify secret of {client}",
            secret=secret,
            note="It signs from now on.",
            page="billing_client",
            pk=client.pk,
        )

    @action(
        description="Add shop",
        icon="add_business",
        permissions=["add_shop"],
        dialog={"title": "Add a Shopify shop", "form_class": ShopForm, "form_submit_text": "Add shop"},
    )
    def add_shop(self, request: HttpRequest, form: ShopForm, object_id: str) -> HttpResponse:
        client, domain = find(Client, object_id), form.cleaned_data["domain"].lower()
        try:
            shopify.add_shop(client_id=client.pk, domain=domain)
        except DomainError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, client, f"Added the shop {domain}")
            messages.success(request, f"{domain} is one of its shops.")
        return close_dialog("billing_client", client.pk)

    @action(
        description="Remove shop",
        variant=ActionVariant.DANGER,
        permissions=["remove_shop"],
        dialog={"title": "Remove this shop", "form_class": RemoveShopForm, "form_submit_text": "Remove"},
    )
    def remove_shop(self, request: HttpRequest, form: RemoveShopForm, object_id: str) -> HttpResponse:
        client, domain = find(Client, object_id), form.cleaned_data["domain"]
        if shopify.remove_shop(client_id=client.pk, domain=domain):
            self.log_change(request, client, f"Removed the shop {domain}")
            messages.success(request, f"{domain} is none of its shops any more.")
        else:
            messages.error(request, f"{domain} was none of its shops.")
        return close_dialog("billing_client", client.pk)
