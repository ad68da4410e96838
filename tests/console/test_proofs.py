"""What proves the audit log, in the console: how far it was looked at, a look now, and the proof of an event."""

from __future__ import annotations

import pytest

from retinue.server.ledger import appending, current, keeping, verifying
from retinue.server.ledger.keeping import Keeper
from retinue.server.ledger.models import Log
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person
from tests.server_support import merkle


def _path(person: Person, rest: str = "") -> str:
    return f"/o/{person.principal.organization.handle}/audit{rest}"


def test_a_look_at_the_log_is_told(
    signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    *Verify now* has the rows looked at; the page then says up to which entry, and that the log is whole. What was
    found wrong stands there instead, and the home page says so at its head.
    """
    account_of(person, "etl")
    keeper = Keeper(merkle.append())
    monkeypatch.setattr(keeping, "_keeper", keeper)
    keeper.start()
    done = signed_in.fill(_path(person), to=_path(person, "/verify"))
    keeper.end()
    keeper.join(10)
    log = appending.newest()
    assert log is not None
    well = signed_in.text(_path(person))
    home_well = signed_in.text("/")
    verifying.note("the log was cut")
    ill, home_ill = signed_in.text(_path(person)), signed_in.text("/")
    with current.appending():
        Log.objects.filter(id=log.id).update(trouble=[])

    assert 303 == done.status_code
    assert f"Verified up to entry {log.verified_size} of {log.size}" in well
    assert "not what was signed" not in well
    assert "not what was signed" in ill
    assert "the log was cut" in ill
    said = "The audit log is not what was signed."
    assert (False, True) == (said in home_well, said in home_ill)


def test_the_proof_of_an_event_is_shown(signed_in: Browser, person: Person) -> None:
    """
    The page of an event's proof shows record and checkpoint; that of another organization's event is not there,
    and one that is not in the log yet is told so.
    """
    other = make_person()
    account_of(other, "theirs")
    merkle.append()
    account_of(person, "etl")
    late = signed_in.get(_path(person, f"/{_newest(person)}/proof"))
    merkle.append()
    page = signed_in.text(_path(person, f"/{_newest(person)}/proof"))

    assert 303 == late.status_code
    assert "c2sp.org/tlog-proof@v1" in page
    assert "&quot;type&quot;:&quot;account.created&quot;" in page
    assert 404 == signed_in.get(_path(person, f"/{_newest(other)}/proof")).status_code


def _newest(person: Person) -> str:
    from retinue.server.ledger.queries import events

    rows = events(person.principal.organization_id).filter(type="account.created")
    return str(rows.order_by("-revision", "-n")[0].id)
