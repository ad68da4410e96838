"""What a node tells of itself: its version, what it knows, and how fast it decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue import __version__
from retinue.decision import Reason
from retinue.node import telling
from retinue.node.children import Children
from retinue.node.feed_client import PollAnswer, SnapshotAnswer
from retinue.node.metrics import BUCKET_COUNT, Metrics, durations, quantile_ns
from retinue.node.replica_writer import ReplicaWriter
from retinue.replica.lease import boot_clock_ns, wall_clock_ms
from retinue.replica.records import Change, Kind
from tests.node.control import JSON, Control
from tests.node.faults import refuse
from tests.node.following import Home, following, settle
from tests.support.processes import wait_for


def _told(control: Control) -> list[JSON]:
    with control.lock:
        return [each.body for each in control.received if each.path.endswith("/announce")]


def test_a_follower_tells_of_its_node(home: Home, control: Control) -> None:
    """
    Soon after its replica is complete, without a key, a clock, or anything else that its polls say; a control
    plane that does not understand it changes nothing.
    """
    control.faults["announce"].append(refuse(400, "unknown_field", "body.about"))
    with following(home, control):
        settle(home, control)
        wait_for("it tells", lambda: _told(control), seconds=30)
        control.change("later")
        settle(home, control)
    [told] = _told(control)

    assert [] == list(control.faults["announce"])  # the refusal was given
    assert {"node", "about"} == set(told)
    assert {"version", "credentials", "decisions", "window_seconds"} == set(told["about"])
    assert (__version__, 0) == (told["about"]["version"], told["about"]["decisions"])


def test_credentials_are_counted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each is counted once, and no record of another kind, wherever the parts end; anew when something changes.
    """
    monkeypatch.setattr(telling, "AT_ONCE", 3)
    replica = ReplicaWriter(tmp_path / "replica", Children(tmp_path))
    replica.open()
    counter = telling._Count(replica)
    counted, kinds = [], (Kind.PRINCIPAL, Kind.CREDENTIAL, Kind.IDENTITY_KEY)
    for epoch, number in enumerate((0, 1, 2, 3, 4, 6, 7), start=1):
        changes = [Change(1, kind, f"k{n}", b"\x80", None) for kind in kinds for n in range(number)]
        replica.take(SnapshotAnswer(epoch, 1, changes), "")
        counted.append(counter.credentials())
    now = wall_clock_ms()
    gone = [Change(2, Kind.CREDENTIAL, "k1", None, None)]
    replica.apply(PollAnswer(replica.incarnation, 7, 2, gone, False, True, now), boot_clock_ns(), now)

    assert ([0, 1, 2, 3, 4, 6, 7], 6) == (counted, counter.credentials())


def test_durations_of_all_workers_are_put_together(tmp_path: Path) -> None:
    """
    Half, and all but one in a hundred, took no longer than is told; it is no more than twice the truth.
    """
    workers = [Metrics(tmp_path, f"worker-{index}") for index in range(2)]
    took = [1_000 * number for number in range(1, 1_001)]
    for number, each in enumerate(took):
        workers[number % 2].count(Reason.TOKEN_UNKNOWN if number % 3 else None, False, each)
    for worker in workers:
        worker.flush()
    buckets = durations(tmp_path)
    told = [quantile_ns(buckets, share) or 0 for share in (0.5, 0.99)]

    assert 1_000 == sum(buckets)
    assert [True, True] == [
        truth / 2 <= each <= truth * 2 for truth, each in zip((500_000, 990_000), told, strict=True)
    ]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, None),
        ({0: 10}, 512),
        ({1: 1}, 1_536),
        ({3: 4}, 4_096 + 2_048),
        ({0: 1, 5: 9}, 16_384 + 16_384 * 4 // 9),
        ({BUCKET_COUNT - 1: 3}, 512 << (BUCKET_COUNT - 1)),
    ],
)
def test_half_of_the_decisions_took_no_longer(counts: dict[int, int], expected: int | None) -> None:
    """
    Within a bucket they are spread evenly; of the open one the lower bound is told, and of none nothing.
    """
    buckets = [counts.get(number, 0) for number in range(BUCKET_COUNT)]

    assert expected == quantile_ns(buckets, 0.5)
