"""Acts on many accounts that change what they may do, and on all that a filter matches."""

from __future__ import annotations

import csv
from typing import Any
from urllib.parse import unquote

import pytest

from retinue.server.access.queries import effective
from retinue.server.directory.queries import Principal
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person


def _path(person: Person, rest: str = "accounts") -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize(
    ("give", "take", "given"),
    [
        ("give_role", "take_role", "auditor"),
        ("grant", "take", "audit_log:read"),
        ("add_group", "remove_group", ""),
    ],
)
def test_access_of_many_is_given_and_taken(
    signed_in: Browser, person: Person, give: str, take: str, given: str
) -> None:
    """
    The preview changes nothing; done, each holds it; taken away, none does, and the page says since when.
    """
    made = [account_of(person, f"job-{n}") for n in range(3)]
    if give == "add_group":
        group = signed_in.fill(_path(person, "access/groups/new"), name="Data", roles=["auditor"])
        given = str(group["Location"]).rpartition("/")[2]
    form: dict[str, Any] = {"account": [each.id for each in made], "given": given, "justification": "agreed"}
    asked = _text(signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), act="access", **form))
    preview = _text(signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), act=give, **form))
    before = {"audit_log:read" in effective(each) for each in made}
    signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), act=give, sure="yes", **form)
    held = {"audit_log:read" in effective(each) for each in made}
    taken = _text(
        signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), act=take, sure="yes", **form)
    )

    assert "Access of the selected" in asked
    assert "3 would change." in preview
    assert ({False}, {True}) == (before, held)
    assert {False} == {"audit_log:read" in effective(each) for each in made}
    assert "Holds since" in taken


def test_all_that_match_are_meant_at_once(signed_in: Browser, person: Person) -> None:
    """
    With a filter instead of rows, exactly what it matches is changed, once its number was typed.
    """
    for n in range(12):
        account_of(person, f"job-{n}")
    kept = account_of(person, "other")
    form = {"act": "disable", "all": "yes", "search": "job-", "matched": "12", "sure": "yes"}
    wrong = _text(signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), expected="3", **form))
    untouched = Principal.objects.filter(organization=person.principal.organization, state="disabled").count()
    signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), expected="12", **form)

    assert "that is not their number" in wrong
    assert 0 == untouched
    assert "enabled" == Principal.objects.get(id=kept.id).state
    assert (
        12
        == Principal.objects.filter(
            organization=person.principal.organization, kind="service_account", state="disabled"
        ).count()
    )


def test_a_group_takes_no_more_than_was_previewed(signed_in: Browser, person: Person) -> None:
    """
    An account that fits the filter since the preview is not put into a group unseen: nothing is done.
    """
    made = [account_of(person, f"job-{n}") for n in range(2)]
    group = signed_in.fill(_path(person, "access/groups/new"), name="Data", roles=["auditor"])
    form = {
        "act": "add_group",
        "all": "yes",
        "search": "job-",
        "matched": "2",
        "sure": "yes",
        "given": str(group["Location"]).rpartition("/")[2],
        "justification": "agreed",
    }
    late = account_of(person, "job-late")
    refused = signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), **form)
    before = {"audit_log:read" in effective(each) for each in (*made, late)}
    signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), **form | {"matched": "3"})

    assert 409 == refused.status_code
    assert "3 objects are in it, not 2" in _text(refused)
    assert {False} == before
    assert {True} == {"audit_log:read" in effective(each) for each in (*made, late)}


def test_chosen_accounts_are_reviewed(signed_in: Browser, person: Person) -> None:
    """
    A review of the chosen rows begins with a form that names them, and holds them alone.
    """
    first, _second = account_of(person, "etl"), account_of(person, "ci")
    led = signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), act="review", account=[first.id])
    form = str(led["Location"])
    review = signed_in.fill(form, name="Some", template="scope", accounts=first.id, due_days="14")

    assert first.id in unquote(form)
    text = signed_in.text(str(review["Location"]))
    assert "Decide about etl" in text
    assert "Decide about ci" not in text


def test_list_leaves_as_a_table(signed_in: Browser, person: Person) -> None:
    """
    The file has every account of the view and filter, over all pages, and none of another organization.
    """
    account_of(make_person(), "job-foreign")
    for n in range(60):
        account_of(person, f"job-{n}")
    account_of(person, "other")
    answer = signed_in.get(_path(person, "accounts/export?search=job-"))
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))

    assert {f"job-{n}" for n in range(60)} == {each["name"] for each in rows}
    assert {person.email} == {each["owners"] for each in rows}


def test_acts_reach_nobody_elsewhere(signed_in: Browser, person: Person) -> None:
    """
    Accounts of another organization are refused row by row, or the whole act is; nothing of theirs changes.
    """
    foreign = account_of(make_person(), "foreign")
    for act, given in (("give_role", "auditor"), ("disable", "")):
        form: dict[str, Any] = {"account": [foreign.id], "given": given, "sure": "yes", "justification": "x"}
        signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), act=act, **form)

    assert "enabled" == Principal.objects.get(id=foreign.id).state
    assert frozenset() == effective(foreign)
