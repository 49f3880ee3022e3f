"""The roles of staff, as groups with rights. A superuser may do all of it, and alone makes users and groups."""

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

# Whoever has a role may look at everything that is the product's own.
APPS = ("billing", "requestlog", "workflows")
ROLES: dict[str, tuple[str, ...]] = {
    "Support": ("workflows.refund_job", "workflows.run_again_job"),
    "Finance": (
        "billing.add_client",
        "billing.change_client",
        "billing.grant_credits",
        "billing.adjust_credits",
        "billing.set_limits",
        "billing.suspend_client",
        "billing.add_price",
        "billing.change_price",
        "billing.delete_price",
        "workflows.refund_job",
        "workflows.refund_job_without_limit",
    ),
    "Engineering": (
        "billing.change_client",
        "billing.set_storage",
        "billing.add_apikey",
        "billing.change_apikey",
        "billing.add_shopifysecret",
        "billing.add_shopdomain",
        "billing.delete_shopdomain",
        "workflows.cancel_job",
        "workflows.run_again_job",
        "workflows.change_workflow",
        "workflows.add_imagemodel",
        "workflows.change_imagemodel",
        "workflows.delete_imagemodel",
        "workflows.change_webhookendpoint",
        "workflows.change_webhookdelivery",
    ),
    "Auditor": (),
}


def set_roles() -> None:
    """Give each role its rights, these and no others; whoever has a role keeps it.

    Needs the permissions that `migrate` makes. May run any number of times, also at once.
    """
    look = Q(content_type__app_label__in=APPS, codename__startswith="view_")
    for name, rights in ROLES.items():
        wanted = look
        for right in rights:
            app, codename = right.split(".")
            wanted |= Q(content_type__app_label=app, codename=codename)
        with transaction.atomic(durable=True):
            Group.objects.get_or_create(name=name)
            group = Group.objects.select_for_update().get(name=name)
            group.permissions.set(Permission.objects.filter(wanted))
