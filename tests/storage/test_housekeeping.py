"""What is kept for a time only goes when its time is over, in small pieces, and nothing else goes."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from retinue.server import housekeeping
from retinue.server.api.models import IdempotencyRecord
from retinue.server.console import sessions
from retinue.server.directory.models import BrowserSession
from retinue.server.ledger import current, pruning
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.guard import UnguardedWrite
from retinue.server.ledger.models import AuditEvent, Change, PersonalPart
from retinue.server.nodes import leases
from retinue.server.nodes.models import Lease
from tests.storage.estate import Estate, Follower, Task, truth
from tests.support.processes import wait_for

pytestmark = pytest.mark.usefixtures("awake")
_NEVER = threading.Event()


def _compact(now: datetime) -> int:
    gone = 0
    while went := pruning.compact(now, 7):
        assert went <= 7
        gone += went
    return gone


def test_changes_are_kept_for_seven_days(estate: Estate) -> None:
    """
    What changed within seven days stays; what is older goes, and the head says from where on the log is whole.
    """
    estate.account()
    kept_from = ledger.position().revision
    middle = timezone.now()
    time.sleep(0.01)
    estate.account()
    head = ledger.position()

    assert 0 == _compact(middle + timedelta(days=6, hours=23))
    assert head == ledger.position()
    assert _compact(middle + timedelta(days=7)) > 0
    assert kept_from == ledger.position().compacted_revision
    assert {head.revision} == set(Change.objects.values_list("revision", flat=True))


def test_a_node_that_is_further_behind_loads_a_snapshot(estate: Estate) -> None:
    """
    After a compaction a node that has applied all goes on, and one that is behind is sent to the snapshot;
    both end with the same records.
    """
    behind, current_one = Follower.create(), Follower.create()
    behind.catch_up()
    key, _ = estate.key(estate.account())
    current_one.catch_up()
    _compact(timezone.now() + timedelta(days=8))

    assert not current_one.poll().snapshot
    assert behind.poll().snapshot
    estate.revoke(key)
    behind.catch_up()
    current_one.catch_up()
    assert truth() == behind.rows() == current_one.rows()


def test_the_feed_goes_on_after_everything_was_compacted(estate: Estate) -> None:
    """
    Compacting the last change of all leaves the head where it is; the next change is delivered as any.
    """
    follower = Follower.create()
    follower.catch_up()
    head = ledger.position().revision
    _compact(timezone.now() + timedelta(days=8))
    account = estate.account()

    assert (head, head) == (ledger.position().compacted_revision, ledger.position().revision - 1)
    assert account.id in {change.key for change in follower.poll().changes}


def test_audit_events_are_never_deleted(estate: Estate) -> None:
    """
    In ten years every event is still there, with its personal part; the rest of what is old is gone.
    """
    estate.account()
    before = AuditEvent.objects.count(), PersonalPart.objects.count()
    gone = housekeeping.tidy(timezone.now() + timedelta(days=3650), _NEVER)

    assert before == (AuditEvent.objects.count(), PersonalPart.objects.count())
    assert gone["changes"] > 0
    assert 0 == Change.objects.count()


@pytest.mark.parametrize("verb", ["DELETE FROM ledger_auditevent", "UPDATE ledger_change SET revision = 0"])
def test_the_compaction_may_delete_changes_and_nothing_else(verb: str) -> None:
    """
    The way that is open for old changes is closed for events, and for altering a change.
    """
    with current.compacting(), connection.cursor() as cursor, pytest.raises(UnguardedWrite):
        cursor.execute(verb)


def test_answers_for_repeated_calls_are_kept_for_a_day() -> None:
    """
    An idempotency record goes when it is no longer answered from.
    """
    principal = f"usr_{secrets.token_hex(8)}"
    now = timezone.now()
    for hours in (23, 25):
        IdempotencyRecord.objects.create(
            principal=principal,
            key=str(hours),
            operation="x",
            fingerprint="x",
            created_at=now - timedelta(hours=hours),
        )
    housekeeping.tidy(now, _NEVER)

    assert ["23"] == [row.key for row in IdempotencyRecord.objects.filter(principal=principal)]


def test_sessions_go_when_they_have_ended() -> None:
    """
    A session that has ended by itself goes, one that has not stays.
    """
    now = timezone.now()
    keys = [secrets.token_hex(8) for _ in range(2)]
    for key, hours in zip(keys, (-1, 1), strict=True):
        BrowserSession.objects.create(
            session_key=key, session_data="", expire_date=now + timedelta(hours=hours)
        )

    assert 1 <= sessions.prune(now, 1_000)
    assert [keys[1]] == [row.session_key for row in BrowserSession.objects.filter(session_key__in=keys)]


def test_leases_go_when_their_follower_was_superseded_long_ago() -> None:
    """
    The row of the present follower stays however long it was not heard; of those before it, the old ones go.
    """
    older = Follower.create()
    older.poll()
    newer = Follower(older.node)
    newer.poll()
    rows = Lease.objects.filter(node=older.node).order_by("id")
    incarnations = rows.values_list("incarnation", flat=True)
    while leases.prune(timezone.now() + timedelta(days=6), 1_000):
        pass
    assert [older.incarnation, newer.incarnation] == list(incarnations.all())
    while leases.prune(timezone.now() + timedelta(days=8), 1_000):
        pass

    assert [newer.incarnation] == list(incarnations.all())


def test_one_process_at_a_time_deletes(estate: Estate) -> None:
    """
    On PostgreSQL a process that finds another one deleting leaves everything to it.
    """
    if connection.vendor != "postgresql":
        return  # on SQLite there is one process
    estate.account()
    later = timezone.now() + timedelta(days=8)
    with pruning._turn() as is_ours:
        assert is_ours
        assert 0 == Task(lambda: pruning.compact(later, 10)).result()
    assert pruning.compact(later, 10) > 0


def test_an_error_ends_its_task_and_not_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What cannot be deleted now is tried again later, and the rest is deleted.
    """

    def fail(now: datetime, most: int) -> int:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(housekeeping, "TASKS", {"a": fail, "b": lambda now, most: 3})

    assert {"a": 0, "b": 3} == housekeeping.tidy(timezone.now(), _NEVER)


def test_it_runs_in_the_background_and_stops_between_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The thread begins by itself, deletes piece by piece while there is more, and ends when it is told to.
    """
    pieces: list[int] = []

    def endless(now: datetime, most: int) -> int:
        pieces.append(most)
        return most

    monkeypatch.setattr(housekeeping, "TASKS", {"endless": endless})
    monkeypatch.setattr(housekeeping, "FIRST_SECONDS", 0.0)
    housekeeping.start()
    housekeeping.start()
    wait_for("two pieces", lambda: len(pieces) >= 2)
    assert 1 == [each.name for each in threading.enumerate()].count("retinue-housekeeping")
    housekeeping.stop()
    wait_for("its end", lambda: "retinue-housekeeping" not in [each.name for each in threading.enumerate()])

    assert {housekeeping.AT_ONCE} == set(pieces)
