"""Another epoch begins: a real follower hands over what it knows before it writes over it."""

from __future__ import annotations

import msgspec

from retinue.replica.records import Change, Kind, Origin
from tests.node.control import Control, Exchange
from tests.node.faults import altered, drop, send
from tests.node.following import Home, following, settle
from tests.support.processes import wait_for


def _told(control: Control, name: str, *, reduces: bool) -> None:
    """Let the next answer to a poll say that an object has changed, with its origin."""

    def say(exchange: Exchange) -> bool:
        with control.lock:
            revision = control.truth.change(name)
            value = control.truth.rows[Kind.PERMISSION, name]
            origin = Origin(revision, f"mark{revision}", 1_000, reduces)
            exchange.body |= {
                "changes": [Change(revision, Kind.PERMISSION, name, value, origin)],
                "head": revision,
                "mark": f"mark{revision}",
            }
        return send(exchange)

    control.faults["poll"].append(say)
    wait_for("it was said", lambda: (Kind.PERMISSION, name) in control.truth.rows)


def _kinds(control: Control, since: int) -> list[str]:
    return [request.path.rpartition("/")[2] for request in control.received[since:]]


def test_the_journal_goes_before_the_snapshot(home: Home, control: Control) -> None:
    """
    In a later epoch the first thing that a follower does is to hand its journal over; only then it asks for a
    page. The journal says where objects changed and what their records say, and how far the replica is.
    """
    with following(home, control):
        settle(home, control)
        _told(control, "gone", reduces=True)
        settle(home, control)
        mark, value = home.meta().mark, control.truth.rows[Kind.PERMISSION, "gone"]
        with control.lock:
            since = len(control.received)
            control.truth.epoch, control.truth.head = 2, 1
            del control.truth.rows[Kind.PERMISSION, "gone"]
            control.truth.log = []
        settle(home, control)

    first = next(request for request in control.received[since:] if request.path.endswith("/journal"))
    [line] = first.body["lines"]
    assert ("permission", "gone", 1, True) == (line["kind"], line["key"], line["epoch"], line["origin"][3])
    assert value == msgspec.json.decode(msgspec.json.encode(line["value"]), type=bytes)
    assert (2, 1, mark) == (
        first.body["epoch"],
        first.body["applied"]["epoch"],
        first.body["applied"]["mark"],
    )
    said = _kinds(control, since)
    assert said.index("journal") < said.index("snapshot")


def test_nothing_is_loaded_while_the_control_plane_recovers(home: Home, control: Control) -> None:
    """
    As long as the history is in doubt the follower keeps what it has, asks for no snapshot, and takes no lease;
    what it has is decided from until its lease ends. Afterwards it goes on.
    """
    with following(home, control):
        settle(home, control)
        before = home.meta()
        with control.lock:
            since = len(control.received)
            control.truth.epoch = 2
            control.faults["poll"].extend([altered(recovering=True, snapshot=False, lease=False)] * 5)
        wait_for("five polls", lambda: not control.faults["poll"])
        meanwhile, said = home.meta(), _kinds(control, since)
        settle(home, control)

    assert "snapshot" not in said
    assert (before.epoch, before.revision, True) == (meanwhile.epoch, meanwhile.revision, meanwhile.complete)
    assert 1 == control.handed_over


def test_a_journal_that_was_cut_off_is_handed_over_again(home: Home, control: Control) -> None:
    """
    A page that was not answered, and a follower that was killed in between: all of it is handed over again.
    """
    with following(home, control) as first:
        settle(home, control)
        _told(control, "gone", reduces=True)
        settle(home, control)
        control.faults["journal"].extend([drop, send, drop])
        with control.lock:
            control.truth.epoch = 2
            control.truth.log = []
        wait_for("two were cut off", lambda: not control.faults["journal"])
        first.kill()
    polls = control.count("poll")
    with following(home, control):
        settle(home, control)
        wait_for("the second one polls", lambda: control.count("poll") > polls + 1)

    assert control.handed_over
    assert {"gone"} == {line["key"] for line in control.journal}
