"""Users, invitations, nodes, and one's own tokens in the console."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import quote

from django.utils import timezone

from retinue.server.access.queries import roles_of
from retinue.server.credentials.queries import personal_tokens
from retinue.server.directory.queries import Principal, accounts, owners_of
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions
from retinue.server.nodes.models import NodeAbout
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague, make_person, set_policy


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _shown(answer: Any) -> str:
    found = re.search(r"data-token>([^<]+)</textarea>", answer.content.decode())
    assert found is not None
    return found[1]


def test_own_token_is_issued_rotated_and_revoked(signed_in: Browser, person: Person) -> None:
    """
    Each token is shown once and acts as its person; after a revoke the list says so.
    """
    path = _path(person, "me/tokens")
    first = _shown(signed_in.fill(f"{path}/new", key_name="laptop", expires="30d"))
    token = personal_tokens(person.principal.id).get()
    second = _shown(signed_in.fill(f"{path}/{token.id}/do/rotate", overlap="0s", key_name="new"))
    newer = personal_tokens(person.principal.id).get(name="new")
    revoked = signed_in.fill(f"{path}/{newer.id}/do/revoke", cause="no_longer_needed")
    text = signed_in.text(path)

    assert first != second
    assert 303 == revoked.status_code
    assert "new is revoked." in text
    assert "Revoked" in text
    assert first not in text
    assert second not in text


def test_token_of_a_program_becomes_an_account(signed_in: Browser, person: Person) -> None:
    """
    The page says what the token was used for; it makes an account with a key, whose token is shown once, and
    the old token ends. Another's token has no such page.
    """
    path = _path(person, "me/tokens")
    signed_in.fill(f"{path}/new", key_name="nightly", expires="30d")
    token = personal_tokens(person.principal.id).get()
    page = _path(person, f"tokens/{token.id}/convert")
    shown = signed_in.text(page)
    made = signed_in.fill(page, name="nightly", purpose="Loads the reports.", overlap="1h", expires="30d")
    stranger = Browser()
    other = make_person()
    stranger.sign_in(other.email, other.password)

    assert f'href="{page}"' in signed_in.text(path)
    assert "the request log knows no use of it" in shown
    assert 'value="nightly"' in shown
    assert _shown(made)
    assert ["nightly"] == [each.name for each in accounts(person.principal.organization_id)]
    assert personal_tokens(person.principal.id).get().retires_at is not None
    assert (
        404 == stranger.get(f"/o/{other.principal.organization.handle}/tokens/{token.id}/convert").status_code
    )


def test_users_tell_how_they_sign_in_and_what_hangs_on_them(signed_in: Browser, person: Person) -> None:
    """
    The list says with what each signs in, when last, and how many tokens and accounts are theirs. An address
    of an organization without its slash leads to its home.
    """
    account_of(person, "etl")
    signed_in.fill(_path(person, "me/tokens/new"), key_name="laptop", expires="30d")
    text = signed_in.text(_path(person, "settings/users"))
    home = signed_in.get(f"/o/{person.principal.organization.handle}")

    assert '<span class="pill">Password</span>' in text
    assert f'accounts?owner={quote(person.principal.handle)}">1</a>' in text
    assert '<td class="number at-wide">1</td>' in text
    assert re.search(r'class="when at-medium"><time datetime="', text)
    assert (302, f"/o/{person.principal.organization.handle}/") == (home.status_code, home["Location"])


def test_tokens_of_others_are_not_reached(signed_in: Browser, person: Person) -> None:
    """
    A token of a colleague is neither listed among one's own nor found by its address.
    """
    other = colleague(person, "grace", roles=("owner",))
    theirs = Browser()
    theirs.sign_in(other.email, other.password)
    theirs.fill(_path(person, "me/tokens/new"), key_name="theirs", expires="30d")
    token = personal_tokens(other.principal.id).get()

    assert "theirs" not in signed_in.text(_path(person, "me/tokens"))
    assert 404 == signed_in.get(_path(person, f"me/tokens/{token.id}/do/revoke")).status_code


def test_policy_without_personal_tokens_is_told(signed_in: Browser, person: Person) -> None:
    """
    Where the policy allows none, the button says so, and the form is refused.
    """
    set_policy(person, {"pat.enabled": False})
    path = _path(person, "me/tokens")

    assert "The policy allows none (pat.enabled)." in signed_in.text(path)
    assert signed_in.fill(f"{path}/new", key_name="x", expires="30d").status_code >= 400
    assert 0 == personal_tokens(person.principal.id).count()


def test_user_is_invited_with_a_code_that_is_shown_once(signed_in: Browser, person: Person) -> None:
    """
    The code stands in that answer and opens the page where a password is chosen; the user's page has it not.
    """
    answer = signed_in.fill(
        _path(person, "settings/users/invite"), email="new@elsewhere.example", name="Nina", roles=["member"]
    )
    found = re.search(r'id="code"[^>]*>([^<]+)</textarea>', answer.content.decode())
    made = Principal.objects.get(organization_id=person.principal.organization_id, name="Nina")

    assert found is not None
    assert found[1] not in signed_in.text(_path(person, f"settings/users/{made.id}"))
    assert ["member"] == roles_of([made.id])[made.id]


def test_user_is_disabled_and_enabled(signed_in: Browser, person: Person) -> None:
    """
    A disabled user cannot sign in; enabled again, they can.
    """
    other = colleague(person, "grace")
    address = _path(person, f"settings/users/{other.principal.id}")
    signed_in.fill(address, to=f"{address}/do/disable")
    refused = Browser().sign_in(other.email, other.password).status_code
    signed_in.fill(address, to=f"{address}/do/enable")

    assert (200, 302) == (refused, Browser().sign_in(other.email, other.password).status_code)


def test_accounts_are_given_to_another_owner(signed_in: Browser, person: Person) -> None:
    """
    The page says which accounts a user answers for alone; giving them on leaves none.
    """
    other = colleague(person, "grace")
    account = account_of(person, "etl", owner=other.principal)
    address = _path(person, f"settings/users/{other.principal.id}")
    before = signed_in.text(address)
    signed_in.post(
        f"{address}/do/reassign",
        {"csrfmiddlewaretoken": signed_in.form_token(address), "to": person.email},
    )

    assert "1 would have no owner without them." in before
    assert [person.principal.id] == [each.id for each in owners_of([account.id])[account.id]]


def test_settings_hold_nothing_of_others(signed_in: Browser, person: Person) -> None:
    """
    Users of another organization are neither listed nor found.
    """
    other = make_person()

    assert other.email not in signed_in.text(_path(person, "settings/users"))
    assert 404 == signed_in.get(_path(person, f"settings/users/{other.principal.id}")).status_code


def test_nodes_are_for_who_may_read_them(browser: Browser, signed_in: Browser, person: Person) -> None:
    """
    An operator sees the nodes; a member sees which permission that needs.
    """
    member = colleague(person, "grace", roles=("member",))
    browser.client.cookies.clear()
    browser.sign_in(member.email, member.password)
    refused = browser.get(_path(person, "settings/nodes"))

    assert 403 == refused.status_code
    assert "<code>node:read</code>" in refused.content.decode()


def test_nodes_say_how_they_are(signed_in: Browser, person: Person) -> None:
    """
    A node stands with its version, its credentials and how long it takes; one that tells nothing says so.
    """
    names = [f"n-{secrets.token_hex(4)}" for _ in range(2)]
    with transaction(SYSTEM) as tx:
        made = [actions.enrol(tx, name)[0] for name in names]
    NodeAbout.objects.create(
        node=made[0], told_at=timezone.now(), version="1.2.3", credentials=12_345, decisions=9,
        window_seconds=300, p50_ns=1_500, p99_ns=20_000,
    )  # fmt: skip
    rows = signed_in.text(_path(person, "settings/nodes")).split("<tr>")
    told, silent = (next(row for row in rows if name in row) for name in names)

    assert {"1.2.3", "12,345", "1.5 / 20.0 µs"} == {
        word for word in ("1.2.3", "12,345", "1.5 / 20.0 µs", "not told") if word in told
    }
    assert 3 == silent.count("not told")
