import os
from typing import Any

from django_q.management.commands.qcluster import Command as QClusterCommand

import workflows.tasks  # noqa: F401 — so that what cannot be imported is said here, not in a worker that then dies
from studio_gateway.processes import die_with_parent


class Command(QClusterCommand):
    """django-q2's own, whose processes end with the one that forked them: none goes on taking jobs headless."""

    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        forking = [0]
        os.register_at_fork(
            before=lambda: forking.__setitem__(0, os.getpid()),
            after_in_child=lambda: die_with_parent(parent=forking[0]),
        )
        super().handle(*args, **options)
