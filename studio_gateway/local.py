"""What a local run makes up the first time: a demo client with a photo, and a staff user."""

import json
import secrets
from dataclasses import asdict, dataclass, field

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from billing.clients import create_client
from billing.keys import digest
from billing.models import ApiKey
from studio_gateway.secrets import write_private

CREDITS = 1000


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Kept in the data folder, mode 0600, so that `up` can show them again."""

    client_id: int
    api_key: str = field(repr=False)
    staff_user: str
    staff_password: str = field(repr=False)

    @property
    def photo_key(self) -> str:
        return f"clients/{self.client_id}/demo/flat-lay.jpg"


def accounts() -> Accounts:
    """Return the demo client and the staff user; make them if this database does not have them."""
    path = settings.DATA_DIR / "accounts.json"
    if path.exists():
        kept = Accounts(**json.loads(path.read_text()))
        if ApiKey.objects.filter(digest=digest(kept.api_key), client_id=kept.client_id).exists():
            return kept
    client, api_key = create_client(name="Demo shop", credits=CREDITS, actor="up")
    password = secrets.token_urlsafe(12)
    rights = {"is_staff": True, "is_superuser": True}
    user, _ = get_user_model().objects.get_or_create(username="staff", defaults=rights)
    user.set_password(password)
    user.save()
    made = Accounts(client_id=client.pk, api_key=api_key, staff_user="staff", staff_password=password)
    write_private(path, json.dumps(asdict(made)))
    return made


def demo_photo(made: Accounts) -> str:
    """Return the storage key of the demo client's photo; draw it if it is not there."""
    if not default_storage.exists(made.photo_key):
        from workflows.engines.flat_lay import draw_flat_lay

        default_storage.save(made.photo_key, ContentFile(draw_flat_lay()))
    return made.photo_key
