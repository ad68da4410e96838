"""What a follower writes down of an answer: where it stands, and from when on it may decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue.node.children import Children
from retinue.node.feed_client import PollAnswer, SnapshotAnswer
from retinue.node.replica_writer import ReplicaWriter
from retinue.replica.lease import boot_clock_ns, wall_clock_ms
from retinue.replica.records import Change, Kind


@pytest.fixture
def writer(tmp_path: Path) -> ReplicaWriter:
    """A replica with a running lease."""
    found = ReplicaWriter(tmp_path / "replica", Children(tmp_path))
    found.open()
    found.take(SnapshotAnswer(1, 1, []), "")
    hear(found, head=1)
    assert found.meta.fresh_from_ns > 0
    return found


def hear(writer: ReplicaWriter, *, head: int, more: bool = False, passed_ms: int = 0) -> None:
    """Apply an answer by whose clock ``passed_ms`` more have passed than here; with ``more`` it brings a
    part."""
    now_ms = wall_clock_ms()
    changes = [Change(writer.meta.revision + 1, Kind.PERMISSION, "p", None)] if more else []
    answer = PollAnswer(writer.incarnation, 1, head, changes, more, not more, now_ms + passed_ms)
    writer.apply(answer, boot_clock_ns(), now_ms)


@pytest.mark.parametrize("more", [False, True])
def test_a_loss_ends_the_lease_whatever_the_answer_brings(writer: ReplicaWriter, more: bool) -> None:
    """
    An answer that shows that this machine lost more than a clock may ends the running lease and is told of, also
    where it brings a part of the changes and no lease. The next whole answer gives another one.
    """
    hear(writer, head=9, more=more, passed_ms=3_000)
    ended, losses = writer.meta.fresh_from_ns, list(writer.losses)
    hear(writer, head=9, passed_ms=3_000)

    assert 0 == ended
    assert 1 == len(losses)
    assert 2_500 < losses[0]["lost_ms"] < 3_500
    assert writer.meta.fresh_from_ns > 0


def test_a_part_of_the_changes_leaves_the_lease_as_it_is(writer: ReplicaWriter) -> None:
    """
    Without a loss the lease runs on from where it began.
    """
    before = writer.meta.fresh_from_ns
    hear(writer, head=9, more=True)

    assert before == writer.meta.fresh_from_ns
