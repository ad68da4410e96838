"""A terminal signs in by a code: who gets a session, which one, and who does not."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from retinue.server.credentials import device
from retinue.server.credentials.models import Credential, DeviceSignIn
from retinue.server.ledger.queries import latest
from retinue.token import Kind
from tests.console.browser import HERE, HOST, Browser
from tests.console.people import Person, disable, make_person

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT = {"client_id": "retinue-cli"}


def send(path: str, form: dict[str, str], address: str | None = None) -> tuple[int, dict[str, Any]]:
    """Send a form as a terminal does."""
    answer = Client(REMOTE_ADDR=address or HERE[0]).post(
        f"/v1/oauth/{path}",
        data="&".join(f"{name}={value}" for name, value in form.items()),
        content_type="application/x-www-form-urlencoded",
        headers={"host": HOST},
    )
    return answer.status_code, json.loads(answer.content)


def begin(**more: str) -> dict[str, Any]:
    """Ask for a code."""
    status, told = send("device", {**CLIENT, "client_name": "build-7.acme", **more})
    assert 200 == status, told
    return told


def collect(told: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Ask for the session."""
    return send("token", {**CLIENT, "grant_type": GRANT, "device_code": told["device_code"]})


def decide(browser: Browser, told: dict[str, Any], decision: str, **more: str) -> str:
    """Enter the code and decide; return the page."""
    fields = {"code": told["user_code"], "decision": decision, "same": "yes", **more}
    return str(browser.fill("/device/", **fields).content.decode())


def tokens_of(person: Person) -> list[Credential]:
    """The personal access tokens of a person."""
    return list(Credential.objects.filter(principal=person.principal, kind=Kind.PERSONAL.value))


def test_a_person_grants_a_session(signed_in: Browser, person: Person) -> None:
    """
    Entered by who is signed in, the code gives its terminal a token of that person, for 12 hours; once.
    """
    told = begin()
    waiting = collect(told)
    asked = signed_in.fill("/device/", code=told["user_code"].lower()).content.decode()
    page = decide(signed_in, told, "grant")
    status, granted = collect(told)
    again = collect(told)
    (made,) = tokens_of(person)

    assert (400, "authorization_pending") == (waiting[0], waiting[1]["error"])
    assert all(text in asked for text in (told["pairing_words"], "build-7.acme", HERE[0], person.email))
    assert "signed in" in page
    assert (200, "Bearer", made.kid) == (status, granted["token_type"], granted["access_token"].split("_")[1])
    assert 12 * 3600 - 60 < granted["expires_in"] <= 12 * 3600
    assert ("CLI on build-7.acme", person.principal.id) == (made.name, made.issued_by)
    assert (400, "invalid_grant") == (again[0], again[1]["error"])


def test_both_acts_are_in_the_audit_log(signed_in: Browser, person: Person) -> None:
    """
    That a person granted it, on the console and for whom; and the token, issued by that person to a terminal.
    """
    told = begin()
    decide(signed_in, told, "grant")
    collect(told)
    issued, granted = latest(person.principal.organization_id, 2)

    assert ("pat.issued", "api", person.principal.id) == (issued.type, issued.channel, issued.actor)
    assert ("device_sign_in.granted", "console") == (granted.type, granted.channel)


def test_refused_gets_nothing(signed_in: Browser, person: Person) -> None:
    """
    Who refuses ends it: the terminal learns so, and the code is good for nothing.
    """
    told = begin()
    decide(signed_in, told, "deny")
    status, answer = collect(told)
    later = decide(signed_in, told, "grant")

    assert (400, "access_denied", []) == (status, answer["error"], tokens_of(person))
    assert "No terminal waits" in later
    assert "device_sign_in.denied" == latest(person.principal.organization_id, 1)[0].type


@pytest.mark.parametrize(("decision", "same"), [("grant", ""), ("yes", "yes"), ("", "yes")])
def test_words_must_be_compared(signed_in: Browser, decision: str, same: str) -> None:
    """
    Without the mark that the words are the same, or a decision, nothing is granted.
    """
    told = begin()
    decide(signed_in, told, decision, same=same)

    assert "authorization_pending" == collect(told)[1]["error"]


def test_page_warns_of_another_address(signed_in: Browser) -> None:
    """
    A code that was asked for elsewhere says so; the page warns of codes that somebody sent in any case.
    """
    told = begin()
    DeviceSignIn.objects.filter(words=told["pairing_words"]).update(address="203.0.113.9")
    page = signed_in.fill("/device/", code=told["user_code"]).content.decode()

    assert "another address than yours" in page
    assert "If somebody sent you the code" in page


def test_only_who_is_signed_in(browser: Browser) -> None:
    """
    The page leads a stranger to the sign-in page.
    """
    answer = browser.get("/device/")

    assert (302, True) == (answer.status_code, answer["Location"].startswith("/login/"))


def test_a_code_ends_with_its_time(signed_in: Browser, person: Person) -> None:
    """
    After ten minutes neither side of it works, granted or not.
    """
    told, granted = begin(), begin()
    decide(signed_in, granted, "grant")
    DeviceSignIn.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    page = decide(signed_in, told, "grant")

    assert "No terminal waits" in page
    assert ["expired_token", "expired_token"] == [collect(each)[1]["error"] for each in (told, granted)]
    assert [] == tokens_of(person)


