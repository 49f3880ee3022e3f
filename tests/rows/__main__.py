import argparse
import os
import time

import django

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.rows", description="Fill a database with rows.")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=5_000)
    asked = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio_gateway.settings")
    django.setup()
    from django.core.management import call_command

    from tests.rows import fill

    call_command("migrate", verbosity=0)
    begun = time.monotonic()
    fill(jobs=asked.jobs, clients=asked.clients)
    print(f"{asked.jobs} jobs of {asked.clients} clients in {time.monotonic() - begun:.0f} s")
