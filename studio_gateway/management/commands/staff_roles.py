from typing import Any

from studio_gateway.commands import Command as BaseCommand
from studio_gateway.roles import ROLES, set_roles


class Command(BaseCommand):
    help = "Make the roles of staff, as groups, or give them their rights again; `up` does it after each migration."

    def handle(self, *args: Any, **options: Any) -> None:
        set_roles()
        self.stdout.write(f"The roles {', '.join(ROLES)} have their rights.")
