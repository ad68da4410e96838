"""The second step: an app for one-time codes and recovery codes, and what cannot be done without them."""

from __future__ import annotations

import secrets

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings

from retinue.server.console import rules
from retinue.server.ledger.queries import latest
from tests.console.browser import Browser, without_token
from tests.console.devices import code, second_step, set_up_app
from tests.console.people import Person, disable


@pytest.fixture
def app(signed_in: Browser, person: Person) -> tuple[str, list[str]]:
    """The secret of an app that ``person`` has set up, and the recovery codes."""
    return set_up_app(signed_in)


def _events(person: Person) -> list[str]:
    return [event.type for event in latest(person.principal.organization_id, 20)]


def _half(person: Person) -> Browser:
    """A browser in which the right password was entered, and nothing else."""
    browser = Browser()
    answer = browser.sign_in(person.email, person.password)
    assert (302, "/login/second/") == (answer.status_code, answer["Location"])
    return browser


def test_code_opens_the_session(app: tuple[str, list[str]], person: Person) -> None:
    """
    After the password the code is asked for; with it the session opens, and the audit log says by what.
    """
    browser = _half(person)
    answer = second_step(browser, code=code(app[0], 1))

    assert (302, "/") == (answer.status_code, answer["Location"])
    assert person.email in browser.get("/").content.decode()
    opened = next(e for e in latest(person.principal.organization_id, 20) if e.type == "session.opened")
    assert "password+totp" == opened.after["method"]
    assert {"factor.added", "recovery_codes.issued"} <= set(_events(person))


def test_code_works_once(app: tuple[str, list[str]], person: Person) -> None:
    """
    The code that set the app up signs nobody in, nor does one that has signed in before.
    """
    later = code(app[0], 1)
    first, again, begun = _half(person), _half(person), _half(person)

    assert 200 == second_step(begun, code=code(app[0])).status_code
    assert 302 == second_step(first, code=later).status_code
    assert "This code is wrong, or was used already." in without_token(second_step(again, code=later))
    assert again.get("/").status_code == begun.get("/").status_code == 302


def test_half_signed_in_reaches_nothing(app: tuple[str, list[str]], person: Person) -> None:
    """
    With the password alone every page leads to the sign-in page, and no form changes anything.
    """
    browser, handle = _half(person), person.principal.organization.handle
    pages = (
        "/",
        f"/o/{handle}/accounts",
        f"/o/{handle}/me/tokens",
        "/me/security/",
        "/me/sessions/",
        "/confirm/",
    )
    token = browser.form_token("/login/second/")
    posts = ("/me/security/app/remove", "/me/security/codes", "/me/sessions/end", f"/o/{handle}/accounts/new")

    for path in pages:
        assert browser.get(path)["Location"].startswith("/login/?next="), path
    for path in posts:
        assert browser.post(path, {"csrfmiddlewaretoken": token})["Location"].startswith("/login/"), path
    assert Authenticator.objects.filter(user__email=person.email, type="totp").exists()


def test_key_of_the_session_changes_at_each_step(app: tuple[str, list[str]], person: Person) -> None:
    """
    A key that was planted before is not the half-open session, and that one is not the open session.
    """
    from retinue.server.console.store import SessionStore

    planted = SessionStore()
    planted["seen"] = True
    planted.create()
    browser = Browser()
    browser.client.cookies[settings.SESSION_COOKIE_NAME] = str(planted.session_key)
    browser.sign_in(person.email, person.password)
    half = browser.session
    second_step(browser, code=code(app[0], 1))
    thief = Browser()
    thief.client.cookies[settings.SESSION_COOKIE_NAME] = str(half)

    assert 3 == len({planted.session_key, half, browser.session})
    assert 302 == thief.get("/").status_code == thief.get("/login/second/").status_code
    assert 200 == browser.get("/").status_code


