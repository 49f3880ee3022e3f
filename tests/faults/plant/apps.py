from django.apps import AppConfig


class Plant(AppConfig):
    name = "tests.faults.plant"
    label = "plant"

    def ready(self) -> None:
        from tests.faults.plant.engines import ENGINES
        from workflows.catalogue import DEFINITIONS, Engine

        engines = {name: Engine(perform=perform) for name, perform in ENGINES.items()}
        DEFINITIONS["background-generator"].engines.update(engines)
