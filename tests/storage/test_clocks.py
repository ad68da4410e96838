"""The watch over the clocks of nodes, from polls to answers, rows and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from retinue.replica import clocks
from retinue.replica.lease import wall_clock_ms
from retinue.server.errors import Refused
from retinue.server.ledger.models import AuditEvent
from retinue.server.nodes import feed, leases
from retinue.server.nodes.feed import PollAnswer
from retinue.server.nodes.models import Lease
from retinue.server.nodes.rules import MOST_LOSSES, ClockLoss
from tests.storage.estate import Follower

pytestmark = pytest.mark.usefixtures("awake")
_S = 1_000_000_000


@dataclass
class Host:
    """The clock of a host of the control plane, in seconds, and its name."""

    now: float = 5_000.0
    name: str = "this host"

    def polls(self, follower: Follower, rate: float, seconds: float, pause: float = 1.25) -> list[PollAnswer]:
        """Let time pass while a node polls whose clock runs at ``rate``; return the answers."""
        found = []
        for _ in range(int(seconds / pause)):
            self.now += pause
            theirs[follower.incarnation] = theirs.get(follower.incarnation, 9_000.0) + pause * rate
            found.append(follower.poll(clock=int(theirs[follower.incarnation] * _S)))
        return found


#: The clocks of the nodes.
theirs: dict[str, float] = {}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose clock is in the test's hands."""
    made = Host()
    monkeypatch.setattr(leases, "boot_clock_ns", lambda: int(made.now * _S))
    monkeypatch.setattr(leases, "clock_id", lambda: made.name)
    return made


def _follower() -> Follower:
    follower = Follower.create()
    follower.catch_up()
    return follower


def _events(follower: Follower) -> list[str]:
    found = AuditEvent.objects.filter(subject=follower.node.id, type__startswith="node.clock")
    return [each.type for each in found.order_by("revision")]


def _clock(follower: Follower) -> clocks.Clock:
    return clocks.load(Lease.objects.get(incarnation=follower.incarnation).clock)


@pytest.mark.parametrize("rate", [0.97, 0.95, 0.8])
def test_a_slow_clock_gets_no_lease_until_it_is_right_again(host: Host, rate: float) -> None:
    """
    A steady loss above ε/2 ends the leases, with the reason; the row, and the audit log once at the begin and
    once at the end, say so. At the right rate leases come back by themselves.
    """
    follower = _follower()
    right = host.polls(follower, 1.0, 60.0)
    assert {(True, None)} == {(each.lease, each.refused) for each in right}

    slow = host.polls(follower, rate, 300.0)
    assert (False, "clock") == (slow[-1].lease, slow[-1].refused)
    assert "slow" == _clock(follower).state
    assert pytest.approx(rate, abs=0.01) == _clock(follower).ratio
    assert ["node.clock_refused"] == _events(follower)

    again = host.polls(follower, 1.0, 60.0)
    assert (True, None) == (again[-1].lease, again[-1].refused)
    assert ["node.clock_refused", "node.clock_accepted"] == _events(follower)


def test_a_clock_within_half_of_the_margin_keeps_its_leases(host: Host) -> None:
    """
    2 % are within what C1 allows and half of it: every answer brings a lease, and the ratio is known.
    """
    follower = _follower()
    found = host.polls(follower, 0.98, 300.0)

    assert all(each.lease for each in found)
    assert ([], "ok") == (_events(follower), _clock(follower).state)
    assert pytest.approx(0.98, abs=0.001) == _clock(follower).ratio


def test_a_follower_that_goes_on_with_a_replica_goes_on_with_its_clock(host: Host) -> None:
    """
    A restart in the same boot does not make a slow clock unknown; another replica begins anew.
    """
    follower = _follower()
    host.polls(follower, 0.9, 120.0)
    successor = Follower(follower.node, replica=follower.replica, meta=follower.meta)
    theirs[successor.incarnation] = theirs[follower.incarnation]
    host.now += 1.25
    answer = successor.poll(retires=follower.incarnation, clock=int(theirs[successor.incarnation] * _S))
    assert (False, "clock") == (answer.lease, answer.refused)

    other = Follower(follower.node)
    other.catch_up()
    assert (True, None) == ((found := other.poll(clock=1)).lease, found.refused)


def test_hosts_of_the_control_plane_measure_each_for_itself(host: Host) -> None:
    """
    Polls go to two hosts in turn, whose boot-time clocks have nothing to do with each other: the node is
    right for both, and slow for both.
    """
    follower = _follower()
    for rate, expected in ((1.0, True), (0.9, False)):
        for _ in range(120):
            host.name, host.now = ("one", host.now + 1e6) if host.name != "one" else ("two", host.now - 1e6)
            [answer] = host.polls(follower, rate, 1.25)
        assert expected is answer.lease
    assert {"one", "two"} == {each.clock_id for each in _clock(follower).watches if each.is_slow}


def test_losses_that_a_node_tells_of_come_on_record_once(host: Host) -> None:
    """
    A loss is told until an answer arrives, and written once: with how much, and from when to when.
    """
    follower = _follower()
    first, second = ClockLoss(700, 1_000_000, 1_002_000), ClockLoss(300, 1_003_000, 1_004_000)
    follower.poll(losses=(first,))
    follower.poll(losses=(first, second))
    follower.poll(losses=(second,))

    events = AuditEvent.objects.filter(subject=follower.node.id, type="node.clock_loss").order_by("revision")
    assert [
        {"lost_ms": 700, "since": "1970-01-01T00:16:40.000Z", "until": "1970-01-01T00:16:42.000Z"},
        {"lost_ms": 300, "since": "1970-01-01T00:16:43.000Z", "until": "1970-01-01T00:16:44.000Z"},
    ] == [each.after for each in events]
    assert 2 == _clock(follower).losses


def test_a_wall_clock_that_is_ahead_is_measured(host: Host) -> None:
    """
    A node that says what its wall clock shows is told how far it is ahead of ours.
    """
    follower = _follower()
    for _ in range(30):
        host.now += 1.25
        wall = wall_clock_ms() + 90_000
        feed.poll(follower.node, follower.request(clock=int(host.now * _S), wall=wall), follower.actor)

    assert pytest.approx(90_000, abs=1_000) == _clock(follower).ahead_ms


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"clock": -1}, "clock"),
        ({"clock": 1 << 63}, "clock"),
        ({"wall": -1}, "wall"),
        ({"wall": 253_402_300_800_000}, "wall"),
        ({"losses": (ClockLoss(1, 2, 1 << 60),)}, "losses.0.until"),
        ({"losses": (ClockLoss(1, 2, 3),) * (MOST_LOSSES + 1)}, "losses"),
    ],
)
def test_a_clock_that_none_can_show_is_refused(given: dict[str, Any], field: str) -> None:
    """
    What cannot be an instant is a poll of no follower.
    """
    follower = _follower()
    with pytest.raises(Refused) as refused:
        follower.poll(**given)
    assert ("invalid_value", field) == (refused.value.code, refused.value.field)
