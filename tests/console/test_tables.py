"""Columns and density of lists, and files of exactly what is shown."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retinue.server.access import actions as access
from retinue.server.api.saved_views import LISTS
from retinue.server.console.tables import TABLES
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.traffic.models import Request
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague
from tests.server_support.hours import recount


def _path(person: Person, rest: str = "accounts") -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _heads(text: str) -> list[str]:
    head = text.partition("<thead>")[2].partition("</thead>")[0]
    return [each.partition(">")[2].partition("<")[0].strip() for each in head.split("<th ")[1:]]


def _file(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_saved_views_know_the_same_columns() -> None:
    """
    What a view may name is what a table can show, list by list.
    """
    assert {name: set(columns) for name, (_model, columns) in LISTS.items()} == {
        name: set(table.columns) for name, table in TABLES.items()
    }


def test_columns_in_the_address_are_those_of_the_table(signed_in: Browser, person: Person) -> None:
    """
    The columns that the address names are shown, each with its heading, and no other; what is none is left out.
    """
    account_of(person, "etl", environment="prod")
    usual = _heads(signed_in.text(_path(person)))
    chosen = signed_in.text(_path(person, "accounts?columns=environment,status,shoe_size&density=compact"))

    assert "Owner" in usual
    assert ["Status", "Environment"] == [each for each in _heads(chosen) if each]
    assert "Owner" not in _heads(chosen)
    assert 'class="data compact"' in chosen
    assert "<td>prod</td>" in chosen


def test_a_choice_is_remembered_for_its_person(signed_in: Browser, person: Person) -> None:
    """
    After the form was sent the list has those columns without any in its address; another person in the same
    browser has the usual ones; "as usual" forgets.
    """
    account_of(person, "etl")
    led = signed_in.get(
        _path(person, "tables/service-accounts?columns=status&columns=teams&density=compact&view=mine")
    )
    kept = _heads(signed_in.text(_path(person)))
    other = colleague(person, "eve", roles=("auditor",))
    signed_in.client.logout()
    signed_in.sign_in(other.email, other.password)
    theirs = _heads(signed_in.text(_path(person)))
    signed_in.client.logout()
    signed_in.sign_in(person.email, person.password)
    signed_in.get(_path(person, "tables/service-accounts?reset=yes"))
    reset = _heads(signed_in.text(_path(person)))

    assert (303, _path(person, "accounts?view=mine&columns=status%2Cteams&density=compact")) == (
        led.status_code,
        led["Location"],
    )
    assert ("Teams" in kept, "Owner" in kept) == (True, False)
    assert ("Teams" in theirs, "Owner" in theirs) == (False, True)
    assert ("Teams" in reset, "Owner" in reset) == (False, True)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_has_what_is_shown_and_nothing_else(signed_in: Browser, person: Person, form: str) -> None:
    """
    A file has the rows that match, over all pages, with the chosen columns beside id, handle and name.
    """
    for n in range(55):
        account_of(person, f"job-{n}", environment="prod")
    account_of(person, "other")
    query = f"accounts/export?search=job-&columns=environment,groups&form={form}"
    text = _file(signed_in.get(_path(person, query)))
    rows = json.loads(text) if form == "json" else list(csv.DictReader(text.splitlines()))

    assert ["groups", "environment"] == list(rows[0])[3:]
    assert ["id", "handle", "name"] == list(rows[0])[:3]
    assert {f"job-{n}" for n in range(55)} == {each["handle"] for each in rows}
    assert {"prod"} == {each["environment"] for each in rows}


def test_a_file_of_nothing_is_one(signed_in: Browser, person: Person) -> None:
    """
    Where no row matches, the JSON file is an empty list.
    """
    text = _file(signed_in.get(_path(person, "accounts/export?search=none-such&form=json")))

    assert [] == json.loads(text)


def test_week_of_an_account_is_in_its_row(browser: Browser, signed_in: Browser, person: Person) -> None:
    """
    The column of traffic counts what was allowed and denied in seven days, by day, in the list and in a file; who may
    not read the request log sees no figures.
    """
    made = account_of(person, "etl")
    now = datetime.now(UTC)
    for days, allowed in ((0, True), (0, False), (2, True), (9, True)):
        common = {"organization": person.principal.organization_id, "account": made.id, "node": "n"}
        Request.objects.create(**common, at=now - timedelta(days=days), allowed=allowed)
    recount()
    query = "accounts{}?columns=traffic&search=etl{}"
    page = signed_in.text(_path(person, query.format("", "")))
    [row] = json.loads(_file(signed_in.get(_path(person, query.format("/export", "&form=json")))))
    other = colleague(person, "eve")
    with transaction(SYSTEM, reason="test") as tx:
        access.grant(tx, other.principal, "service_account:read", "test")
    signed_in.client.logout()
    browser.sign_in(other.email, other.password)
    blind = browser.text(_path(person, query.format("", "")))

    assert (2, 1) == (row["allowed_7d"], row["denied_7d"])
    assert f"?account={made.id}&amp;range=7d" in page
    assert (2, 1) == (page.count('class="bar-allowed"'), page.count('class="bar-denied-ground"'))
    assert "Traffic 7 d" in blind
    assert "range=7d" not in blind


def test_what_was_never_used_is_counted(signed_in: Browser, person: Person) -> None:
    """
    The column of unused permissions counts what an account holds and never exercised.
    """
    made = account_of(person, "etl")
    form: dict[str, Any] = {
        "act": "give_role",
        "given": "auditor",
        "account": [made.id],
        "sure": "yes",
        "justification": "x",
    }
    signed_in.fill(_path(person), to=_path(person, "accounts/bulk"), **form)
    query = "accounts/export?columns=unused&form=json"
    [row] = [each for each in json.loads(_file(signed_in.get(_path(person, query)))) if each["id"] == made.id]

    assert "audit_log:read" in row["unused_permissions"]
