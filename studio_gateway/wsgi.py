"""The web process's application.

Only here are database connections pooled: the worker forks, and a pool does not survive that. `min_size` 1 keeps a
connection warm in each process; `max_size` is one a thread and one to spare.
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio_gateway.settings")

database = settings.DATABASES["default"]
database["CONN_MAX_AGE"] = 0  # the pool keeps them instead
database.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": settings.WEB_THREADS + 1, "timeout": 10}

application = get_wsgi_application()
