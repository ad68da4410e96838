"""Acts on many keys: of the list of credentials, and all usable keys of accounts."""

from __future__ import annotations

import re
from typing import Any

from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential, keys
from retinue.server.directory.queries import owners_of
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague, make_person


def _path(person: Person, rest: str = "credentials") -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _key(person: Person, account: str, name: str) -> Credential:
    owner = account_of(person, account)
    with transaction(SYSTEM, reason="test") as tx:
        return credentials.issue(tx, owner, name=name).credential


def _send(browser: Browser, person: Person, **fields: Any) -> Any:
    return browser.fill(_path(person), to=_path(person, "credentials/bulk"), **fields)


def _text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def _hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found is not None, name
    return found[1]


def test_chosen_keys_are_revoked_after_a_preview(signed_in: Browser, person: Person) -> None:
    """
    The preview counts and changes nothing; then the keys end, with the reason that was chosen, and a receipt.
    """
    first, second = _key(person, "etl", "k1"), _key(person, "web", "k1")
    preview = _text(_send(signed_in, person, act="revoke", key=[first.id, second.id]))
    untouched = {each.state for each in keys(person.principal.organization_id)}
    digest = _hidden(preview, "digest")
    form = {"act": "revoke", "key": [first.id, second.id], "sure": "yes", "digest": digest}
    done = _text(_send(signed_in, person, **form, cause="owner_left", reason="left in May"))
    ended = keys(person.principal.organization_id)

    assert "Revoke 2 credentials" in preview
    assert {"active"} == untouched
    assert {("revoked", "owner_left", "left in May")} == {(e.state, e.reason, e.reason_text) for e in ended}
    assert "Holds since" in done


def test_all_that_match_are_those_that_were_shown(signed_in: Browser, person: Person) -> None:
    """
    By a filter, just the keys of the preview are meant: where another came and one went, nothing is done.
    """
    first, second = _key(person, "etl-a", "job-1"), _key(person, "etl-b", "job-2")
    kept = _key(person, "web", "other")
    form = {"act": "expire", "all": "yes", "q_search": "job-", "asked": "yes", "expires": "now"}
    preview = _text(_send(signed_in, person, **form))
    digest, matched = _hidden(preview, "digest"), _hidden(preview, "matched")
    with transaction(SYSTEM, reason="test") as tx:
        credentials.revoke(tx, first, reason="other", text="x")
        credentials.delete(tx, first)
    _key(person, "etl-c", "job-3")
    sure = form | {"sure": "yes", "digest": digest, "matched": matched}
    refused = _send(signed_in, person, **sure)
    second.refresh_from_db()
    untouched = second.has_expired
    again = _text(_send(signed_in, person, **form))
    _send(signed_in, person, **sure | {"digest": _hidden(again, "digest")})
    second.refresh_from_db()
    kept.refresh_from_db()

    assert "2" == matched
    assert 409 == refused.status_code
    assert "other objects are in it by now" in _text(refused)
    assert (False, True, False) == (untouched, second.has_expired, kept.has_expired)


def test_all_keys_of_accounts_are_rotated_and_told_once(signed_in: Browser, person: Person) -> None:
    """
    From the list of accounts: each usable key gets a successor, whose token stands in the answer and nowhere after.
    """
    first, _second = _key(person, "etl", "k1"), _key(person, "web", "k1")
    chosen: dict[str, Any] = {"act": "rotate_keys", "account": [first.principal_id or ""]}
    asked = _text(signed_in.fill(_path(person, "accounts"), to=_path(person, "accounts/bulk"), **chosen))
    form: dict[str, Any] = {
        "act": "rotate",
        "account_keys": [first.principal_id],
        "asked": "yes",
        "overlap": "1h",
    }
    preview = _text(_send(signed_in, person, **form))
    told = {"digest": _hidden(preview, "digest"), "matched": _hidden(preview, "matched")}
    shown = _send(signed_in, person, **form, **told, sure="yes")
    successor = keys(person.principal.organization_id).get(rotated_from=first.id)

    assert "Rotate credentials" in asked
    assert "Rotate 1 credential" in preview
    assert f"etl/{successor.name} rtnsa_{successor.kid}" in _text(shown)
    assert "no-store" in shown["Cache-Control"]
    assert 1 == keys(person.principal.organization_id).filter(principal__handle="web").count()


def test_many_keys_are_restricted(signed_in: Browser, person: Person) -> None:
    """
    What is given narrows each key; what is left empty stays.
    """
    made = _key(person, "etl", "k1")
    form: dict[str, Any] = {"act": "restrict", "key": [made.id], "asked": "yes", "methods": "GET"}
    asked = _text(_send(signed_in, person, act="restrict", key=[made.id]))
    _send(signed_in, person, **form, sure="yes")
    made.refresh_from_db()

    assert "What is left empty stays as each one has it." in asked
    assert {"methods": ["GET"]} == made.restrictions


def test_owners_of_many_are_set(signed_in: Browser, person: Person) -> None:
    """
    The named people own each of the chosen accounts from then on.
    """
    made = [account_of(person, f"job-{n}") for n in range(2)]
    other = colleague(person, "eve", roles=("auditor",))
    form: dict[str, Any] = {"act": "owner", "account": [each.id for each in made], "given": other.email}
    preview = _text(signed_in.fill(_path(person, "accounts"), to=_path(person, "accounts/bulk"), **form))
    signed_in.fill(_path(person, "accounts"), to=_path(person, "accounts/bulk"), **form, sure="yes")

    assert "Set owner of 2" in preview
    assert [[other.principal.id]] * 2 == [
        [owner.id for owner in owners_of([each.id])[each.id]] for each in made
    ]


def test_what_failed_can_be_tried_again(signed_in: Browser, person: Person) -> None:
    """
    A key that is refused is listed with its reason, and the button to retry names just that one.
    """
    live, ended = _key(person, "etl", "k1"), _key(person, "web", "k1")
    with transaction(SYSTEM, reason="test") as tx:
        credentials.revoke(tx, ended, reason="other", text="x")
    form: dict[str, Any] = {"act": "expire", "key": [live.id, ended.id], "asked": "yes", "expires": "1d"}
    done = _text(_send(signed_in, person, **form, sure="yes"))
    foot = done.partition('class="card-foot"')[2]

    assert "1 is refused." in done
    assert "has ended already" in done
    assert "Retry failed" in foot
    assert (1, 0) == (foot.count(f'name="key" value="{ended.id}"'), foot.count(live.id))


def test_nothing_elsewhere_is_reached(signed_in: Browser, person: Person) -> None:
    """
    A key, and the keys of an account, of another organization are refused, and stay as they are.
    """
    foreign = _key(make_person(), "etl", "k1")
    for form in ({"key": [foreign.id]}, {"account_keys": [foreign.principal_id], "matched": "1"}):
        _send(signed_in, person, act="expire", asked="yes", expires="now", sure="yes", **form)
    foreign.refresh_from_db()

    assert not foreign.has_expired
