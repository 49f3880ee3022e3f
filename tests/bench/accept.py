from tests.bench import Section
from tests.bench.site import Bench


def measure(bench: Bench) -> Section:
    section = Section(title="Accept path")
    with bench.gateway("web") as gateway:
        section.add("web answers", gateway.call("GET", "/healthz").status)
    return section
