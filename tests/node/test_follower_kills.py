"""A follower that is killed at any moment goes on: the replica ends as the truth, and nothing false is acknowledged."""

from __future__ import annotations

import random
import time

import pytest

from tests.node.control import Control, Request
from tests.node.faults import POLL_FAULTS, SNAPSHOT_FAULTS, WIRE_FAULTS, drop, late, send
from tests.node.following import Home, Witness, following, settle
from tests.support.processes import wait_for


@pytest.mark.parametrize("page", [1, 2, 4])
def test_a_kill_between_pages(home: Home, control: Control, page: int) -> None:
    """
    A follower that is killed while it loads a snapshot goes on at the page where it was, what it had loaded
    stays, the replica decides nothing until its end, and ends complete.
    """
    control.faults["snapshot"].extend([send] * page + [late(5.0, drop)])
    with following(home, control) as follower:
        wait_for("the next page", lambda: control.count("snapshot") > page)
        follower.kill()
    control.faults.clear()
    meta, rows = home.read()
    with following(home, control):
        control.work()
        settle(home, control)
    asked = [request.query.get("after", "") for request in control.received if "snapshot" in request.path]

    assert (False, 0, page * control.page) == (meta.complete, meta.fresh_from_ns, len(rows))
    assert ["", meta.snapshot_after] == [asked[0], asked[page + 1]]
    assert asked.count("") == 1


def test_a_kill_at_each_page_ends_complete(home: Home, control: Control) -> None:
    """
    Killed at every single page of a snapshot, a follower still makes progress from start to start.
    """
    starts = 0
    while not home.equals(control):
        starts += 1
        assert starts < 20
        pages = control.count("snapshot")
        control.faults["snapshot"].extend([send, late(5.0)])
        with following(home, control) as follower:
            wait_for("a page", lambda: control.count("snapshot") >= pages + 2 or home.equals(control))  # noqa: B023
            follower.kill()
        control.faults.clear()

    assert starts >= 5


def test_a_kill_between_applying_and_acknowledging(home: Home, control: Control) -> None:
    """
    What was applied and not yet acknowledged is acknowledged by the successor, which says whom it retires,
    under another name; nothing is applied twice with another end.
    """
    witness = Witness(home, control)
    for round_ in range(5):
        with following(home, control) as follower:
            settle(home, control)
            control.faults["poll"].extend([send] + [late(5.0, drop)] * 3)
            with control.lock:
                head = control.change(f"round{round_}")
            wait_for("the change is applied", lambda: home.meta().revision == head)  # noqa: B023
            follower.kill()
        control.faults.clear()
    polls = control.count("poll")
    with following(home, control):
        wait_for("the last one's polls", lambda: control.count("poll") >= polls + 2)
    incarnations = list(dict.fromkeys(request.body["incarnation"] for request in _polls(control)))
    retired = list(dict.fromkeys(request.body.get("retires") for request in _polls(control)))

    assert [] == witness.false
    assert [None, *incarnations[:-1]] == retired


def _polls(control: Control) -> list[Request]:
    return [request for request in control.received if request.path.endswith("/poll")]


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_faults_and_kills_ends_in_the_truth(home: Home, control: Control, seed: int) -> None:
    """
    Whatever faults come in whatever order, with kills at any moment and changes going on, the replica ends as
    the truth and nothing false was acknowledged.
    """
    draw = random.Random(seed)  # noqa: S311
    faults = [*WIRE_FAULTS.values(), *POLL_FAULTS.values()]
    pages = [*WIRE_FAULTS.values(), *SNAPSHOT_FAULTS.values()]
    witness = Witness(home, control)
    for round_ in range(6):
        with control.lock:
            control.faults["poll"].extend(draw.choices([*faults, send, send], k=5))
            control.faults["snapshot"].extend(draw.choices([*pages, send, send, send], k=5))
            if draw.random() < 0.3:
                control.truth.epoch += 1
        with following(home, control) as follower:
            for number in range(draw.randrange(6)):
                control.change(f"r{round_}", f"n{number}")
                time.sleep(draw.random() * 0.05)
            time.sleep(draw.random() * 0.6)
            follower.kill()
    control.faults.clear()
    with following(home, control):
        settle(home, control)

    assert [] == witness.false
