"""The thread that stores the control plane's own request log goes on, whatever lies in its way."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from retinue.server.traffic import queries, recorder
from retinue.server.traffic.actions import Entry, ingest
from tests.api.world import Caller, World


def uses(caller: Caller) -> int:
    """How often the caller's credential is counted as used."""
    assert caller.token is not None
    credential = f"key_{caller.token.kid}"
    used = queries.usage([credential]).get(credential)
    return 0 if used is None else used.count


def test_stray_folder_is_no_spool(world: World) -> None:
    """
    A folder that no process of ours made neither ends the thread nor refuses a call that is repeated.
    """
    caller = world.caller("service_account:create")
    stray = recorder._folder() / "Größe unbekannt"
    stray.mkdir(parents=True)
    try:
        body = {"name": "etl", "purpose": "x", "owners": [world.owner.id]}
        made = [caller.post("/v1/service-accounts", body, {"Idempotency-Key": "k"}) for _ in range(2)]
        recorder._Storing().round()
        recorder.store_all()

        assert [201, 201] == [each.status for each in made]
        assert 2 == uses(caller)
        assert stray.exists()
    finally:
        stray.rmdir()


def test_spool_that_cannot_be_stored_does_not_keep_up_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    One spool fails for a reason of its own: it is complained of once, and the next one is stored.
    """
    caller = world.caller("user:read")
    caller.get("/v1/users")
    broken = recorder._folder() / "a-broken-one"  # comes before the own one, control-...
    broken.mkdir()
    (broken / "lock").touch()

    def fail(node: str, spool: str, first: int, entries: Sequence[Entry]) -> int:
        if spool == broken.name:
            raise RuntimeError("no such thing")
        return ingest(node, spool, first, entries)

    monkeypatch.setattr(recorder, "ingest", fail)
    storing = recorder._Storing()
    try:
        with caplog.at_level(logging.WARNING):
            storing.round()
            storing.round()
    finally:
        (broken / "lock").unlink()
        broken.rmdir()

    assert 1 == uses(caller)
    assert 1 == caplog.text.count("storing a-broken-one")


def test_thread_goes_on_after_any_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An error that nobody thought of is logged, and the thread stores again.
    """
    rounds: list[int] = []

    def fail_then_end(_: object) -> None:
        rounds.append(len(rounds))
        raise SystemExit if len(rounds) == 3 else ValueError("unheard of")

    monkeypatch.setattr(recorder, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(recorder._Storing, "round", fail_then_end)
    with pytest.raises(SystemExit):
        recorder._Storing().run()

    assert [0, 1, 2] == rounds
