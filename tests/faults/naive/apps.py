from django.apps import AppConfig


class Naive(AppConfig):
    name = "tests.faults.naive"
    label = "naive"

    def ready(self) -> None:
        from tests.faults.naive import finish
        from workflows import jobs

        for name in ("claim", "heartbeat", "succeed", "fail", "give_up", "sweep"):
            setattr(jobs, name, getattr(finish, name))
