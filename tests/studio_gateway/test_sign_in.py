"""Who may sign in to the console, how often they may get it wrong, and how long it lasts."""

from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models.functions import Now

from studio_gateway import sign_in
from studio_gateway.models import SignInCount
from tests.gateway import Gateway
from tests.helpers import together
from tests.http_client import HttpClient as Browser

PASSWORD = "correct horse"
QUICK = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada(db, settings) -> None:
    settings.PASSWORD_HASHERS = QUICK
    get_user_model().objects.create_superuser("ada", password=PASSWORD)


def sign_in_as(name: str, password: str, *, browser: Browser | None = None, address: str = "192.0.2.1") -> int:
    answer = (browser or Browser()).post(
        "/admin/login/", {"username": name, "password": password, "next": "/admin/"}, REMOTE_ADDR=address
    )
    assert (answer.status_code == 429) == (b"Too many wrong passwords" in answer.content)
    return answer.status_code


def wait_is_over() -> None:
    SignInCount.objects.update(forgotten_at=Now() - timedelta(seconds=1))


def test_after_five_wrong_passwords_no_sixth_is_looked_at_and_not_the_right_one_either(ada: None):
    assert [sign_in_as("ada", "wrong") for _ in range(6)] == [200] * 5 + [429]
    browser = Browser()
    answer = browser.post("/admin/login/", {"username": "ada", "password": PASSWORD}, REMOTE_ADDR="192.0.2.1")
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    assert "Try again in 15 minutes." in answer.content.decode()
    assert browser.get("/admin/").status_code == 302
    wait_is_over()
    assert sign_in_as("ada", PASSWORD) == 302


def test_one_who_is_held_off_holds_nobody_else_off(ada: None):
    get_user_model().objects.create_superuser("grace", password=PASSWORD)
    for _ in range(6):
        sign_in_as("ada", "wrong")
    assert sign_in_as("ada", PASSWORD) == 429
    assert sign_in_as("grace", PASSWORD) == 302
    assert sign_in_as("ada", PASSWORD, address="192.0.2.2") == 302


def test_a_sign_in_forgets_the_tries_before_it(ada: None):
    for _ in range(3):
        assert [sign_in_as("ada", "wrong") for _ in range(4)] == [200] * 4
        assert sign_in_as("ada", PASSWORD) == 302


@pytest.mark.parametrize(
    ("address", "neighbour", "stranger"),
    [("192.0.2.1", "192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1")],
)
def test_many_names_from_one_place_are_held_off_together(ada: None, address: str, neighbour: str, stranger: str):
    tried = [sign_in_as(f"name-{number}", "wrong", address=address) for number in range(sign_in.PER_PLACE + 1)]
    assert tried == [200] * sign_in.PER_PLACE + [429]
    assert sign_in_as("ada", PASSWORD, address=neighbour) == 429
    assert sign_in_as("ada", PASSWORD, address=stranger) == 302


def test_the_place_is_the_clients_and_not_the_proxys(ada: None, settings):
    settings.TRUSTED_PROXIES = [ip_network("192.0.2.1")]

    def attempt(forwarded: str, password: str = "wrong") -> int:
        sent = {"username": "ada", "password": password}
        headers = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": forwarded}
        return Browser().post("/admin/login/", sent, **headers).status_code

    assert [attempt("198.51.100.1") for _ in range(6)][-1] == 429
    # What a client puts before its own address is not believed.
    assert attempt("203.0.113.9, 198.51.100.1", PASSWORD) == 429
    assert attempt("198.51.100.2", PASSWORD) == 302


def test_of_thirty_at_once_no_more_are_looked_at_than_of_thirty_in_turn(own_database: str, settings):
    settings.PASSWORD_HASHERS = QUICK
    get_user_model().objects.create_superuser("ada", password=PASSWORD)
    answers = together(*[lambda: sign_in_as("ada", "wrong")] * 30)
    assert sorted(answers) == [200] * sign_in.PER_NAME + [429] * 25


def test_the_counts_hold_for_every_web_process(gateway: Gateway, settings):
    settings.PASSWORD_HASHERS = QUICK
    try:
        for _ in range(5):
            assert sign_in_as("nobody", "wrong", address="127.0.0.1") == 200
        token = gateway.call("GET", "/admin/login/").headers["Set-Cookie"].split(";")[0]
        form = {"username": "nobody", "password": "wrong", "csrfmiddlewaretoken": token.partition("=")[2]}
        headers = {"Cookie": token, "Content-Type": "application/x-www-form-urlencoded"}
        assert gateway.call("POST", "/admin/login/", urlencode(form).encode(), headers=headers).status == 429
    finally:
        SignInCount.objects.all().delete()


def test_nothing_that_was_typed_is_kept(ada: None):
    sign_in_as("hunter2", "swordfish")
    kept = str(list(SignInCount.objects.values()))
    assert SignInCount.objects.count() == 2
    assert "hunter2" not in kept
    assert "swordfish" not in kept


def test_hostile_names_are_counted_like_others(ada: None):
    for name in ("\0", "x" * 10_000, "'; DROP TABLE auth_user; --", ""):
        assert sign_in_as(name, "wrong") == 200


def test_a_pause_begins_when_the_last_try_is_used_up(ada: None):
    sign_in_as("ada", "wrong")
    # The quarter of an hour of the first try is nearly over.
    SignInCount.objects.update(forgotten_at=Now() + timedelta(minutes=1))
    for _ in range(4):
        sign_in_as("ada", "wrong")
    full, begun = SignInCount.objects.order_by("-forgotten_at")
    assert full.forgotten_at - begun.forgotten_at > timedelta(minutes=13)


def test_a_sign_in_makes_a_new_session_and_a_sign_out_ends_it(ada: None):
    browser = Browser()
    browser.cookies["sessionid"] = "planted"
    assert sign_in_as("ada", PASSWORD, browser=browser) == 302
    key = browser.cookies["sessionid"].value
    assert key != "planted"
    assert browser.get("/admin/logout/").status_code == 405
    assert browser.get("/admin/").status_code == 200
    assert browser.post("/admin/logout/").status_code == 200
    assert not Session.objects.filter(pk=key).exists()


def test_a_session_ends_by_itself_within_the_day(ada: None):
    browser = Browser()
    sign_in_as("ada", PASSWORD, browser=browser)
    assert browser.cookies["sessionid"]["max-age"] == 12 * 3600
    Session.objects.update(expire_date=Now())
    assert browser.get("/admin/").status_code == 302


def test_prune_forgets_what_is_over_and_nothing_else(ada: None, storage):
    ended, lasting = Browser(), Browser()
    for browser in (ended, lasting):
        sign_in_as("ada", PASSWORD, browser=browser)
    Session.objects.filter(pk=ended.cookies["sessionid"].value).update(expire_date=Now() - timedelta(days=1))
    sign_in_as("ada", "wrong")
    SignInCount.objects.filter(pk=sign_in._key("192.0.2.1", "ada")).update(forgotten_at=Now() - timedelta(days=1))
    call_command("prune", verbosity=0)
    assert Session.objects.get().pk == lasting.cookies["sessionid"].value
    assert SignInCount.objects.get().pk == sign_in._key("192.0.2.1")
