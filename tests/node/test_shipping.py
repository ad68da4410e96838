"""Shipping the request log: exactly once, and nothing is given up but what is at fault itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from retinue.node import shipping
from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient
from retinue.node.follower_metrics import Counter, FollowerMetrics, read
from retinue.node.metrics import Metrics
from retinue.node.shipping import Shipper
from tests.node.control import JSON, Control, Fault
from tests.node.faults import drop, garbage, half, late, refuse
from tests.support.processes import wait_for
from tests.unit.spool import append, entry, opened

SKEW = (400, {"code": "unknown_field", "field": "body.records.added"})


class Ship:
    """A spool, and a shipper of it."""

    def __init__(self, home: Path, control: Control) -> None:
        self.home = home
        (home / "token").write_text("a token")
        (home / "token").chmod(0o600)
        self.client = FeedClient(control.url, NodeToken(home / "token"))
        self.spool = opened(home / "spool")
        self.shipper = Shipper(self.client, "n", home / "spool", FollowerMetrics(home / "metrics"))

    def write(self, count: int, first: int = 0) -> None:
        """Append entries."""
        for number in range(first, first + count):
            assert append(self.spool, entry(number))

    def counted(self, counter: Counter) -> int:
        """Return what the node's metrics say."""
        return read(self.home / "metrics")[counter]


