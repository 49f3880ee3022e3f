import gc
import importlib
import os
from typing import Any

from django_q.management.commands.qcluster import Command as QClusterCommand

import workflows.tasks  # noqa: F401 — so that what cannot be imported is said here, not in a worker that then dies
from studio_gateway.processes import die_with_parent

ENGINES = ("workflows.engines.background", "workflows.engines.extract", "workflows.engines.encoding")


class Command(QClusterCommand):
    """django-q2's own, whose processes end with the one that forked them: none goes on taking jobs headless."""

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster_name"] != "webhooks":
            self._load_engines()
        forking = [0]
        os.register_at_fork(
            before=lambda: forking.__setitem__(0, os.getpid()),
            after_in_child=lambda: die_with_parent(parent=forking[0]),
        )
        super().handle(*args, **options)

    def _load_engines(self) -> None:
        """Import the image libraries once: all processes share their memory, and nobody's first order waits for it."""
        # Worker processes are the parallelism; and a process with threads is not one to fork.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        for name in ENGINES:
            importlib.import_module(name)
        gc.freeze()
