"""Files that leave the console: whole, of this organization alone, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import json
from typing import Any

from retinue.server.console.exporting import table
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person


def _content(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def test_audit_log_is_a_line_an_event(signed_in: Browser, person: Person) -> None:
    """
    Every event of the organization that the filter lets through is a line of JSON, over all pages of the list.
    """
    account_of(make_person(), "foreign")
    for n in range(210):
        account_of(person, f"job-{n}")
    answer = signed_in.get(_path(person, "audit/export?type=account.created"))
    events = [json.loads(line) for line in _content(answer).splitlines()]

    assert 'attachment; filename="audit-' in answer["Content-Disposition"]
    assert {"account.created"} == {each["type"] for each in events}
    assert {f"job-{n}" for n in range(210)} == {each["subject"]["name"] for each in events} - {"Ada Test"}
    assert 403 == _refused(person).status_code


def _refused(person: Person) -> Any:
    member, browser = make_person(roles=("member",)), Browser()
    browser.sign_in(member.email, member.password)
    return browser.get(_path(member, "audit/export"))


def test_review_leaves_with_its_decisions(signed_in: Browser, person: Person) -> None:
    """
    The file of a review has a row an account with its decision; that it was taken stands in the audit log.
    """
    account_of(person, "etl")
    review = str(
        signed_in.fill(_path(person, "reviews/new"), name="Q4", template="full", due_days="14")["Location"]
    )
    rows = list(
        csv.DictReader(_content(signed_in.fill(review, to=f"{review}/export", form="csv")).splitlines())
    )
    whole = json.loads(_content(signed_in.fill(review, to=f"{review}/export", form="json")))

    assert ["etl"] == [each["account"] for each in rows]
    assert ("Q4", 1) == (whole["review"]["name"], len(whole["items"]))
    assert "review.exported" in _content(signed_in.get(_path(person, "audit/export")))


def test_no_cell_is_a_formula() -> None:
    """
    A name that a spreadsheet would compute stands behind an apostrophe; commas, quotes and lines are kept.
    """
    rows: list[dict[str, object]] = [
        {"name": "=HYPERLINK(1)", "note": 'a "b", c\nd'},
        {"name": "@x", "note": None},
        {"name": "＝1", "note": "\n=1"},
    ]
    read = list(csv.DictReader(b"".join(table(("name", "note"), rows)).decode().splitlines(keepends=True)))

    assert [("'=HYPERLINK(1)", 'a "b", c\nd'), ("'@x", ""), ("'＝1", "'\n=1")] == [
        (each["name"], each["note"]) for each in read
    ]
