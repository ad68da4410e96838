"""What a follower does when its machine's clock is wrong: it heeds a refusal, and tells of what it lost."""

from __future__ import annotations

import time

from retinue.node.follower_metrics import Counter, read
from retinue.replica import lease
from tests.node.control import JSON, Control, Request
from tests.node.faults import altered, refuse
from tests.node.following import Home, following, settle
from tests.support.processes import wait_for

REFUSED = altered(lease=False, refused="clock")


def _decides(home: Home) -> bool:
    return lease.is_running(
        home.meta(), 10_000, lease.boot_id(), lease.boot_clock_ns(), lease.wall_clock_ms()
    )


def test_a_refused_lease_ends_the_running_one(home: Home, control: Control) -> None:
    """
    The node decides nothing from the refusal on, though its lease would run on; it says why, counts, and goes on
    polling at its usual pace; the first lease that it gets again is used.
    """
    with following(home, control) as follower:
        settle(home, control)
        wait_for("a lease", lambda: _decides(home))
        control.faults["poll"].extend([REFUSED] * 1_000)
        wait_for("no lease", lambda: not _decides(home))
        polls, began = control.count("poll"), time.monotonic()
        time.sleep(1.0)
        rate = (control.count("poll") - polls) / (time.monotonic() - began)
        assert not _decides(home)
        assert control.change("later")
        settle(home, control)
        with control.lock:
            control.faults["poll"].clear()
        wait_for("a lease again", lambda: _decides(home))

    assert rate < 15  # the scripted control plane holds a poll for a tenth of a second
    assert read(home.replica / "metrics")[Counter.REFUSED_LEASES] >= 1
    assert "this machine's clock is slow beside the control plane's" in follower.text()
    assert "getting a lease works again" in follower.text()


def test_a_loss_is_told_until_it_is_known(home: Home, control: Control) -> None:
    """
    The poll after a loss says how much was lost and between when, also after a poll that was not answered; from
    then on nothing is said of it.
    """
    told: list[JSON] = []

    def look(request: Request) -> None:
        told.append(request.body)

    with following(home, control):
        settle(home, control)
        with control.lock:
            control.on_poll = look
            control.skew_ms = 3_000
        wait_for("a loss", lambda: any("losses" in each for each in told))
        first = next(number for number, each in enumerate(told) if "losses" in each)
        wait_for("polls after it", lambda: len(told) > first + 3)

    [loss] = told[first]["losses"]
    assert 2_000 < loss["lost_ms"] < 4_000
    assert loss["since"] < loss["until"]
    assert not any("losses" in each for each in told[first + 1 :])
    assert abs(told[0]["wall"] - time.time_ns() // 1_000_000) < 60_000


def test_a_loss_that_is_refused_stops_no_poll(home: Home, control: Control) -> None:
    """
    If the control plane cannot use what is said of a loss, the loss is dropped and polling goes on.
    """
    told: list[bool] = []
    ahead = altered(time=time.time_ns() // 1_000_000 + 60_000)
    with following(home, control):
        settle(home, control)
        control.on_poll = lambda request: told.append("losses" in request.body)
        control.faults["poll"].extend([ahead, refuse(400, "invalid_value", "losses.0.since")])
        wait_for("polls without a loss", lambda: True in told and len(told) > told.index(True) + 3)

    assert 1 == told.count(True)
