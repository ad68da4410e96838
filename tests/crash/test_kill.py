"""`kill -9` of every process in the middle of writes: nothing acknowledged is lost, nothing comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import coverage, judge
from tests.crash.run import Database, run, seconds, seed
from tests.server_support.django_setup import kinds


@pytest.mark.parametrize("kind", kinds())
def test_nothing_acknowledged_is_lost(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """
    Control plane, follower, workers and the whole of them are killed at random moments and in the flight of
    changes, while clients change and ask. Afterwards every acknowledged change is there, once and with its
    event; no ended token was accepted; the request log is exact; the replica equals the truth.
    """
    database = None
    if kind == "postgresql":
        server = request.getfixturevalue("postgres_server")
        database = Database(request.getfixturevalue("postgres_url"), server.folder / "log")
    history, evidence = run(tmp_path / "home", database, seed(), seconds())
    counts = coverage.counts(history)
    print(f"{kind}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    findings = judge.judge(history, evidence)
    print("\n".join(findings))

    assert [] == findings
    assert {} == coverage.shortfalls(history)
