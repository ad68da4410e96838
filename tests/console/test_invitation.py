"""The invitation page: an invited person chooses a password, once, and nobody else does."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest

from retinue.server.credentials import actions as credentials
from retinue.server.credentials import invitations
from retinue.server.credentials.queries import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Login, Principal
from retinue.server.ledger.queries import latest
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person

PASSWORD = "violet-anchor-parade-21"


@pytest.fixture
def invited(person: Person) -> tuple[Principal, str]:
    """A user of the person's organization, and the invitation."""
    with transaction(SYSTEM, reason="test") as tx:
        email = f"uma@{secrets.token_hex(6)}.example"
        user = directory.create_user(tx, person.principal.organization_id, email=email, name="Uma")
        return user, invitations.invite(tx, user).token.reveal()


def send(browser: Browser, code: str, password: str = PASSWORD, **more: str) -> Any:
    """Open the page and send the form."""
    fields = {"code": code, "password": password, "again": password, **more}
    return browser.post("/invitation/", {"csrfmiddlewaretoken": browser.form_token("/invitation/"), **fields})


def test_invited_person_chooses_a_password_and_is_signed_in(
    browser: Browser, invited: tuple[Principal, str]
) -> None:
    """
    The password that the holder chooses is the user's from then on; a line that a mail broke does no harm.
    """
    user, code = invited
    answer = send(browser, f" {code[:20]}\n{code[20:]} ")
    again = Browser().sign_in(user.email, PASSWORD)

    assert (302, "/", 302) == (answer.status_code, answer["Location"], again.status_code)
    assert ["user.activated", user.id] == next(
        [event.type, event.subject]
        for event in latest(user.organization_id, 20)
        if event.type == "user.activated"
    )


def test_invitation_works_once(browser: Browser, invited: tuple[Principal, str]) -> None:
    """
    Used, it opens nothing, and the password stays.
    """
    user, code = invited
    send(browser, code)
    second = send(Browser(), code, "another-violet-anchor-7")

    assert (200, True) == (second.status_code, "wrong, used" in second.content.decode())
    assert 302 == Browser().sign_in(user.email, PASSWORD).status_code


@pytest.mark.parametrize("end", ["replaced", "disabled", "deleted", "old"])
def test_ended_invitation_opens_nothing(
    end: str, browser: Browser, invited: tuple[Principal, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It ends with its successor, with its user, and after a week.
    """
    user, code = invited
    token = browser.form_token("/invitation/")
    with transaction(SYSTEM, reason="test") as tx:
        if end == "replaced":
            invitations.invite(tx, user)
        elif end == "disabled":
            directory.disable(tx, user)
        elif end == "deleted":
            credentials.delete_account(tx, user)
        else:
            tx.record("change.refused", "test", name="test", organization=user.organization_id)
    if end == "old":
        week = Credential.objects.get(principal=user).issued_at + timedelta(days=7)
        monkeypatch.setattr("django.utils.timezone.now", lambda: week)
    fields = {"csrfmiddlewaretoken": token, "code": code, "password": PASSWORD, "again": PASSWORD}
    answer = browser.post("/invitation/", fields)

    assert (200, False) == (answer.status_code, Login.objects.filter(principal=user).exists())


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"again": "something-else-21"}, "The two passwords differ."),
        ({"password": "short", "again": "short"}, "at least 8 characters"),
    ],
)
def test_bad_password_uses_nothing_up(
    more: dict[str, str], rule: str, browser: Browser, invited: tuple[Principal, str]
) -> None:
    """
    A password that breaks a rule is refused with it; neither it nor the invitation is sent back.
    """
    page = send(browser, invited[1], **more).content.decode()

    assert (True, False, False) == (rule in page, invited[1] in page, PASSWORD in page)
    assert 302 == send(browser, invited[1]).status_code


def test_wrong_invitations_are_refused_and_limited(browser: Browser, person: Person) -> None:
    """
    A guess changes nothing, is written down, and after twenty in five minutes the network has to wait.
    """
    answers = [send(browser, f"rtninv_{'A' * 12}_{'b' * 49}").status_code for _ in range(21)]

    assert [200] * 20 + [429] == answers


def test_address_that_signs_in_elsewhere_is_told(browser: Browser, invited: tuple[Principal, str]) -> None:
    """
    An e-mail address signs in to one organization: the page says so, and the invitation is not used up.
    """
    user, code = invited
    with transaction(SYSTEM, reason="test") as tx:
        other = directory.create_organization(tx, handle=f"o-{secrets.token_hex(6)}", name="Other")
        twin = directory.create_user(tx, other.id, email=user.email, name="Uma")
        directory.set_password(tx, twin, PASSWORD)
    page = send(browser, code).content.decode()

    assert "signs in to another organization" in page
    assert not Login.objects.filter(principal=user).exists()
