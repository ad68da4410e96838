"""People who have lost what they sign in with: who may let them in again, and what is left of it."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator

from retinue.server import recovering
from retinue.server.credentials.queries import Credential, DeviceSignIn
from retinue.server.directory.queries import Login
from retinue.server.installation import InstallationError
from retinue.server.ledger.queries import latest
from retinue.token import Kind
from tests.console.browser import Browser
from tests.console.devices import set_up_app
from tests.console.people import Person, colleague
from tests.console.test_device import begin, collect, decide, tokens_of


@pytest.fixture
def grace(person: Person) -> tuple[Person, Browser]:
    """A colleague of ``person`` with an app, and the browser in which she is signed in."""
    found = colleague(person, "grace")
    browser = Browser()
    browser.sign_in(found.email, found.password)
    set_up_app(browser)
    return found, browser


def _path(person: Person, who: Person, tail: str = "") -> str:
    return f"/o/{person.principal.organization.handle}/settings/users/{who.principal.id}{tail}"


def _reset(browser: Browser, person: Person, who: Person, **fields: str) -> str:
    answer = browser.fill(_path(person, who), _path(person, who, "/do/reset"), **fields)
    assert answer.status_code == 303
    return browser.text(_path(person, who))


def test_administrator_removes_the_app(
    signed_in: Browser, person: Person, grace: tuple[Person, Browser]
) -> None:
    """
    The password alone signs in again, the sessions have ended, and the audit log says who did it and why.
    """
    who, browser = grace
    before = signed_in.text(_path(person, who))
    said = _reset(signed_in, person, who, reason="phone lost")
    event = next(e for e in latest(person.principal.organization_id, 9) if e.type == "user.sign_in_reset")

    assert "Authenticator app</span>" in before
    assert "Authenticator app</span>" not in said
    assert "sets up anew what was removed" in said
    assert 302 == browser.get("/").status_code
    assert "/" == Browser().sign_in(who.email, who.password)["Location"]
    assert (["recovery_codes", "totp"], True) == (event.before["factors"], event.before["password"])
    assert (person.principal.id, "phone lost") == (event.actor, event.reason)


def test_everything_ends_the_password_too(
    signed_in: Browser, person: Person, grace: tuple[Person, Browser]
) -> None:
    """
    Then nothing signs in until an invitation is used.
    """
    who, _ = grace
    _reset(signed_in, person, who, everything="yes")

    assert not Login.objects.filter(email=who.email).exists()
    assert 200 == Browser().sign_in(who.email, who.password).status_code


def test_nobody_resets_who_is_stronger_or_oneself(
    signed_in: Browser, person: Person, grace: tuple[Person, Browser]
) -> None:
    """
    A colleague without the permission cannot reset the owner; the owner cannot reset their own, as a stolen token
    could.
    """
    who, browser = grace
    set_up_app(signed_in)
    browser.fill("/me/security/", _path(person, person, "/do/reset"))
    own = _reset(signed_in, person, person)

    assert "on the page Signing in" in own
    assert 2 == Authenticator.objects.filter(user__email=person.email).count()
    assert 2 == Authenticator.objects.filter(user__email=who.email).count()


def test_operator_of_the_host_lets_in(person: Person, grace: tuple[Person, Browser]) -> None:
    """
    Without signing in: the app goes, or everything with an invitation in its place; an address that nobody has is
    refused.
    """
    who, _ = grace
    first = recovering.reset_sign_in(f" {who.email.upper()}", "", everything=False)
    signs_in = Browser().sign_in(who.email, who.password)["Location"]
    second = recovering.reset_sign_in(who.email, "", everything=True)
    invited = Credential.objects.get(principal=who.principal, kind=Kind.INVITATION.value, state="active")

    assert (1, "/") == (len(first), signs_in)
    assert 2 == len(second)
    assert invited.kid in second[1]
    with pytest.raises(InstallationError, match="no enabled user"):
        recovering.reset_sign_in("nobody@acme.example", "", everything=False)


@pytest.mark.parametrize("on_host", [False, True])
def test_a_reset_of_the_sign_in_takes_back_what_was_granted(
    signed_in: Browser, person: Person, on_host: bool
) -> None:
    """
    Who has granted a session to a terminal with a stolen one gets none after the reset, on either way.
    """
    who = colleague(person, "grace", roles=("member",))
    browser, told = Browser(), begin()
    browser.sign_in(who.email, who.password)
    decide(browser, told, "grant")
    granted = DeviceSignIn.objects.get(principal=who.principal).state
    if on_host:
        recovering.reset_sign_in(who.email, "stolen", everything=False)
    else:
        page = f"/o/{person.principal.organization.handle}/settings/users/{who.principal.id}"
        signed_in.fill(page, f"{page}/do/reset")
    status, answer = collect(told)

    assert ("granted", 400, "access_denied") == (granted, status, answer["error"])
    assert [] == tokens_of(who)