@pytest.fixture
def ship(tmp_path: Path, control: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ship]:
    """A shipper that is not patient, so that a test need not be."""
    monkeypatch.setattr(shipping, "MOST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(shipping, "MOST_HOLD_SECONDS", 0.1)
    made = Ship(tmp_path, control)
    yield made
    if made.shipper.is_alive():
        made.shipper.stop(5)
    made.client.close()


def _numbers(control: Control, spool: str) -> list[int]:
    return [record["revision"] for _, record in sorted(control.shipped[spool].items())]


def _bad(*numbers: int) -> object:
    """Return a refusal of every batch that holds one of these entries, as the control plane words it."""

    def refusal(records: list[JSON]) -> tuple[int, JSON] | None:
        if any(record["revision"] in numbers for record in records):
            return 400, {
                "code": "invalid_value",
                "field": "body.records.at_ms",
                "detail": "has the wrong type",
            }
        return None

    return refusal


@pytest.mark.parametrize(
    "refusal",
    [
        SKEW,
        (400, {"code": "missing_field", "field": "body.records.added"}),
        (422, {"code": "invalid_value", "field": "body.node"}),
        (400, {"code": "bad_json", "field": "body"}),
        (400, {"code": "invalid_value", "field": "body.records.reason"}),
        (413, {"code": "unknown"}),
    ],
    ids=lambda refusal: f"{refusal[0]}-{refusal[1]['code']}-{refusal[1].get('field')}",
)
def test_where_everything_is_refused_nothing_is_lost(
    ship: Ship, control: Control, refusal: tuple[int, JSON], caplog: pytest.LogCaptureFixture
) -> None:
    """
    A control plane that refuses every batch (another version, a proxy) loses no entry: the batches are
    kept, counted, said once, tried with few requests, and shipped when they are taken again.
    """
    caplog.set_level(logging.INFO)
    control.refusal = lambda _records: refusal
    ship.write(300)
    ship.shipper.start()
    wait_for("some tries", lambda: ship.counted(Counter.HELD_BATCHES) >= 3)
    tries = control.count("requests") / ship.counted(Counter.HELD_BATCHES)
    control.refusal = lambda _records: None
    # Counted once the answer has come, a moment after the control plane has taken them.
    wait_for("all entries", lambda: ship.counted(Counter.SHIPPED) == 300)

    assert list(range(300)) == _numbers(control, ship.spool.name)
    assert 0 == ship.counted(Counter.REFUSED)
    assert tries <= 2 * shipping.MOST_SUSPECTS + 16
    wait_for("the all-clear", lambda: "works again" in caplog.text)
    assert 1 == caplog.text.count("WARNING"), caplog.text
    assert refusal[1]["code"] in caplog.text


@pytest.mark.parametrize("bad", [(0,), (299,), (150,), (7, 8, 9), (0, 299), (10, 100, 200)])
def test_an_invalid_entry_loses_itself_alone(ship: Ship, control: Control, bad: tuple[int, ...]) -> None:
    """
    An entry that is refused by itself, while others are taken, is given up and counted; no other is, and
    finding it takes a number of requests that grows with the logarithm of the batch.
    """
    control.refusal = _bad(*bad)  # type: ignore[assignment]
    ship.write(300)
    ship.shipper.start()
    wait_for("the others", lambda: ship.counted(Counter.SHIPPED) == 300 - len(bad))
    wait_for("the loss", lambda: ship.counted(Counter.REFUSED) == len(bad))

    assert [n for n in range(300) if n not in bad] == _numbers(control, ship.spool.name)
    assert control.count("requests") <= 2 + 20 * len(bad)


def test_a_batch_that_is_too_large_is_sent_in_parts(ship: Ship, control: Control) -> None:
    """
    Where a batch is too large for the control plane, its parts are not: nothing is lost, nothing waits.
    """
    control.refusal = lambda records: (413, {"code": "too_large"}) if len(records) > 40 else None
    ship.write(300)
    ship.shipper.start()
    wait_for("all entries", lambda: control.next[ship.spool.name] == 300)

    assert list(range(300)) == _numbers(control, ship.spool.name)
    assert (0, 0) == (ship.counted(Counter.REFUSED), ship.counted(Counter.HELD_BATCHES))


def test_a_lone_refused_entry_waits_for_evidence(ship: Ship, control: Control) -> None:
    """
    A single entry that is refused is kept until another one is taken: only then it is known to be its own
    fault.
    """
    control.refusal = _bad(0)  # type: ignore[assignment]
    ship.write(1)
    ship.shipper.start()
    wait_for("some tries", lambda: ship.counted(Counter.HELD_BATCHES) >= 3)
    before = ship.counted(Counter.REFUSED)
    ship.write(1, first=1)
    wait_for("the loss", lambda: ship.counted(Counter.REFUSED))

    assert (0, [1]) == (before, _numbers(control, ship.spool.name))


def test_a_held_spool_does_not_keep_up_others(ship: Ship, control: Control) -> None:
    """
    While the entries of one worker are refused those of another are shipped, and prove that the refused
    ones are at fault.
    """
    control.refusal = _bad(*range(50))  # type: ignore[assignment]
    ship.write(50)
    other = opened(ship.home / "spool", "other")
    ship.shipper.start()
    wait_for("some tries", lambda: ship.counted(Counter.HELD_BATCHES) >= 3)
    before = ship.counted(Counter.REFUSED)
    assert append(other, entry(1000))
    wait_for("the other's", lambda: control.next[other.name] == 1)
    wait_for("the loss", lambda: ship.counted(Counter.REFUSED) == 50)

    assert 0 == before


@pytest.mark.parametrize(
    "fault",
    [drop, half, garbage, refuse(500), refuse(503, "database_unavailable"), refuse(429, "rate_limited"),
     refuse(403, "caller_forbidden"), refuse(404, "not_found"), late(0.3)],
)  # fmt: skip
def test_each_entry_arrives_once_in_spite_of(ship: Ship, control: Control, fault: Fault) -> None:
    """
    Whatever becomes of an answer, each entry is taken exactly once, and shipped segments are deleted.
    """
    control.faults["requests"].extend([fault] * 4)
    ship.shipper.start()
    for first in range(0, 400, 40):
        ship.write(40, first)
    wait_for("all entries", lambda: control.next[ship.spool.name] == 400)
    wait_for("deleted segments", lambda: len(list(ship.spool.path.glob("*.seg"))) <= 2)

    assert list(range(400)) == _numbers(control, ship.spool.name)
    assert 0 == ship.counted(Counter.REFUSED) + ship.counted(Counter.UNREADABLE)


def test_a_renewed_token_is_taken_up_without_a_failure(ship: Ship, control: Control) -> None:
    """
    A refused credential is read again from its file before the shipper backs off.
    """
    control.tokens = {"another token"}
    (ship.home / "token").write_text("another token\n")
    ship.write(3)
    ship.shipper.start()
    wait_for("all entries", lambda: control.next[ship.spool.name] == 3)

    assert ["a token", "another token"] == [request.token for request in control.received[:2]]
    assert "a token" not in {request.token for request in control.received[2:]}


def test_the_end_of_a_pause_is_not_waited_for(
    ship: Ship, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Stopping ends a pause at once, and what is in the spool is shipped before.
    """
    monkeypatch.setattr(shipping, "PAUSE_SECONDS", 3600.0)
    ship.write(5)
    ship.shipper.start()
    stopping = threading.Thread(target=ship.shipper.stop, args=(10,))
    stopping.start()
    stopping.join(5)

    assert (False, 5) == (stopping.is_alive(), control.next[ship.spool.name])


def test_what_cannot_be_read_is_counted(ship: Ship, control: Control) -> None:
    """
    Entries that a damaged disk took are skipped and counted; those around them arrive.
    """
    ship.write(100)
    first = min(ship.spool.path.glob("*.seg"))
    data = bytearray(first.read_bytes())
    place = data.index(b"etl", 1000)
    data[place] ^= 0xFF
    first.write_bytes(data)
    ship.shipper.start()
    wait_for("the last entry", lambda: control.next[ship.spool.name] == 100)
    wait_for("the loss", lambda: ship.counted(Counter.UNREADABLE))
    arrived = _numbers(control, ship.spool.name)

    assert 100 == len(arrived) + ship.counted(Counter.UNREADABLE)
    assert (0, 99) == (arrived[0], arrived[-1])


def test_losses_stand_in_the_metrics(tmp_path: Path) -> None:
    """
    The node's metrics name what was shipped, held and lost, over restarts of the follower.
    """
    for _ in range(2):
        counters = FollowerMetrics(tmp_path)
        for counter in Counter:
            counters.add(counter, counter.value)
    text = (
        Metrics(tmp_path, "worker-0").exposition(revision=1, epoch=1, loaded=True, lease_seconds=7.5).decode()
    )

    assert "retinue_failed_polls_total 2.0" in text
    assert "retinue_replica_failed_writes_total 4.0" in text
    assert "retinue_request_log_shipped_total 6.0" in text
    assert 'retinue_request_log_lost_total{cause="unreadable"} 8.0' in text
    assert 'retinue_request_log_lost_total{cause="refused"} 10.0' in text
    assert "retinue_request_log_held_batches_total 12.0" in text


def test_what_comes_while_a_batch_is_sent_waits_for_the_next_round(
    ship: Ship, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Decisions that go on coming are not shipped in ever smaller batches: a round sends what there was.
    """
    sent: list[int] = []
    real = ship.client.ship

    def slow(node: str, spool: str, first: int, records: list[JSON], timeout_s: float) -> int:
        if records:
            sent.append(len(records))
            ship.write(1, first + len(records))  # while this batch is under way
        return real(node, spool, first, records, timeout_s)

    monkeypatch.setattr(ship.client, "ship", slow)
    monkeypatch.setattr(shipping, "BATCH_RECORDS", 10)
    ship.write(25)
    ship.shipper._round()
    assert [10, 10, 7] == sent
    ship.shipper._round()
    assert [10, 10, 7, 1] == sent