def test_impatience_is_told_to_slow_down() -> None:
    """
    Who asks at once again is told to slow down.
    """
    told = begin()

    assert ["authorization_pending", "slow_down"] == [collect(told)[1]["error"] for _ in range(2)]


def test_a_session_that_reads(signed_in: Browser, person: Person) -> None:
    """
    With the scope `read` the session is narrowed to methods that change nothing, and the page says so.
    """
    told = begin(scope="read")
    page = signed_in.fill("/device/", code=told["user_code"]).content.decode()
    decide(signed_in, told, "grant")
    collect(told)

    assert "read, and change nothing" in page
    assert ["GET", "HEAD"] == tokens_of(person)[0].restrictions["methods"]


def test_same_host_twice(signed_in: Browser, person: Person) -> None:
    """
    Two sessions of one host are two tokens with two names.
    """
    for _ in range(2):
        told = begin()
        decide(signed_in, told, "grant")
        assert 200 == collect(told)[0]

    assert 2 == len({each.name for each in tokens_of(person)})


def test_who_was_disabled_meanwhile(signed_in: Browser, person: Person) -> None:
    """
    Between the grant and the token the person was disabled: there is no token.
    """
    told = begin()
    decide(signed_in, told, "grant")
    disable(person)

    assert (400, "access_denied", []) == (*_told(collect(told)), tokens_of(person))


def test_who_may_hold_no_tokens(browser: Browser) -> None:
    """
    Who lacks `pat:issue` learns it on the page, and the terminal waits on.
    """
    auditor = make_person(roles=("auditor",))
    browser.sign_in(auditor.email, auditor.password)
    told = begin()
    page = decide(browser, told, "grant")

    assert "pat:issue" in page
    assert "authorization_pending" == collect(told)[1]["error"]


def test_codes_are_kept_as_digests(signed_in: Browser) -> None:
    """
    No row holds the device code, nor the one that people enter.
    """
    told = begin()
    row = DeviceSignIn.objects.get(words=told["pairing_words"])
    kept = b" ".join(str(getattr(row, field.name)).encode() for field in row._meta.fields)
    kept += bytes(row.device_digest) + bytes(row.user_digest)

    assert told["device_code"].encode() not in kept
    assert told["user_code"].replace("-", "").encode() not in kept


@pytest.mark.parametrize(
    ("path", "form", "error"),
    [
        ("device", {"client_id": "other", "client_name": "x"}, "unauthorized_client"),
        ("device", {**CLIENT}, "invalid_request"),
        ("device", {**CLIENT, "client_name": "%3Cb%3E"}, "invalid_request"),
        ("device", {**CLIENT, "client_name": "x" * 65}, "invalid_request"),
        ("device", {**CLIENT, "client_name": "x", "scope": "all"}, "invalid_scope"),
        ("token", {"grant_type": GRANT, "device_code": "x" * 43}, "unauthorized_client"),
        ("token", {**CLIENT, "grant_type": GRANT}, "invalid_grant"),
        ("token", {**CLIENT, "grant_type": GRANT, "device_code": "x" * 43}, "invalid_grant"),
    ],
)
def test_mistakes(server_database: str, path: str, form: dict[str, str], error: str) -> None:
    """
    Each mistake has its error of OAuth, and nothing is kept of it.
    """
    before = DeviceSignIn.objects.count()

    assert (400, error) == _told(send(path, form))
    assert before == DeviceSignIn.objects.count()


def test_guesses_are_limited(signed_in: Browser) -> None:
    """
    After twenty codes in five minutes no more are looked up for that person.
    """
    answers = [
        signed_in.fill("/device/", code=f"BCDF-{secrets.choice('GHJK')}LMN").status_code for _ in range(21)
    ]

    assert [200] * 20 + [429] == answers


def test_askers_are_limited(server_database: str) -> None:
    """
    After thirty codes in five minutes a network gets no more.
    """
    statuses = [send("device", {**CLIENT, "client_name": "x"})[0] for _ in range(31)]

    assert [200] * 30 + [429] == statuses


def test_at_most_so_many_wait(server_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many addresses ask, the table stays small; what goes has waited longest in the network that asks most.
    """
    DeviceSignIn.objects.all().delete()
    monkeypatch.setattr(device, "PENDING_MOST", 4)
    asking = ["192.0.2.1", *(f"198.51.100.{n}" for n in range(1, 9)), "203.0.113.1"]
    told = [send("device", {**CLIENT, "client_name": "x"}, address)[1] for address in asking]
    stay = {told[n]["pairing_words"] for n in (0, 7, 8, 9)}

    assert stay == set(DeviceSignIn.objects.filter(state="pending").values_list("words", flat=True))
    assert [(400, "authorization_pending"), (400, "invalid_grant")] == [
        _told(collect(told[n])) for n in (0, 1)
    ]


def test_old_ones_go(server_database: str) -> None:
    """
    What is over for a day is deleted; what waits stays.
    """
    old, told = begin(), begin()
    DeviceSignIn.objects.filter(words=old["pairing_words"]).update(
        expires_at=timezone.now() - timedelta(days=2)
    )
    device.prune(timezone.now(), 1000)

    assert [False, True] == [
        DeviceSignIn.objects.filter(words=each["pairing_words"]).exists() for each in (old, told)
    ]


def _told(answer: tuple[int, dict[str, Any]]) -> tuple[int, Any]:
    return answer[0], answer[1].get("error")
