"""Roles, groups, teams, and why somebody may do something, in the console."""

from __future__ import annotations

import re

import pytest

from retinue.server.access.queries import effective, roles
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague, make_person

SECTIONS = ("roles", "groups", "teams", "permissions")


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/access/{rest}"


def _role(browser: Browser, person: Person, *permissions: str) -> str:
    """Make a role by the form; returns its address."""
    answer = browser.fill(
        _path(person, "roles/new"), name="Reader", description="Reads.", permissions=list(permissions)
    )
    assert 303 == answer.status_code
    return str(answer["Location"])


def test_role_is_made_changed_and_deleted(signed_in: Browser, person: Person) -> None:
    """
    The form makes a role of exactly what was chosen, changes it so, and deletes it.
    """
    address = _role(signed_in, person, "audit_log:read")
    text = signed_in.text(address)
    seen = re.search(r'name="seen" value="([^"]+)"', text)
    assert seen is not None
    form = {"name": "Reader", "description": "Reads.", "seen": seen[1], "justification": "for the test"}
    signed_in.fill(address, **form, permissions=["audit_log:read", "finding:read"], patterns="report:*")
    changed = signed_in.text(address)
    signed_in.fill(address, to=f"{address}/delete")

    assert 'value="audit_log:read" checked' in text
    assert ["audit_log:read", "finding:read"] == re.findall(r'value="([a-z_:]+)" checked', changed)
    assert 'name="patterns" value="report:*"' in changed
    assert "reader" not in roles(person.principal.organization_id)


def test_role_that_somebody_else_changed_is_not_overwritten(signed_in: Browser, person: Person) -> None:
    """
    A form that shows an older state of a role is refused, and the role stays.
    """
    address = _role(signed_in, person, "audit_log:read")
    late = signed_in.fill(address, name="Other", seen="2020-01-01T00:00:00Z")

    assert 409 == late.status_code
    assert "Somebody else has changed this role meanwhile." in late.content.decode()
    assert "Reader" == roles(person.principal.organization_id)["reader"].name


@pytest.mark.parametrize("kind", ["group", "team"])
def test_group_carries_its_roles_to_its_members(signed_in: Browser, person: Person, kind: str) -> None:
    """
    Members hold what a group or team carries, until they are removed or it is deleted; each says since when.
    """
    _role(signed_in, person, "audit_log:read")
    account = account_of(person, "etl")
    made = signed_in.fill(_path(person, f"{kind}s/new"), name="Data", members="etl", roles=["reader"])
    address = str(made["Location"])
    by_group = effective(account)
    text = signed_in.text(address)
    signed_in.fill(address, to=f"{address}/do/remove", member=account.id)
    removed = signed_in.text(address)

    assert "audit_log:read" in by_group
    assert ">etl</a>" in text
    assert "Holds since" in removed
    assert "audit_log:read" not in effective(account)
    signed_in.fill(address, to=f"{address}/do/add", members="etl")
    assert "audit_log:read" in effective(account)
    signed_in.fill(address, to=f"{address}/do/delete")
    assert "audit_log:read" not in effective(account)
    assert ">Data</a>" not in signed_in.text(_path(person, f"{kind}s"))


def test_team_has_resources(signed_in: Browser, person: Person) -> None:
    """
    Resources are added and removed by their ids; a group has none, and no address for them.
    """
    team = str(signed_in.fill(_path(person, "teams/new"), name="Sales")["Location"])
    group = str(signed_in.fill(_path(person, "groups/new"), name="Data")["Location"])
    signed_in.fill(team, to=f"{team}/do/resources", add="report/emea, report/apac")
    tab = f"{team}?tab=resources"
    added = signed_in.text(tab)
    signed_in.fill(tab, to=f"{team}/do/resources", remove="report/emea")
    removed = signed_in.text(tab)

    assert "report/emea</code>" in added
    assert "report/emea</code>" not in removed
    assert "report/apac</code>" in removed
    assert 404 == signed_in.fill(group, to=f"{group}/do/resources", add="report/emea").status_code


def test_why_names_the_path(signed_in: Browser, person: Person) -> None:
    """
    The page says by which role and group a permission is held, who may, and that nobody else does.
    """
    _role(signed_in, person, "audit_log:read")
    account_of(person, "etl")
    account_of(person, "ci")
    signed_in.fill(_path(person, "groups/new"), name="Data", members="etl", roles=["reader"])
    ask = _path(person, "explain?permission=audit_log:read")

    assert "role Reader &lt;- group Data" in signed_in.text(f"{ask}&principal=etl")
    assert "No path leads there" in signed_in.text(f"{ask}&principal=ci")
    assert ">etl</a>" in signed_in.text(ask)
    assert ">ci</a>" not in signed_in.text(ask)


def test_permissions_say_what_needs_them(signed_in: Browser, person: Person) -> None:
    """
    A permission of Retinue itself names the endpoints that need it, also for a field of a body.
    """
    text = signed_in.text(_path(person, "permissions?search=grant:create"))

    assert "POST /v1/service-accounts</code>" in text
    assert "endpoints need it" in text


def test_nothing_of_another_organization_is_reached(signed_in: Browser, person: Person) -> None:
    """
    Roles, groups and teams of another organization are not found, whatever address names them.
    """
    other, theirs = make_person(), Browser()
    theirs.sign_in(other.email, other.password)
    for kind in ("role", "group", "team"):
        made = str(theirs.fill(_path(other, f"{kind}s/new"), name="Foreign")["Location"])
        ident = made.rpartition("/")[2]

        assert 404 == signed_in.get(_path(person, f"{kind}s/{ident}")).status_code
        assert "Foreign" not in signed_in.text(_path(person, f"{kind}s"))


def test_who_may_not_change_sees_why(browser: Browser, person: Person) -> None:
    """
    An auditor sees roles and groups with what a change would need; a form sent all the same changes nothing.
    """
    auditor = colleague(person, "grace", roles=("auditor",))
    browser.sign_in(auditor.email, auditor.password)
    for section in SECTIONS:
        browser.text(_path(person, section))
    refused = browser.fill(_path(person, "roles"), to=_path(person, "roles/new"), name="Mine")

    assert "You need role:create" in browser.text(_path(person, "roles"))
    assert 403 == refused.status_code
    assert "mine" not in roles(person.principal.organization_id)


def test_account_is_put_into_a_group_and_taken_out(signed_in: Browser, person: Person) -> None:
    """
    From the account's own page: it holds what the group carries, and nothing of it once it is taken out.
    """
    account = account_of(person, "etl")
    _role(signed_in, person, "audit_log:read")
    group = str(signed_in.fill(_path(person, "groups/new"), name="Data", roles=["reader"])["Location"])
    page = f"/o/{person.principal.organization.handle}/accounts/{account.id}"
    ident = group.rpartition("/")[2]
    signed_in.fill(f"{page}/access", to=f"{page}/collections", kind="group", id=ident)
    inside, text = effective(account), signed_in.text(f"{page}/access")
    signed_in.fill(f"{page}/access", to=f"{page}/collections", kind="group", id=ident, remove="yes")
    after = signed_in.text(f"{page}/access")

    assert "audit_log:read" in inside
    assert f'href="{group}">Data</a>' in text
    assert f'href="{group}">Data</a>' not in after
    assert "Holds since" in after
    assert "audit_log:read" not in effective(account)
