"""The life of a follower: whom it succeeds, when it ends, and what it needs to start."""

from __future__ import annotations

import shutil
import signal
import time

import msgspec
import pytest

from retinue import pepper
from retinue.decision import Denied, Reason
from retinue.node.follower_metrics import Counter, read
from retinue.replica.records import SCHEMA
from retinue.replica.store import Store
from retinue.supervisor import REFUSES
from retinue.token import Kind, mint
from retinue.verifier import Question, Verifier
from tests.node.control import Control
from tests.node.faults import drop, refuse
from tests.node.following import TOKEN, Home, following, make_home, settle
from tests.support.processes import wait_for


def _polls_after(control: Control, count: int, more: int) -> None:
    wait_for(f"{more} polls", lambda: control.count("poll") >= count + more)


def _last(control: Control) -> dict[str, object]:
    return next(r.body for r in reversed(control.received) if r.path.endswith("/poll"))


def test_a_successor_keeps_the_lease_and_says_whom_it_retires(home: Home, control: Control) -> None:
    """
    A follower that is started again on the same replica in the same boot goes on: nothing stops being fresh.
    """
    with following(home, control):
        settle(home, control)
    before, old = home.meta(), _last(control)["incarnation"]
    polls = control.count("poll")
    control.faults["poll"].extend([drop] * 30)
    with following(home, control):
        _polls_after(control, polls, 2)
        after, said = home.meta(), _last(control)

    assert before.fresh_from_ns > 0
    assert (before.fresh_from_ns, old) == (after.fresh_from_ns, said["retires"])
    assert old != said["incarnation"]


@pytest.mark.parametrize("how", ["copy", "copied over", "another boot", "no record"])
def test_a_copy_retires_nobody_and_has_no_lease(home: Home, control: Control, how: str) -> None:
    """
    A replica that is not the very file on which an incarnation has worked in this boot is another one: its
    follower does not say that it retires that one, and it is not fresh until an answer makes it so.
    """
    with following(home, control):
        settle(home, control)
    other, record = home, home.replica / "incarnation"
    match how:
        case "copy":
            other = make_home(home.path.parent / "other")
            shutil.copytree(home.replica, other.replica)
        case "copied over":
            shutil.copy(home.replica / "data.mdb", home.path / "data")
            (home.path / "data").replace(home.replica / "data.mdb")
        case "another boot":
            name, _, *place = record.read_text().split()
            record.write_text(" ".join([name, "0" * 36, *place]))
        case "no record":
            record.unlink()
    polls = control.count("poll")
    control.faults["poll"].extend([drop] * 30)
    with following(other, control):
        _polls_after(control, polls, 2)
        after, said = other.meta(), _last(control)
        control.faults.clear()
        settle(other, control)
        fresh = wait_for("fresh again", lambda: other.meta().fresh_from_ns)

    assert ("retires" in said, after.fresh_from_ns, after.complete) == (False, 0, True)
    assert fresh > 0


def test_a_replica_that_is_taken_away_is_begun_anew_under_another_name(home: Home, control: Control) -> None:
    """
    When another file stands where the replica was, what was acknowledged for the old one does not count for
    it: the follower takes a new incarnation that retires nobody.
    """
    with following(home, control):
        settle(home, control)
        old = _last(control)["incarnation"]
        shutil.rmtree(home.replica)
        settle(home, control)
        new = _last(control)

    assert old != new["incarnation"]
    assert "retires" not in new


def test_one_follower_at_a_time(home: Home, control: Control) -> None:
    """
    A second follower on the same replica ends at once and says why; the first goes on.
    """
    with following(home, control):
        settle(home, control)
        with following(home, control) as second:
            code = second.process.wait(60)
        control.change("more")
        settle(home, control)

    assert 1 == code
    assert "another follower is at work" in second.text()


