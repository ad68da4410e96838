"""How a follower waits: it ends at a signal, keeps quiet at first, and leaves who does not answer."""

from __future__ import annotations

import logging
import signal
import socket
import time

import pytest

from retinue.node import pausing
from retinue.node.complaints import Complaint
from retinue.node.follower_metrics import Counter, read
from retinue.replica import lease
from retinue.server.nodes.rules import EARLY_SHARE
from tests.node import control as scripted
from tests.node.control import Control, Exchange, controlling
from tests.node.faults import drop, late, refuse
from tests.node.following import Home, following, settle
from tests.support import watch
from tests.support.processes import free_port, wait_for


def _polls_after(control: Control, count: int, more: int) -> None:
    wait_for(f"{more} polls", lambda: control.count("poll") >= count + more)


@pytest.mark.parametrize(
    "state", ["held poll", "silent control plane", "silent snapshot", "back-off", "refused"]
)
def test_a_signal_ends_every_wait_at_once(home: Home, control: Control, state: str) -> None:
    """
    However it waits, SIGTERM ends the follower at once, with exit code 0.
    """
    kind = "snapshot" if "snapshot" in state else "poll"
    fault = refuse(401, "credential_revoked") if state == "refused" else late(60.0, drop)
    if state not in ("held poll", "back-off"):
        control.faults[kind].extend([fault] * 100)
    url = f"http://127.0.0.1:{free_port()}" if state == "back-off" else control.url
    with following(home, url) as follower:
        if state == "back-off":
            wait_for("failures", lambda: read(home.replica / "metrics")[Counter.FAILED_POLLS] >= 5)
        else:
            wait_for(
                "the wait", lambda: control.count(kind) >= (5 if state in ("held poll", "refused") else 1)
            )
        seconds = watch.start()
        follower.process.send_signal(signal.SIGTERM)
        code = follower.process.wait(55)
        took = seconds()

    assert 0 == code
    assert took < 2.5


def test_a_start_before_the_control_plane_is_quiet(home: Home) -> None:
    """
    A control plane that is started later than its node is no news: not one line of warning.
    """
    port = free_port()
    with following(home, f"http://127.0.0.1:{port}") as follower:
        wait_for("failures", lambda: read(home.replica / "metrics")[Counter.FAILED_POLLS] >= 3)
        with controlling(port) as control:
            control.truth.change("first")
            settle(home, control)

    assert "WARNING" not in follower.text()
    assert "replica complete" in follower.text()


def test_what_lasts_is_said_once_and_its_end_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A failure that outlasts the patience is told once, another one in its place a minute later at the
    earliest, and its end once; a short one is not told at all.
    """
    now = 100.0
    monkeypatch.setattr("retinue.node.complaints.time.monotonic", lambda: now)
    caplog.set_level(logging.INFO)
    complaint = Complaint(logging.getLogger("test"), "it")
    for after, what in (
        (0, "refused"), (4, "refused"), (0, None),
        (9, "refused"), (4, "refused"), (2, "refused"), (30, "refused"), (10, "reset"), (25, "reset"), (1, None),
        (1, None),
    ):  # fmt: skip
        now += after
        if what is None:
            complaint.worked()
        else:
            complaint.failed(what)

    assert [
        "it fails for 6 s: refused",
        "it fails for 71 s: reset",
        "it works again, after 72 s",
    ] == caplog.messages


def test_a_connection_that_was_closed_meanwhile_is_no_failure(home: Home, control: Control) -> None:
    """
    A control plane that ends a kept connection is asked again on a new one, without a failure.
    """

    def then_close(exchange: Exchange) -> bool:
        exchange.send()
        return False

    with following(home, control):
        settle(home, control)
        polls = control.count("poll")
        control.faults["poll"].extend([then_close] * 5)
        _polls_after(control, polls, 7)
        failed = read(home.replica / "metrics")[Counter.FAILED_POLLS]

    assert 0 == failed


def test_a_control_plane_that_never_answers_is_left(home: Home, control: Control) -> None:
    """
    A listener that accepts and says nothing is given up, and the next one is followed.
    """
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with following(home, f"http://127.0.0.1:{deaf.getsockname()[1]}"):
            wait_for("a failure", lambda: read(home.replica / "metrics")[Counter.FAILED_POLLS] >= 1)


def test_a_control_plane_that_holds_no_poll_is_not_asked_without_pause(
    home: Home, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    One with more nodes than it can hold polls of answers at once: nodes then ask five times a second, and a
    change is still fetched in that time.
    """
    monkeypatch.setattr(scripted, "HOLD_SECONDS", 0.0)
    with following(home, control):
        settle(home, control)
        wait_for("a lease", lambda: home.meta().fresh_from_ns)
        polls, began = control.count("poll"), time.monotonic()
        time.sleep(2.0)
        rate = (control.count("poll") - polls) / (time.monotonic() - began)
        control.change("later")
        settle(home, control)

    assert 0 < rate < 6.0


def test_a_poll_that_was_held_is_followed_by_the_next_at_once() -> None:
    """
    Only what is left of the wait that was asked for is a rest, and a fifth of a second at most.
    """
    now = lease.boot_clock_ns()

    assert 0.0 == pausing.rest(1.25, now - 1_300_000_000)
    assert 0.0 == pausing.rest(1.25, now - int(1.25e9 * (1 - EARLY_SHARE)))
    assert 0.0 < pausing.rest(1.25, now - 1_075_000_000) <= 0.05
    assert 0.2 == pausing.rest(1.25, now)
    assert 0.0 == pausing.rest(0.0, now)
