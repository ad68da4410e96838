"""Access policies in the console: made with their roles, asked whom they take in, changed, deleted."""

from __future__ import annotations

import json
import re

from retinue.server.access.models import AccessPolicy
from retinue.server.access.queries import effective
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague, make_person


def _path(person: Person, rest: str = "") -> str:
    return f"/o/{person.principal.organization.handle}/access/policies{rest}"


def _made(browser: Browser, person: Person) -> str:
    answer = browser.fill(
        _path(person, "/new"),
        name="Prod readers",
        conditions="environment: prod, stage",
        match="all",
        enabled="yes",
        roles=["auditor"],
        justification="as agreed",
    )
    assert 303 == answer.status_code, answer.content.decode()
    return str(answer["Location"])


def test_policy_gives_its_roles_to_whom_it_takes_in(signed_in: Browser, person: Person) -> None:
    """
    An account of the environment that the rule names holds the role, another does not; deleted, it gives nothing.
    """
    inside = account_of(person, "etl", environment="prod")
    outside = account_of(person, "ci", environment="test")
    page = _made(signed_in, person)
    text = signed_in.text(page)

    assert "audit_log:read" in effective(inside)
    assert "audit_log:read" not in effective(outside)
    assert ">etl</a>" in text
    assert ">ci</a>" not in text
    assert "environment: prod, stage</textarea>" in text
    signed_in.fill(page, to=f"{page}/do/delete")
    assert "audit_log:read" not in effective(inside)
    assert "None yet." in signed_in.text(_path(person))


def test_whom_it_would_take_in_is_asked_without_a_change(signed_in: Browser, person: Person) -> None:
    """
    The question names who would be taken in and changes nothing; a condition of an unknown field is told beside it.
    """
    account_of(person, "etl", environment="prod")
    ask = {"name": "x", "match": "all", "preview": "yes"}
    asked = signed_in.fill(_path(person, "/new"), conditions="environment: prod", **ask).content.decode()
    wrong = signed_in.fill(_path(person, "/new"), conditions="colour: red", **ask)

    assert "It would take in" in asked
    assert re.search(r">etl</a>", asked)
    assert 422 == wrong.status_code
    assert 'id="e-conditions" role="alert"' in wrong.content.decode()
    assert "None yet." in signed_in.text(_path(person))


def test_policy_is_changed_and_its_roles_are_given_and_taken(signed_in: Browser, person: Person) -> None:
    """
    What is saved holds at once, with the time since when; a role that is taken away is gone for all.
    """
    account = account_of(person, "etl", environment="prod")
    page = _made(signed_in, person)
    signed_in.fill(page, name="Readers", conditions="", match="all", subjects="etl", enabled="yes")
    named = signed_in.text(page)
    taken = signed_in.fill(page, to=f"{page}/do/take", role="auditor")

    assert "Readers" in named
    assert "Holds since" in signed_in.text(page)
    assert 303 == taken.status_code
    assert "audit_log:read" not in effective(account)
    signed_in.fill(page, to=f"{page}/do/give", role="auditor", justification="again")
    assert "audit_log:read" in effective(account)


def test_nobody_reaches_or_changes_what_is_not_theirs(browser: Browser, person: Person) -> None:
    """
    A policy of another organization is not found; an auditor sees what a change needs, and changes nothing.
    """
    other, theirs = make_person(), Browser()
    theirs.sign_in(other.email, other.password)
    foreign = _made(theirs, other).rpartition("/")[2]
    auditor = colleague(person, "grace", roles=("auditor",))
    browser.sign_in(auditor.email, auditor.password)
    refused = browser.fill(_path(person), to=_path(person, "/new"), name="Mine", match="all")

    assert 404 == browser.get(_path(person, f"/{foreign}")).status_code
    assert 403 == refused.status_code
    assert "access_policy:create" in browser.text(_path(person, "/new"))
    assert "None yet." in browser.text(_path(person))


def _named(person: Person, page: str) -> set[str]:
    policy = page.rpartition("/")[2]
    return set(AccessPolicy.objects.get(id=policy, organization_id=person.principal.organization_id).subjects)


def test_two_who_name_others_lose_nothing(signed_in: Browser, person: Person) -> None:
    """
    Two people open the same rule, one names an account and the other another one and a new description: both
    accounts are named, the first one's name stays; what is ticked as *not any more* alone is taken out.
    """
    etl, job = account_of(person, "etl"), account_of(person, "job")
    page = _made(signed_in, person)
    rule = {"conditions": "environment: prod, stage", "match": "all", "enabled": "yes"}
    same = {**rule, "shown": json.dumps({**rule, "name": "Prod readers", "description": ""})}
    signed_in.fill(page, name="By the first", subjects="etl", **same)
    signed_in.fill(page, name="Prod readers", subjects="job", description="By the second", **same)
    both, text = _named(person, page), signed_in.text(page)
    signed_in.fill(page, name="Prod readers", remove=etl.id, **same)

    assert {etl.id, job.id} == both
    assert "By the first" in text
    assert "By the second" in text
    assert {job.id} == _named(person, page)


def test_page_of_an_account_names_it_beside_others(signed_in: Browser, person: Person) -> None:
    """
    An account is named in a rule, and taken out, from its own page; whom else the rule names stays.
    """
    etl, job = account_of(person, "etl"), account_of(person, "job")
    page = _made(signed_in, person)
    signed_in.fill(page, name="Prod readers", match="all", enabled="yes", subjects="job")
    account = f"/o/{person.principal.organization.handle}/accounts/{etl.id}"
    sent = {"kind": "policy", "id": page.rpartition("/")[2]}
    signed_in.fill(f"{account}/access", to=f"{account}/collections", **sent)
    both = _named(person, page)
    signed_in.fill(f"{account}/access", to=f"{account}/collections", remove="yes", **sent)

    assert {etl.id, job.id} == both
    assert {job.id} == _named(person, page)
