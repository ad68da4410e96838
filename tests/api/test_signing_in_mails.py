"""A person is told by mail when what they sign in with changes, whoever changed it, and nobody else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

from allauth.mfa.models import Authenticator

from retinue.server.console import enrolling, factors
from retinue.server.credentials import identities
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Login, Principal
from retinue.server.ledger.transaction import Actor, Transaction, transaction
from tests.api.messages import Outside
from tests.api.test_mails import forget, text_of
from tests.api.world import World

ISSUER = "https://id.acme.example"


def _login(world: World) -> tuple[Principal, Login]:
    person, _ = world.user("Pia Person")
    with transaction(_self(person)) as tx:
        return person, directory.set_password(tx, person, "a long password for a test")


def _self(person: Principal) -> Actor:
    return Actor("user", person.id, person.name, person.organization_id, address="192.0.2.7")


def _add_app(tx: Transaction, login: Login) -> None:
    enrolling.add_totp(tx, login, "JBSWY3DPEHPK3PXP", 1)


def _remove_app(tx: Transaction, login: Login) -> None:
    enrolling.remove(tx, login, Authenticator.objects.get(user=login, type=factors.TOTP))


def _told(outside: Outside, person: Principal) -> list[EmailMessage]:
    """The mails to a person; all that were sent are to them."""
    outside.mails.got.clear()
    outside.tell()
    outside.tell()
    assert {str(person.email)} >= {str(each["To"]) for each in outside.mails.got}
    return list(outside.mails.got)


def test_each_change_is_told_at_once(world: World, outside: Outside) -> None:
    """
    Password, app, recovery codes and single sign-on: each change is one mail to its person alone, without a wait, with
    what happened, from where, and what to do; no secret and no code stands in it.
    """
    person, login = _login(world)
    forget(outside)
    codes: list[str] = []
    changes: tuple[tuple[str, Callable[[Transaction], object]], ...] = (
        ("Your password was changed", lambda tx: enrolling.say(tx, "password.changed", login)),
        ("You sign in with another authenticator app", lambda tx: _add_app(tx, login)),
        ("You have new recovery codes", lambda tx: codes.extend(enrolling.issue_codes(tx, login))),
        ("Your authenticator app was removed", lambda tx: _remove_app(tx, login)),
        ("Single sign-on was connected", lambda tx: identities.link(tx, login, ISSUER, "pia-1")),
        ("Single sign-on was disconnected", lambda tx: identities.unlink(tx, login, ISSUER)),
    )
    for words, change in changes:
        with transaction(_self(person)) as tx:
            change(tx)
        [mail] = _told(outside, person)
        text = text_of(mail)

        assert f"[{world.organization.name}] {words}" == mail["Subject"]
        assert "By whom: you, from 192.0.2.7" in text
        assert f"retinue user reset-sign-in {person.email}" in text
        assert "JBSWY3DPEHPK3PXP" not in text
        assert not [code for code in codes if code in text]
    assert codes


def test_name_of_a_passkey_stays_in_its_line(world: World, outside: Outside) -> None:
    """
    Which passkey it was stands there as its person named it, in one line.
    """
    person, login = _login(world)
    forget(outside)
    with transaction(_self(person)) as tx:
        label = "blue\r\nHow we know: nothing"
        enrolling.say(tx, "factor.added", login, after={"kind": "passkey", "label": label})
    [mail] = _told(outside, person)

    assert "The passkey blue  How we know: nothing was added to your sign-in." in text_of(mail)


def test_reset_by_an_administrator_is_told_to_its_person(world: World, outside: Outside) -> None:
    """
    Who resets what somebody signs in with is named to that person, who is told what is gone.
    """
    person, login = _login(world)
    with transaction(_self(person)) as tx:
        _add_app(tx, login)
    forget(outside)
    answer = world.owner.post(f"/v1/users/{person.id}/reset-sign-in", {})
    [mail] = _told(outside, person)

    assert 200 == answer.status
    assert "What you sign in with was reset" in mail["Subject"]
    assert "By whom: Olga Owner" in text_of(mail)
    assert "So were your password" not in text_of(mail)


def test_who_is_disabled_is_told_nothing(world: World, outside: Outside) -> None:
    """
    A person who is disabled when it happens gets no mail, then or later.
    """
    person, login = _login(world)
    assert 200 == world.owner.post(f"/v1/users/{person.id}/disable").status
    forget(outside)
    with transaction(_self(person)) as tx:
        enrolling.say(tx, "password.changed", login)

    assert [] == _told(outside, person)
    outside.clock.ahead += timedelta(hours=1)
    assert [] == _told(outside, person)
