"""What people change about how they sign in, and how it is kept."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import connection

from retinue.server.console import sessions
from retinue.server.directory.queries import Login
from retinue.server.ledger.queries import latest
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.devices import code, codes_on, second_step, secret_on, set_up_app
from tests.console.people import Person


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


def test_new_codes_end_the_ones_before(
    app: tuple[str, list[str]], signed_in: Browser, person: Person
) -> None:
    """
    New recovery codes are shown in the answer alone; the ones before are worth nothing.
    """
    made = codes_on(signed_in.fill("/me/security/", "/me/security/codes"))
    page = signed_in.text("/me/security/")

    assert 10 == len(made)
    assert not set(made) & set(app[1])
    assert not [each for each in made if each in page]
    assert 200 == second_step(_half(person), code=app[1][0]).status_code
    assert 302 == second_step(_half(person), code=made[0]).status_code


def test_secrets_are_sealed(signed_in: Browser, person: Person) -> None:
    """
    Neither a secret that is being set up, nor one in use, nor a recovery code stands in the database as it is.
    """
    page = signed_in.get("/me/security/app/").content.decode()
    secret = secret_on(page)
    before = _everything()
    token = signed_in.form_token("/me/security/app/")
    secret = secret_on(signed_in.get("/me/security/app/").content.decode())
    codes = codes_on(
        signed_in.post("/me/security/app/", {"csrfmiddlewaretoken": token, "code": code(secret)})
    )
    after = _everything()

    assert secret not in before + after
    assert codes
    assert not [each for each in codes if each.replace(" ", "") in after]


def _everything() -> str:
    from retinue.server.console.store import SessionStore
    from retinue.server.directory.queries import BrowserSession

    rows = [repr(SessionStore().decode(row.session_data)) for row in BrowserSession.objects.all()]
    return "".join(rows) + repr(list(Authenticator.objects.values("data")))


def test_browser_has_the_only_key_of_a_session(signed_in: Browser) -> None:
    """
    The database holds a digest of the key: who reads it has nothing to put into a cookie.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_key FROM directory_browsersession")
        kept = {row[0] for row in cursor.fetchall()}
    thief = Browser()
    for key in list(kept)[:5]:
        thief.client.cookies[settings.SESSION_COOKIE_NAME] = key
        assert 302 == thief.get("/").status_code

    assert signed_in.session not in kept


def test_app_is_removed_after_a_recent_sign_in_alone(
    app: tuple[str, list[str]], signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Sixteen minutes after the sign-in the app is not removed, nor new codes made, nor the password changed; after
    the code was shown once more it is, and the password alone signs in again.
    """
    now = sessions.wall_clock
    store = _store(signed_in)
    store[sessions.SIGNED_IN_AT] = now() - 16 * 60
    store.save()
    refused = [
        signed_in.fill("/me/security/", path)["Location"]
        for path in ("/me/security/app/remove", "/me/security/codes")
    ]
    there = Authenticator.objects.filter(user__email=person.email).count()
    shown = signed_in.get("/me/security/password/")["Location"]
    signed_in.fill("/confirm/", code=code(app[0], 1))
    gone = signed_in.fill("/me/security/", "/me/security/app/remove")

    assert ["/confirm/?next=%2Fme%2Fsecurity%2F"] * 2 == refused
    assert "/confirm/?next=%2Fme%2Fsecurity%2Fpassword%2F" == shown
    assert 2 == there
    assert 303 == gone.status_code
    assert not Authenticator.objects.filter(user__email=person.email).exists()
    assert "/" == Browser().sign_in(person.email, person.password)["Location"]
    assert "factor.removed" in _events(person)


def _store(browser: Browser) -> Any:
    from retinue.server.console.store import SessionStore

    return SessionStore(browser.session)


def test_change_ends_other_sessions(signed_in: Browser, person: Person) -> None:
    """
    Who sets up an app is signed out everywhere else, and stays signed in here under another key.
    """
    other = Browser()
    other.sign_in(person.email, person.password)
    before = signed_in.session
    set_up_app(signed_in)

    assert 302 == other.get("/").status_code
    assert 200 == signed_in.get("/").status_code
    assert before != signed_in.session


def test_password_is_changed(signed_in: Browser, person: Person) -> None:
    """
    The new password signs in, the one before does not, and this browser stays signed in while others do not.
    """
    other, chosen = Browser(), secrets.token_urlsafe(18)
    other.sign_in(person.email, person.password)
    answer = signed_in.fill("/me/security/password/", password=chosen, again=chosen)

    assert 303 == answer.status_code
    assert 302 == other.get("/").status_code
    assert 200 == signed_in.get("/").status_code
    assert 200 == Browser().sign_in(person.email, person.password).status_code
    assert 302 == Browser().sign_in(person.email, chosen).status_code
    assert "password.changed" in _events(person)


def test_factor_goes_with_its_person(app: tuple[str, list[str]], person: Person) -> None:
    """
    Of a deleted user nothing to sign in with is left, and no session.
    """
    from retinue.server.directory import users
    from retinue.server.directory.queries import BrowserSession

    with transaction(SYSTEM, reason="test") as tx:
        users.forget_password(person.principal)
        tx.record(
            "change.refused", person.principal.id, name="x", organization=person.principal.organization_id
        )

    assert not Login.objects.filter(email=person.email).exists()
    assert not Authenticator.objects.filter(user__email=person.email).exists()
    assert not BrowserSession.objects.filter(login__email=person.email).exists()
