"""Django's test client, whose handler all tests share: making one lists every static file, which takes 40 ms.

It is made before any test changes a setting; a test of a setting that middleware reads when it is made needs its own.
"""

from typing import Any

from django.test import Client
from django.test.client import ClientHandler

HANDLER = ClientHandler(enforce_csrf_checks=False)
HANDLER.load_middleware()


class HttpClient(Client):
    """Speaks to the application in this process, whose errors it answers as a server does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(raise_request_exception=False, **options)
        if not options:
            self.handler = HANDLER
