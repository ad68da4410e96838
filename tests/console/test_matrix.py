"""The matrix of permissions as a form: looked at, then saved, all of it or nothing; and never more than one holds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.access import actions as access
from retinue.server.access.queries import granted
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.traffic.models import Exercise
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague, set_policy


def _account(person: Person, *permissions: str, roles: tuple[str, ...] = ()) -> Principal:
    account = account_of(person, "etl")
    with transaction(SYSTEM, reason="test") as tx:
        for each in permissions:
            access.grant(tx, account, each, "test")
        access.assign_roles(tx, account, list(roles), "test")
    return account


def _place(person: Person, account: Principal) -> str:
    return f"/o/{person.principal.organization.handle}/accounts/{account.id}"


def _box(page: str, name: str) -> str:
    """Return the check box of a permission, which must be there once."""
    (found,) = re.findall(rf'<input type="checkbox" class="glyph-box[^>]* value="{name}"[^>]*>', page)
    return str(found)


def _review(browser: Browser, place: str, **fields: Any) -> str:
    page = browser.fill(f"{place}/access", to=f"{place}/grants/change", **fields)
    return " ".join(page.content.decode().split())


def test_each_box_tells_how_it_is_held(signed_in: Browser, person: Person) -> None:
    """
    A direct grant, an inherited one, one that nobody gave and one that is never for service accounts are
    four kinds of boxes, each with its path or reason in words.
    """
    account = _account(person, "user:read", roles=("auditor",))
    page = signed_in.text(f"{_place(person, account)}/access")
    own, role, none, never = (
        _box(page, name) for name in ("user:read", "audit_log:read", "user:create", "pat:issue")
    )

    assert "glyph-explicit" in own
    assert " checked" in own
    assert "glyph-inherited" in role
    assert 'name="inherited"' in role
    assert "role Auditor" in role
    assert "Not granted." in none
    assert " disabled" not in none
    assert "Never for service accounts." in never
    assert " disabled" in never


def test_row_is_set_as_a_whole_and_unused_ones_are_found(signed_in: Browser, person: Person) -> None:
    """
    A row offers what it has: none, looking, everything; not before the script that sets its boxes is there, and
    never sent. What is held and was never in a call stands alone if asked, with the number of them.
    """
    account = _account(person, "user:read", "role:read")
    once = dict.fromkeys(("first_used_at", "last_used_at"), timezone.now())
    Exercise.objects.create(account=account.id, permission="role:read", **once)
    page = signed_in.text(f"{_place(person, account)}/access")
    (row,) = re.findall(r'<tr data-grid-row="user">(.*?)</tr>', page, re.S)
    (levels,) = re.findall(r"<span[^>]* data-grid-levels hidden>.*", row, re.S)
    unused = signed_in.text(f"{_place(person, account)}/access?only=unused")

    assert ["none", "read", "write"] == re.findall(
        r'type="radio" name="row-\d-user" value="(\w+)" form="no-form"', levels
    )
    assert 'id="no-form"' not in page
    assert 'data-level="read"' in _box(page, "user:read")
    assert 'data-level="write"' in _box(page, "user:create")
    assert "Never used: 1" in page
    assert 'value="user:read"' in unused
    assert 'class="glyph-box glyph-explicit" name="permissions" value="role:read"' not in unused


def test_change_is_looked_at_and_saved_together(signed_in: Browser, person: Person) -> None:
    """
    The review counts what is added and taken away; nothing is written before it is saved, and then all of it.
    """
    account = _account(person, "user:read", "role:read")
    place = _place(person, account)
    had = ["user:read", "role:read"]
    text = _review(signed_in, place, had=had, permissions=["role:read", "group:read", "team:read"])
    before = sorted(granted([account.id]).get(account.id, []))
    sent: dict[str, Any] = {"grant": ["group:read", "team:read"], "take": ["user:read"], "save": "yes"}
    saved = signed_in.fill(f"{place}/access", to=f"{place}/grants/change", **sent)

    assert "+2 −1" in text
    assert sorted(had) == before
    assert 303 == saved.status_code
    assert ["group:read", "role:read", "team:read"] == sorted(granted([account.id]).get(account.id, []))
    assert "Saved: 2 granted, 1 taken away." in signed_in.text(f"{place}/access")


def test_inherited_one_is_never_taken_silently(signed_in: Browser, person: Person) -> None:
    """
    Who takes the tick from an inherited permission learns by which path it stays, and is led to *Why?*;
    a direct grant that is inherited as well says so before it is taken away.
    """
    account = _account(person, "user:read", roles=("auditor",))
    place = _place(person, account)
    inherited = _review(signed_in, place, had_inherited=["audit_log:read"])
    both = _review(signed_in, place, had=["user:read"])

    assert "It is inherited, and stays: audit_log:read &lt;- role Auditor" in inherited
    assert f"/access/explain?principal={account.id}&amp;permission=audit_log%3Aread" in inherited
    assert 'name="save"' not in inherited
    assert "It stays all the same: user:read &lt;- role Auditor" in both


def test_nothing_changed_says_so(signed_in: Browser, person: Person) -> None:
    """
    A form that is sent as it came writes nothing, and says that.
    """
    account = _account(person, "user:read")
    place = _place(person, account)
    signed_in.fill(f"{place}/access", to=f"{place}/grants/change", had="user:read", permissions="user:read")

    assert "Nothing was changed." in signed_in.text(f"{place}/access")


def test_one_refused_permission_changes_nothing(signed_in: Browser, person: Person) -> None:
    """
    A permission that counts as elevated needs a justification: without one nothing of the change is saved,
    and the form comes back with what was chosen.
    """
    account = _account(person, "user:read")
    place = _place(person, account)
    sent: dict[str, Any] = {"grant": ["group:read", "credential:issue"], "take": ["user:read"], "save": "yes"}
    refused = signed_in.fill(f"{place}/access", to=f"{place}/grants/change", **sent)
    text = refused.content.decode()

    assert 422 == refused.status_code
    assert 'role="alert"' in text
    assert 'name="grant" value="group:read"' in text
    assert ["user:read"] == granted([account.id]).get(account.id, [])


@pytest.mark.parametrize("page", ["account", "role"])
def test_nobody_chooses_more_than_they_hold(browser: Browser, person: Person, page: str) -> None:
    """
    Where the ceiling holds, a permission that the viewer does not hold cannot be ticked, and says why: in the
    matrix of an account and of a role; sent all the same, it is refused.
    """
    account = _account(person)
    other = colleague(person, "helper")
    with transaction(SYSTEM, reason="test") as tx:
        for each in (
            "service_account:read",
            "grant:read",
            "grant:create",
            "grant:delete",
            "role:read",
            "role:create",
        ):
            access.grant(tx, other.principal, each, "test")
    browser.sign_in(other.email, other.password)
    place = _place(person, account)
    address = (
        f"{place}/access"
        if page == "account"
        else f"/o/{person.principal.organization.handle}/access/roles/new"
    )
    text = browser.text(address)
    sent = browser.fill(f"{place}/access", to=f"{place}/grants/change", grant="user:read", save="yes")

    assert " disabled" in _box(text, "user:read")
    assert "You do not hold user:read yourself." in _box(text, "user:read")
    assert " disabled" not in _box(text, "role:read")
    assert 403 == sent.status_code
    assert [] == granted([account.id]).get(account.id, [])


def test_without_direct_grants_none_can_be_ticked(signed_in: Browser, person: Person) -> None:
    """
    Where the policy has no direct grants, an empty box cannot be ticked, and says so.
    """
    account = _account(person)
    set_policy(person, {"grants.sources": ["role"]})
    box = _box(signed_in.text(f"{_place(person, account)}/access"), "user:read")

    assert " disabled" in box
    assert "Not by direct grants here." in box


def test_grants_that_are_no_box_are_listed(signed_in: Browser, person: Person) -> None:
    """
    A pattern stands below the matrix with its own way out; what it gives is inherited in the boxes.
    """
    account = _account(person, "user:*")
    page = signed_in.text(f"{_place(person, account)}/access")

    assert "Other direct grants" in page
    assert '<code class="strong anywhere">user:*</code>' in page
    assert "glyph-inherited" in _box(page, "user:read")