@pytest.mark.parametrize("supervised", ["0", "1"])
def test_superseded_means_no_lease(home: Home, control: Control, supervised: str) -> None:
    """
    A follower that hears that a newer one speaks for its node ends its lease before it ends. Under a
    supervisor it stays until it is told, because started again it would take the node back.
    """
    with following(home, control, RETINUE_SUPERVISED=supervised) as follower:
        settle(home, control)
        assert home.meta().fresh_from_ns > 0
        control.faults["poll"].append(refuse(409, "superseded"))
        wait_for("the lease ends", lambda: home.meta().fresh_from_ns == 0)
        wait_for("its last words", lambda: "a newer follower of the node" in follower.text())
        polls = control.count("poll")
        if supervised == "1":
            time.sleep(0.5)
            alive = follower.process.poll() is None
            follower.process.send_signal(signal.SIGTERM)
        code = follower.process.wait(60)

    assert (1, polls) == (code, control.count("poll"))
    assert supervised == "0" or alive


def _decides(home: Home) -> bool:
    """Tell whether the replica is good for a decision: a stranger is unknown to it, or it says that it is stale."""
    store = Store(home.replica)
    try:
        token = mint(Kind.API_KEY).reveal()
        decision = Verifier(store, pepper.load(home.path / "pepper")).verify(Question(token))
    finally:
        store.close()
    assert isinstance(decision, Denied)
    return decision.reason is not Reason.REPLICA_STALE


@pytest.mark.parametrize("code", ["node_removed", "superseded"])
def test_a_node_that_must_not_go_on_decides_nothing(home: Home, control: Control, code: str) -> None:
    """
    A node that was removed, or whose name another follower has taken, says so, gives its lease up at once, and
    stays down under a supervisor: started again it would ask and ask.
    """
    with following(home, control, RETINUE_SUPERVISED="1") as follower:
        settle(home, control)
        assert _decides(home)
        control.faults["poll"].append(refuse(410 if code == "node_removed" else 409, code))
        wait_for("the lease ends", lambda: not _decides(home))
        polls = control.count("poll")
        time.sleep(0.5)
        alive = follower.process.poll() is None
        follower.process.send_signal(signal.SIGTERM)
        ended = follower.process.wait(60)

    assert (True, 1, polls) == (alive, ended, control.count("poll"))


def test_a_replica_of_another_version_is_fetched_anew(home: Home, control: Control) -> None:
    """
    Records that this version could not read are replaced by a snapshot; nothing is decided from them.
    """
    with following(home, control):
        settle(home, control)
    store = Store(home.replica, writable=True)
    store.apply([], msgspec.structs.replace(home.meta(), schema=SCHEMA + 1))
    store.close()
    assert not _decides(home)
    with following(home, control):
        settle(home, control)

        assert _decides(home)


def test_a_clock_that_was_wrong_once_does_no_lasting_harm(home: Home, control: Control) -> None:
    """
    The control plane's time is that of the last answer: one answer from a wrong future ends no credential for
    ever.
    """
    with following(home, control) as follower:
        settle(home, control)
        control.skew_ms = 10 * 365 * 86_400_000
        wait_for(
            "the wrong time", lambda: home.meta().control_time_ms > time.time_ns() // 1_000_000 + 86_400_000
        )
        control.skew_ms = 0
        wait_for(
            "the right time", lambda: home.meta().control_time_ms < time.time_ns() // 1_000_000 + 86_400_000
        )
        wait_for("a lease again", lambda: _decides(home))

    assert "clock lost" in follower.text()


def test_a_renewed_token_is_read_before_it_backs_off(home: Home, control: Control) -> None:
    """
    A credential that is refused is read again from its file; a new one there is used at once.
    """
    with following(home, control) as follower:
        settle(home, control)
        (home.path / "node-token").write_text("a renewed token\n")
        control.tokens = {"a renewed token"}
        control.change("more")
        settle(home, control)
        failed = read(home.replica / "metrics")[Counter.FAILED_POLLS]
        control.tokens = {"nobody's"}
        wait_for("failures", lambda: read(home.replica / "metrics")[Counter.FAILED_POLLS] >= 4)
        control.tokens = {TOKEN}
        (home.path / "node-token").write_text(TOKEN)
        settle(home, control)

    assert 0 == failed
    assert TOKEN not in follower.text()


@pytest.mark.parametrize("place", ["node-token", "pepper"])
def test_without_its_secrets_it_does_not_start(home: Home, control: Control, place: str) -> None:
    """
    A secret that is missing or open to others ends the start for good, with its name and no traceback.
    """
    (home.path / place).chmod(0o644)
    with following(home, control) as follower:
        code = follower.process.wait(60)

    assert (REFUSES, True) == (code, str(home.path / place) in follower.text())
