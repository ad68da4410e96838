"""Revisions are one order without gaps, whoever writes and whatever fails in between."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

from django.db import connection
from django.db.models import Count, Max

from retinue.server.ledger import feed as ledger
from retinue.server.ledger.models import AuditEvent, Change
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.storage.estate import Estate, Task, truth
from tests.storage.writer import write

ROOT = Path(__file__).resolve().parents[2]
THREADS, PROCESSES, WRITES = 8, 4, 25


def _check(before: int, committed: list[list[int]]) -> None:
    """Check the order of everything since ``before``, which was written by ``committed`` alone."""
    head = ledger.position().revision
    everybody = sorted(revision for each in committed for revision in each)
    assert list(range(before + 1, head + 1)) == everybody
    for each in committed:
        assert sorted(each) == each
    events = AuditEvent.objects.filter(revision__gt=before)
    assert set(everybody) == set(events.values_list("revision", flat=True))
    for row in events.values("revision").annotate(events=Count("id"), last=Max("n")):
        assert row["events"] == row["last"]
    for ident, revision, n in events.values_list("id", "revision", "n"):
        assert f"{revision}.{n}" == ident
    assert set(Change.objects.filter(revision__gt=before).values_list("revision", flat=True)) <= set(
        everybody
    )


def test_threads_make_one_order_without_gaps(estate: Estate) -> None:
    """
    Eight writers at once, a third of whose transactions fail, some after they took their revision: the
    revisions of the commits have no gap, each has its events, and a writer's own follow one another.
    """
    before = ledger.position().revision
    organization, owner = estate.organization.id, estate.owner.id
    began = time.monotonic()
    tasks = [Task(partial(write, organization, owner, WRITES, seed)) for seed in range(THREADS)]
    committed = [task.result(60) for task in tasks]

    took = time.monotonic() - began
    print(f"\n{connection.vendor}: {sum(map(len, committed)) / took:.0f} commits/s by {THREADS} threads")
    assert all(committed)
    _check(before, committed)


def test_processes_make_one_order_without_gaps(estate: Estate) -> None:
    """
    The same with four processes (two on SQLite), one of which is killed in the middle of its writes.
    """
    before = ledger.position().revision
    processes = PROCESSES if connection.vendor == "postgresql" else 2
    started = [_start(estate, seed) for seed in range(processes)]
    victim = _start(estate, seed=99, count=10_000)
    time.sleep(1.5)
    victim.kill()
    victim.wait()
    committed = [[int(text) for text in process.communicate(timeout=60)[0].split()] for process in started]

    assert [0] * processes == [process.returncode for process in started]
    known = {revision for each in committed for revision in each}
    head = ledger.position().revision
    orphans = sorted(set(range(before + 1, head + 1)) - known)  # the victim could not tell
    _check(before, [*committed, orphans])
    assert truth()


def test_who_has_taken_the_head_waits_for_nobody(estate: Estate) -> None:
    """
    A writer writes a row of an organization that another one has locked, and neither waits for the other's end
    with what that one needs: on PostgreSQL it does not wait at all, on SQLite one comes after the other.
    """
    account = estate.account()
    is_locked = threading.Event()

    def create() -> int | None:
        with transaction(SYSTEM, reason="test") as tx:
            estate.account_in(tx)  # an account's name is decided under a lock on the organization
            is_locked.set()
            time.sleep(0.5)  # the other one gets as far as it can
        return tx.revision

    creating = Task(create)
    assert is_locked.wait(10)
    estate.key(account)

    created, head = creating.result(), ledger.position().revision
    assert created == (head if connection.vendor == "postgresql" else head - 1)


def _start(estate: Estate, seed: int, count: int = WRITES) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.storage.writer", estate.organization.id, estate.owner.id]
    return subprocess.Popen(
        [*command, str(count), str(seed)], cwd=ROOT, env=environment(), stdout=subprocess.PIPE
    )


def environment() -> dict[str, str]:
    """Return the environment of a process that works on the database of this test."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = f"postgresql://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return {**os.environ, "RETINUE_DATABASE_URL": url}
