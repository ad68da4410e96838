"""Saved views in the console: what the address shows under a name."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.server.directory.models import SavedView
from retinue.server.ledger.guard import suspended_for_schema_changes
from tests.console.browser import Browser
from tests.console.people import Person, account_of, colleague


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _save(browser: Browser, person: Person, of: str, name: str, **shown: Any) -> str:
    path = _path(person, f"views?of={of}")
    answer = browser.fill(path, to=_path(person, "views/save"), of=of, view_name=name, **shown)
    assert answer.status_code == 303, answer.content
    return str(answer["Location"])


@pytest.mark.parametrize(
    ("of", "place", "shown"),
    [
        (
            "service-accounts",
            "accounts",
            {"view": "disabled", "sort": "-created_at", "columns": "owner,teams"},
        ),
        ("credentials", "credentials", {"status": "idle", "density": "compact"}),
        ("requests", "requests", {"decision": "denied"}),
        ("audit-events", "audit", {"type": "key.revoked"}),
    ],
)
def test_a_view_of_each_list_opens_as_it_was_saved(
    signed_in: Browser, person: Person, of: str, place: str, shown: dict[str, str]
) -> None:
    """
    Opening a view leads to the list with the same filters, sort and columns, and its name stands there.
    """
    led = _save(signed_in, person, of, "Mine & more", **shown)
    row = SavedView.objects.get(owner=person.principal, name="Mine & more")
    opened = str(signed_in.get(_path(person, f"views/{row.id}"))["Location"])
    page = signed_in.text(opened)

    assert led == opened
    assert opened.startswith(_path(person, f"{place}?"))
    for name, value in shown.items():
        assert f"{name}={value.replace(',', '%2C')}" in opened
    assert "Mine &amp; more" in page


def test_a_view_is_renamed_overwritten_and_deleted(signed_in: Browser, person: Person) -> None:
    """
    Each act changes what it says and leaves the rest.
    """
    _save(signed_in, person, "service-accounts", "Idle", view="idle")
    row = SavedView.objects.get(owner=person.principal)
    list_, change = _path(person, "views?of=service-accounts"), _path(person, f"views/{row.id}/change")
    signed_in.fill(list_, to=change, act="rename", view_name="Asleep")
    signed_in.fill(list_, to=change, act="overwrite", view="mine", search="job")
    row.refresh_from_db()
    signed_in.fill(list_, to=change, act="delete")

    assert ("Asleep", {"owner": "me", "search": "job"}) == (row.name, row.filters)
    assert not SavedView.objects.filter(id=row.id).exists()


def test_mine_is_whoever_looks(signed_in: Browser, person: Person) -> None:
    """
    A shared view of one's own accounts shows each viewer theirs; who may not share cannot, nor change it.
    """
    account_of(person, "adas-job")
    other = colleague(person, "eve", roles=("auditor",))
    account_of(person, "eves-job", owner=other.principal)
    opened = _save(signed_in, person, "service-accounts", "Mine", view="mine", shared="yes")
    mine = signed_in.text(opened)
    browser = Browser()
    browser.sign_in(other.email, other.password)
    theirs = browser.text(opened)
    row = SavedView.objects.get(owner=person.principal)
    dialog = browser.text(_path(person, "views?of=service-accounts"))
    browser.fill(_path(person, "accounts"), to=_path(person, f"views/{row.id}/change"), act="delete")

    assert ("adas-job" in mine, "eves-job" in mine) == (True, False)
    assert ("adas-job" in theirs, "eves-job" in theirs) == (False, True)
    assert "You need saved_view:share." in dialog
    assert SavedView.objects.filter(id=row.id).exists()


def test_a_view_says_what_is_there_no_more(signed_in: Browser, person: Person) -> None:
    """
    A filter that has gone is named where the view is opened, and the list is shown without it.
    """
    account_of(person, "etl")
    _save(signed_in, person, "service-accounts", "Old", search="etl")
    row = SavedView.objects.get(owner=person.principal)
    with suspended_for_schema_changes():
        SavedView.objects.filter(id=row.id).update(filters={"search": "etl", "planet": "mars"})
    opened = str(signed_in.get(_path(person, f"views/{row.id}"))["Location"])
    page = signed_in.text(opened)

    assert "planet" not in opened
    assert "This view names what is there no more" in page
    assert "<code>filters.planet</code>" in page
    assert ">etl</a>" in page