def test_guessing_ends(app: tuple[str, list[str]], person: Person) -> None:
    """
    After five wrong codes the right one has to wait too, also after the password was entered again.
    """
    browser = _half(person)
    wrong = [second_step(browser, code="000000") for _ in range(5)]
    late = second_step(browser, code=code(app[0], 1))
    again = second_step(_half(person), code=code(app[0], 1))

    assert {200} == {each.status_code for each in wrong}
    assert (429, True) == (late.status_code, "Retry-After" in late)
    assert 429 == again.status_code
    assert {"factor", "rate_limited"} <= {
        event.after["cause"]
        for event in latest(person.principal.organization_id, 20)
        if event.type == "session.refused"
    }


def test_guessing_from_everywhere_ends(
    app: tuple[str, list[str]], person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    So many wrong codes for one person (20; here fewer) stop the next one, whatever network it comes from.
    """
    assert 20 == rules.MOST_OF_PERSON
    monkeypatch.setattr(rules, "MOST_OF_PERSON", 6)
    for _ in range(6):
        browser = Browser(address=f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1")
        browser.sign_in(person.email, person.password)
        second_step(browser, code="000000")
    other = Browser(address="198.51.100.77")
    other.sign_in(person.email, person.password)

    assert 429 == second_step(other, code=code(app[0], 1)).status_code


def test_recovery_code_works_once(app: tuple[str, list[str]], person: Person) -> None:
    """
    Each of ten codes signs in once, with or without its spaces; how many are left is written down.
    """
    first, second, third = _half(person), _half(person), _half(person)

    assert 10 == len(set(app[1]))
    assert 302 == second_step(first, code=app[1][0]).status_code
    assert 200 == second_step(second, code=app[1][0]).status_code
    assert 302 == second_step(third, code=app[1][1].replace(" ", "")).status_code
    used = [e for e in latest(person.principal.organization_id, 20) if e.type == "recovery_codes.used"]
    assert [8, 9] == [event.after["left"] for event in used]
    assert "8 left" in third.text("/me/security/")


def test_disabled_between_the_steps(app: tuple[str, list[str]], person: Person) -> None:
    """
    Who is disabled after the password begins anew, and nothing is opened.
    """
    browser = _half(person)
    token = browser.form_token("/login/second/")
    disable(person)
    answer = browser.post("/login/second/", {"csrfmiddlewaretoken": token, "code": code(app[0], 1)})

    assert (302, "/login/") == (answer.status_code, answer["Location"])
    assert 302 == browser.get("/").status_code


@pytest.mark.one_database
@pytest.mark.parametrize("sent", ["", "1" * 500, "１２３４５６", "' OR 1=1", "\x00", "-1"])
def test_no_text_is_a_code(app: tuple[str, list[str]], person: Person, sent: str) -> None:
    """
    What is no code is refused like a wrong one.
    """
    assert 200 == second_step(_half(person), code=sent).status_code


def test_form_of_another_site_is_refused(app: tuple[str, list[str]], person: Person) -> None:
    """
    The second step and changes need the form's token, and are refused where the browser says that they come
    from elsewhere.
    """
    browser = _half(person)
    right = {"csrfmiddlewaretoken": browser.form_token("/login/second/"), "code": code(app[0], 1)}

    assert 403 == browser.post("/login/second/", {"code": right["code"]}).status_code
    assert 403 == browser.post("/login/second/", right, **{"sec-fetch-site": "cross-site"}).status_code
    assert 302 == browser.post("/login/second/", right).status_code


def test_second_factor_is_set_up_first_where_it_is_required(
    browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Where the installation requires one, a password opens the page to set it up and no other, until it is there.
    """
    from dataclasses import replace

    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, second_factor="required"))
    browser.sign_in(person.email, person.password)
    handle = person.principal.organization.handle
    held = [browser.get(path)["Location"] for path in ("/", f"/o/{handle}/accounts", "/me/sessions/")]
    shown = browser.text("/me/security/")
    set_up_app(browser)

    assert ["/me/security/"] * 3 == held
    assert "until then no other page opens" in shown
    assert 200 == browser.get("/").status_code
    browser.fill("/me/security/", "/me/security/app/remove")
    assert "/me/security/" == browser.get("/")["Location"]
