"""Passkeys: set up, used as the second step and alone, and every way in which what they sign may be false."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from retinue.server.ledger.queries import latest
from tests.console.browser import Browser, token_on, without_token
from tests.console.devices import Passkey, codes_on, options_on
from tests.console.people import Person, colleague, disable

HOST = "localhost:8470"
ORIGIN = f"http://{HOST}"
NEW = "/me/security/passkeys/new/"


@pytest.fixture
def at_home(person: Person) -> Browser:
    """A browser in which ``person`` has signed in, under a name."""
    browser = Browser(HOST)
    browser.sign_in(person.email, person.password)
    return browser


def _add(browser: Browser, passkey: Passkey, name: str = "Laptop") -> Any:
    token, asked = browser.form_token(NEW), options_on(browser.get(NEW))
    return browser.post(NEW, {"csrfmiddlewaretoken": token, "name": name, "credential": passkey.make(asked)})


@pytest.fixture
def passkey(at_home: Browser) -> Passkey:
    """A passkey that ``person`` has set up."""
    made = Passkey(ORIGIN)
    assert 200 == _add(at_home, made).status_code
    return made


def _asked(browser: Browser) -> dict[str, Any]:
    answer = browser.get("/login/passkey/")
    assert answer.status_code == 200
    asked: dict[str, Any] = json.loads(answer.content)["publicKey"]
    return asked


def _alone(browser: Browser, credential: str, **fields: str) -> Any:
    token = browser.form_token()
    return browser.post("/login/passkey/", {"csrfmiddlewaretoken": token, "credential": credential, **fields})


def test_passkey_signs_in_alone(passkey: Passkey, person: Person) -> None:
    """
    Without a password: the passkey says who it is, the session opens on the page that was asked for.
    """
    browser = Browser(HOST)
    answer = _alone(browser, passkey.use(_asked(browser)), next="/me/sessions/")
    opened = [e for e in latest(person.principal.organization_id, 20) if e.type == "session.opened"]

    assert (302, "/me/sessions/") == (answer.status_code, answer["Location"])
    assert person.email in browser.get("/").content.decode()
    assert "passkey" == opened[0].after["method"]


def test_passkey_is_the_second_step(passkey: Passkey, person: Person) -> None:
    """
    After the password the passkey is asked for, and opens the session.
    """
    browser = Browser(HOST)
    half = browser.sign_in(person.email, person.password)
    page = browser.get("/login/second/")
    signed = {"csrfmiddlewaretoken": token_on(page), "credential": passkey.use(options_on(page))}
    answer = browser.post("/login/second/", signed)

    assert "/login/second/" == half["Location"]
    assert (302, "/") == (answer.status_code, answer["Location"])
    assert 200 == browser.get("/").status_code


def test_first_passkey_brings_recovery_codes(at_home: Browser, person: Person) -> None:
    """
    They are shown with the first; a second passkey brings none, and both stand on the page by name.
    """
    first, second = _add(at_home, Passkey(ORIGIN), "Laptop"), _add(at_home, Passkey(ORIGIN), "Key ring")
    page = at_home.text("/me/security/")

    assert 10 == len(codes_on(first))
    assert (303, []) == (second.status_code, codes_on(second))
    assert "Laptop" in page
    assert "Key ring" in page
    assert 2 == sum(e.type == "factor.added" for e in latest(person.principal.organization_id, 20))


def test_passkey_confirms(passkey: Passkey, at_home: Browser) -> None:
    """
    Who is signed in shows once more who it is with a passkey, and goes on.
    """
    page = at_home.get("/confirm/?next=/me/sessions/")
    signed = {"credential": passkey.use(options_on(page)), "next": "/me/sessions/"}
    answer = at_home.post("/confirm/", {"csrfmiddlewaretoken": token_on(page), **signed})

    assert (302, "/me/sessions/") == (answer.status_code, answer["Location"])


def test_passkey_is_renamed_and_removed(passkey: Passkey, at_home: Browser, person: Person) -> None:
    """
    It has another name afterwards; removed, it signs nobody in, and the recovery codes are gone with the last.
    """
    row = Authenticator.objects.get(user__email=person.email, type="webauthn")
    at_home.fill("/me/security/", f"/me/security/passkeys/{row.pk}/rename", name="Old <b>laptop</b>")
    page = at_home.text("/me/security/")
    at_home.fill("/me/security/", f"/me/security/passkeys/{row.pk}/remove")
    browser = Browser(HOST)
    answer = _alone(browser, passkey.use(_asked(browser)))

    assert "Old &lt;b&gt;laptop&lt;/b&gt;" in page
    assert not Authenticator.objects.filter(user__email=person.email).exists()
    assert answer["Location"].startswith("/login/?refused=passkey")
    assert {"factor.renamed", "factor.removed"} <= {
        e.type for e in latest(person.principal.organization_id, 20)
    }


def test_passkey_of_another_is_not_found(passkey: Passkey, person: Person) -> None:
    """
    A colleague can neither rename nor remove it.
    """
    row = Authenticator.objects.get(user__email=person.email, type="webauthn")
    other = colleague(person, "grace")
    browser = Browser(HOST)
    browser.sign_in(other.email, other.password)
    answers = [
        browser.fill("/me/security/", f"/me/security/passkeys/{row.pk}/{act}", name="mine")
        for act in ("rename", "remove")
    ]

    assert [404, 404] == [each.status_code for each in answers]
    assert "Laptop" == Authenticator.objects.get(pk=row.pk).data["name"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    "wrong",
    ["origin", "subdomain", "port", "challenge", "key", "user", "replay", "unverified", "text", "list"],
)
def test_what_is_false_opens_nothing(passkey: Passkey, person: Person, wrong: str) -> None:
    """
    Signed on another origin, also of a subdomain or port, over another or a used challenge, by another key, for
    another person, without finger or PIN, or no answer of a passkey at all.
    """
    browser = Browser(HOST)
    asked = _asked(browser)
    sent = passkey.use(asked)
    if wrong == "origin":
        passkey.origin = "https://evil.example"
    elif wrong == "subdomain":
        passkey.origin = f"http://evil.{HOST}"
    elif wrong == "port":
        passkey.origin = "http://localhost:9999"
    elif wrong == "challenge":
        asked = {**asked, "challenge": "AAAA"}
    elif wrong == "key":
        passkey.key = Passkey(ORIGIN).key
    elif wrong == "user":
        passkey.user = "AA"
    elif wrong == "unverified":
        passkey.verifies = False
    if wrong == "replay":
        assert 302 == _alone(browser, sent).status_code
        assert 200 == browser.get("/").status_code
        browser.fill("/logout/")
    else:
        sent = {"text": "none", "list": "[1]"}.get(wrong) or passkey.use(asked)
    answer = _alone(browser, sent)

    assert (302, True) == (answer.status_code, answer["Location"].startswith("/login/?refused=passkey"))
    assert 302 == browser.get("/").status_code
    assert "This passkey did not match." in without_token(browser.get(answer["Location"]))


@pytest.mark.one_database
@pytest.mark.parametrize("wrong", ["origin", "challenge", "text"])
def test_what_is_false_is_not_set_up(at_home: Browser, person: Person, wrong: str) -> None:
    """
    A new passkey that was made elsewhere, or for another challenge, is not kept.
    """
    made = Passkey("https://evil.example" if wrong == "origin" else ORIGIN)
    token, asked = at_home.form_token(NEW), options_on(at_home.get(NEW))
    asked = {**asked, "challenge": "AAAA"} if wrong == "challenge" else asked
    sent = '{"id": 1}' if wrong == "text" else made.make(asked)
    answer = at_home.post(NEW, {"csrfmiddlewaretoken": token, "name": "x", "credential": sent})

    assert 200 == answer.status_code
    assert "This passkey did not match." in answer.content.decode()
    assert not Authenticator.objects.filter(user__email=person.email).exists()


def test_disabled_person_has_no_passkey(passkey: Passkey, person: Person) -> None:
    """
    The passkey of a disabled user opens nothing.
    """
    disable(person)
    browser = Browser(HOST)
    answer = _alone(browser, passkey.use(_asked(browser)))

    assert answer["Location"].startswith("/login/?refused=passkey")
    assert 302 == browser.get("/").status_code


@pytest.mark.one_database
@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", r"/\evil.example"])
def test_passkey_leads_nowhere_else(passkey: Passkey, target: str) -> None:
    """
    After a passkey, too, one gets to a page of this server alone.
    """
    browser = Browser(HOST)

    assert "/" == _alone(browser, passkey.use(_asked(browser)), next=target)["Location"]


def test_address_has_no_passkeys(signed_in: Browser) -> None:
    """
    Under an address instead of a name none is offered, and the page says why.
    """
    assert "Passkeys belong to a name." in signed_in.text(NEW)
    assert "passkey-ask" not in Browser().text("/login/")
