"""Django's PostgreSQL backend on the embedded server: `HOST` is the data folder, the rest of the login is its own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.db.backends.postgresql import client

from studio_gateway.embedded import server
from studio_gateway.postgres import base


class DatabaseClient(client.DatabaseClient):
    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """Return what `dbshell` runs: the psql that belongs to the server, joined for as long as this process lives."""
        login = {name.upper(): value for name, value in server.join(Path(settings_dict["HOST"])).items()}
        args, env = super().settings_to_cmd_args_env({**settings_dict, **login}, parameters)
        return [str(server.binary("psql")), *args[1:]], env


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        """Start or join the server, as this is only called when a connection is about to be made."""
        return {**super().get_connection_params(), **server.join(Path(self.settings_dict["HOST"]))}
