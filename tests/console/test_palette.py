"""The palette leads to every place, act, account and id; what it says of the command line is true."""

from __future__ import annotations

import re

from retinue.server.console.palette import ACTS, PLACES
from retinue.server.credentials import actions as credentials
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.cli.commands import COMMANDS
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person, set_policy


def _path(person: Person, query: str = "") -> str:
    return f"/o/{person.principal.organization.handle}/palette{query}"


def test_every_place_and_act_is_offered_and_there(signed_in: Browser, person: Person) -> None:
    """
    Without a text everything is offered, and each address opens.
    """
    set_policy(person, {"ingest.enabled": True})
    text = signed_in.text(_path(person))
    found = re.findall(r'<a class="menu-item" href="([^"]+)">(?:(?!</a>).)*nav-count', text)

    assert len(PLACES) + len(ACTS) == len(found)
    for address in found:
        assert 200 == signed_in.get(address).status_code, address


def test_accounts_and_ids_are_found(signed_in: Browser, person: Person) -> None:
    """
    A name offers the account, an id its page; nothing of another organization is offered.
    """
    account = account_of(person, "etl-airflow")
    account_of(make_person(), "etl-foreign")
    address = f"/o/{person.principal.organization.handle}/accounts/{account.id}"
    by_name = signed_in.text(_path(person, "?q=etl"))

    assert f'href="{address}"' in by_name
    assert "foreign" not in by_name
    assert f'href="{address}"' in signed_in.text(_path(person, f"?q={account.id}"))
    assert "Nothing fits." in signed_in.text(_path(person, "?q=qqqqqq"))


def test_acts_reach_what_is_at_hand_and_what_is_named(signed_in: Browser, person: Person) -> None:
    """
    On the page of an account its acts are offered, at a key's id those of the key; an act and a name lead to
    the act on what has that name; documents are found by words. Nothing of another organization is offered.
    """
    account, other = account_of(person, "etl-airflow"), account_of(make_person(), "etl-foreign")
    with transaction(SYSTEM, reason="test") as tx:
        key, foreign = (credentials.issue(tx, each, name="prod").credential for each in (account, other))
    base = f"/o/{person.principal.organization.handle}"
    acts, key_acts = f"{base}/accounts/{account.id}/do", f"{base}/keys/{key.id}/do"
    here = signed_in.text(_path(person, f"?at={base}/accounts/{account.id}/keys&q=disable"))
    by_id = signed_in.text(_path(person, f"?q={key.id}"))
    named = signed_in.text(_path(person, "?q=rotate+etl"))
    not_ours = signed_in.text(_path(person, f"?q={foreign.id}"))

    assert f'href="{acts}/disable"' in here
    assert f'href="{acts}/disable"' in signed_in.text(_path(person, "?q=disable+airflow"))
    assert {"rotate", "revoke"} <= set(re.findall(f'href="{key_acts}/([a-z]+)"', by_id))
    assert f'href="{base}/accounts/{account.id}/keys#{key.id}"' in by_id
    assert f'href="{key_acts}/rotate"' in named
    assert f"keys/{foreign.id}" not in named + not_ours
    assert 'href="/docs/how-to/rotate-a-key/"' in signed_in.text(_path(person, "?q=rotate+a+key"))


def test_who_may_not_is_told(browser: Browser, server_database: str) -> None:
    """
    An act that the viewer may not begin is shown with what it needs, and leads nowhere.
    """
    member = make_person(roles=("member",))
    browser.sign_in(member.email, member.password)
    text = browser.text(_path(member, "?q=invite"))

    assert "user:create" in text or "user:invite" in text
    assert "/settings/users/invite" not in text


def test_command_lines_are_commands() -> None:
    """
    The first words of each line are a command of `retinue`.
    """
    known = {line[:n] for line in COMMANDS.values() for n in (1, 2)}
    for entry in (*PLACES, *ACTS):
        words = [word for word in entry.command.split()[1:] if word.islower() and word[0] != "-"]
        assert not entry.command or tuple(words) in known, entry.command


def test_single_keys_are_switched_off_and_on(signed_in: Browser, person: Person) -> None:
    """
    The choice is kept in the browser, and the page says it to its script.
    """
    home = f"/o/{person.principal.organization.handle}/"
    signed_in.fill(home, to="/keys/", keys="off", next=home)
    off = signed_in.text(home)
    signed_in.fill(home, to="/keys/", keys="on", next="//elsewhere.example/")

    assert 'data-keys="off"' in off
    assert 'data-keys="off"' not in signed_in.text(home)
