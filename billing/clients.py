"""Clients: made, suspended, let back in."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Coalesce, Now

from billing import ledger, shopify
from billing.errors import BadName, UnknownClient
from billing.keys import create_key
from billing.models import Client
from studio_gateway.text import is_storable


def create_client(
    *, name: str, credits: int = 0, actor: str = "", shop_domains: Sequence[str] = (), shopify_secret: str | None = None
) -> tuple[Client, str]:
    """Make a client with one API key and, if asked, credits to begin with; return it with the key's secret.

    Raises BadName, and what `shopify.set_secret` and `shopify.add_shop` raise; then there is no client.
    """
    name = name.strip()
    if not name or len(name) > 200 or not is_storable(name):
        raise BadName
    with transaction.atomic(durable=True):
        client = Client.objects.create(name=name)
        _, secret = create_key(client=client)
        if credits:
            ledger.grant(client_id=client.pk, credits=credits, reason="opening credits", actor=actor)
        if shopify_secret is not None:
            shopify.set_secret(client_id=client.pk, secret=shopify_secret)
        for domain in shop_domains:
            shopify.add_shop(client_id=client.pk, domain=domain)
    client.refresh_from_db()
    return client, secret


def find_client(*, client_id: int) -> Client:
    """Return the client. Raises UnknownClient."""
    client = Client.objects.filter(pk=client_id).first()
    if client is None:
        raise UnknownClient(client_id=client_id)
    return client


def suspend(*, client_id: int) -> None:
    """Refuse a client's orders from now on; since when is kept where it was suspended before."""
    Client.objects.filter(pk=client_id, suspended_at=None).update(suspended_at=Now())


def suspend_idle(*, client_id: int) -> bool:
    """Suspend a client that has no open job, so that it will have none. False: it has; nothing was written."""
    idle = Client.objects.filter(pk=client_id, open_jobs=0)
    return bool(idle.update(suspended_at=Coalesce("suspended_at", Now())))


def lift_suspension(*, client_id: int) -> None:
    """Accept a client's orders again."""
    Client.objects.filter(pk=client_id).update(suspended_at=None)


def set_low_credits_threshold(*, client: Client, threshold: int | None) -> None:
    """Have a client told when an order takes its balance below `threshold`, or never."""
    Client.objects.filter(pk=client.pk).update(low_credits_threshold=threshold)
    client.low_credits_threshold = threshold
