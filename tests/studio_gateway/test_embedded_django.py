"""Django on the embedded PostgreSQL: started by the first connection, forked, with test databases."""

import subprocess
import sys
from pathlib import Path

from tests.studio_gateway.conftest import ROOT, server_of

DJANGO = """
import os, sys
import django
from django.conf import settings
from django.core.management import call_command
settings.configure(DATABASES={"default": {
    "ENGINE": "studio_gateway.embedded", "NAME": "studio", "HOST": sys.argv[1],
}}, USE_TZ=True)
django.setup()
from django.db import connection
def ask(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]
"""


def django(data_dir: Path, script: str) -> str:
    """Run a script with Django set up; return what it printed. It must say nothing else, and leave nothing behind."""
    command = [sys.executable, "-W", "error", "-c", DJANGO + script, str(data_dir)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (run.returncode, run.stderr) == (0, "")
    assert server_of(data_dir) == []
    return run.stdout


def test_django_starts_it_with_the_first_connection_only(place: Path) -> None:
    data_dir = place / "var"
    assert "no issues" in django(data_dir, "call_command('check')")
    assert not data_dir.exists()
    script = "print(ask('SELECT current_database()')); connection.close(); print(ask('SELECT 2'))"
    assert django(data_dir, script) == "studio\n2\n"


def test_django_makes_test_databases_and_opens_a_shell(data_dir: Path) -> None:
    script = """
name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
print(name, ask("SELECT current_database()"))
connection.creation.destroy_test_db("studio", verbosity=0)
sys.stdout.flush()
call_command("dbshell", "--", "--no-psqlrc", "-Atc", "SELECT current_database()")
"""
    assert django(data_dir, script) == "test_studio test_studio\nstudio\n"


def test_django_connects_in_forked_workers(data_dir: Path) -> None:
    script = """
import multiprocessing
def work(n):
    return ask(f"SELECT {n}")
ask("SELECT 1")
connection.close()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(sum(pool.map(work, range(10))))
    pool.close()
    pool.join()
print(ask("SELECT 3"))
"""
    assert django(data_dir, script) == "45\n3\n"
