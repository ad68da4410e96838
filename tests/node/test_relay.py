"""A relay and the nodes that follow it, as processes: what holds on all of them before the relay says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from retinue.replica.records import Kind
from retinue.token import Kind as TokenKind
from retinue.token import mint
from tests.node.control import Control
from tests.node.following import following
from tests.node.tree import (
    LEASE_SECONDS,
    LONG_LEASE_MS,
    Enrolled,
    Tree,
    answers,
    applied,
    decides,
    frozen,
    growing,
)
from tests.support.processes import wait_for


@pytest.fixture
def tree(control: Control, tmp_path: Path) -> Tree:
    """A control plane with an organization, and no node yet."""
    return growing(control, tmp_path)


@pytest.fixture
def relay(tree: Tree) -> Enrolled:
    """A node that others may follow."""
    return tree.enrol("relay", relay=True)


@pytest.fixture
def child(tree: Tree) -> Enrolled:
    """A node that follows it."""
    return tree.enrol("child")


def _of_nodes(place: tuple[Kind, str], value: bytes) -> bool:
    return place[0] is Kind.NODE or (place[0] is Kind.CREDENTIAL and b"\xa4node\xb4" in value)


def test_a_node_follows_a_relay(tree: Tree, relay: Enrolled, child: Enrolled, control: Control) -> None:
    """
    Behind a relay a node gets all records but those of nodes, stays up to date, and decides under a lease that
    is one margin shorter. The control plane never hears a poll of it, and hears from the relay that it follows.
    """
    with tree.relay(relay):
        tree.ready()
        with following(child.home, tree.url):
            wait_for("the child decides", lambda: decides(child))
            control.work()
            tree.wait_confirmed(relay, control.truth.head)
            meta, rows = child.home.read()
            truth = {
                place: value for place, value in control.truth.rows.items() if not _of_nodes(place, value)
            }

            assert truth == rows
            assert (True, 1, control.truth.head) == (meta.complete, meta.hops, meta.revision)
            assert control.truth.rows == relay.home.read()[1]
            assert [] == tree.polls(child)
            wait_for("the relay tells of it", lambda: tree.told(relay))
            told = tree.told(relay)
            assert [("child", "")] == [(each["node"], each["parent"]) for each in told]
            wait_for(
                "it announces itself",
                lambda: any("identity_key" in each.body for each in control.received),
            )


def test_a_change_is_confirmed_when_it_holds_on_the_child(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control
) -> None:
    """
    While a child is stopped its relay, which has applied the change, confirms nothing; it does when what it has
    lent to the child has ended, and not before the child refuses. With a child in touch no lease has to end.
    """
    with tree.relay(relay), following(child.home, tree.url) as running:
        wait_for("the child decides", lambda: decides(child))
        with frozen(running):
            revision = control.change("slow")
            wait_for("the relay has it", lambda: applied(relay) == revision)
            tree.refuses_first(child, relay, revision)
            tree.wait_confirmed(relay, revision)
        wait_for("the child has it, too", lambda: applied(child) == revision)
        tree.lengthen(relay, child)
        revision = control.change("quick")
        tree.wait_confirmed(relay, revision)

        assert (revision, True) == (applied(child), decides(child, LONG_LEASE_MS))


def test_a_relay_that_starts_again_knows_whom_it_has_lent_to(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control
) -> None:
    """
    A relay that is killed and started again acknowledges for the one before it: not before the child that is
    stopped has refused. A child that goes on asking confirms at once.
    """
    with following(child.home, tree.url) as running:
        with tree.relay(relay) as first:
            wait_for("the child decides", lambda: decides(child))
            with frozen(running):
                first.kill()
                revision = control.change("meanwhile")
                with tree.relay(relay):
                    wait_for("the relay has it", lambda: applied(relay) == revision)
                    tree.refuses_first(child, relay, revision)
                    tree.wait_confirmed(relay, revision)
        with tree.relay(relay) as second:
            wait_for("the child decides again", lambda: decides(child))
            tree.lengthen(relay, child)
            second.kill()
        with tree.relay(relay):
            revision = control.change("again")
            tree.wait_confirmed(relay, revision)

            assert (revision, True) == (applied(child), decides(child, LONG_LEASE_MS))


def test_a_relay_that_relays_no_more_still_answers_for_its_children(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control
) -> None:
    """
    A relay that is started again as a plain node waits out what was lent, too.
    """
    with following(child.home, tree.url) as running, tree.relay(relay) as first:
        wait_for("the child decides", lambda: decides(child))
        with frozen(running):
            first.kill()
            revision = control.change("meanwhile")
            with following(relay.home, control):
                wait_for("the relay has it", lambda: applied(relay) == revision)
                tree.refuses_first(child, relay, revision)
                tree.wait_confirmed(relay, revision)


@pytest.mark.parametrize("how", ["stopped", "killed", "removed", "cut off"])
def test_without_its_relay_a_child_decides_no_longer_than_the_relay(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control, how: str
) -> None:
    """
    Whatever becomes of the relay, its child's lease ends one margin before the relay's own.
    """
    with tree.relay(relay) as running, following(child.home, tree.url):
        wait_for("the child decides", lambda: decides(child))
        if how == "stopped":
            with frozen(running):
                _outlived(tree, relay, child)
            return
        if how == "killed":
            running.kill()
        if how == "removed":
            control.removed.add(relay.token.reveal())
            control.change("anything")
            wait_for("the relay ends", lambda: running.process.poll() is not None)
        if how == "cut off":
            control.tokens = set()
        _outlived(tree, relay, child)


def _outlived(tree: Tree, relay: Enrolled, child: Enrolled) -> None:
    until = time.monotonic() + LEASE_SECONDS + 1
    while True:
        now = time.monotonic()
        if not decides(child):
            break
        assert now < until
        time.sleep(0.02)
    ends, child_ends = (
        meta.fresh_from_ns + LEASE_SECONDS * 1e9 * (1 - 0.05 * meta.hops)
        for meta in (relay.home.meta(), child.home.meta())
    )
    assert child_ends < ends or relay.home.meta().fresh_from_ns == 0


def test_a_removed_child_is_refused(tree: Tree, relay: Enrolled, child: Enrolled, control: Control) -> None:
    """
    The relay refuses a child from the moment on at which it hears that it was removed; the child ends, its
    lease with it, and the removal is confirmed when what was lent to it has ended.
    """
    with tree.relay(relay), following(child.home, tree.url) as running:
        wait_for("the child decides", lambda: decides(child))
        tree.tell(child, state="removed")
        wait_for("the child ends", lambda: running.process.poll() is not None)

        assert not decides(child)
        assert "was removed" in running.text()
        assert answers(tree.port, "/v1/feed/snapshot", child.token.reveal()) == 410
        tree.wait_confirmed(relay, control.truth.head)


def test_a_newer_follower_of_a_child_wins(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control, tmp_path: Path
) -> None:
    """
    Of two followers of one child the newer one goes on; the older one ends and gives its lease up. So it is
    after the relay was started again.
    """
    with tree.relay(relay) as first, following(child.home, tree.url) as older:
        wait_for("the child decides", lambda: decides(child))
        copy = Enrolled(child.name, child.token, False, tree.copy_of(child, "copy"))
        with following(copy.home, tree.url):
            wait_for("the older one ends", lambda: older.process.poll() is not None)
            wait_for("the newer one decides", lambda: decides(copy))
            assert not decides(child)
            first.kill()
            with tree.relay(relay):
                wait_for("it is heard again", lambda: tree.told(relay))
                tree.wait_confirmed(relay, control.change("more"))  # what the older one was lent has ended
                wait_for("the newer one decides again", lambda: decides(copy))
                tree.lengthen(relay, copy)
                revision = control.change("once more")
                tree.wait_confirmed(relay, revision)

                assert (revision, True) == (applied(copy), decides(copy, LONG_LEASE_MS))
                assert not decides(child, LONG_LEASE_MS)


def test_who_may_follow(tree: Tree, relay: Enrolled, child: Enrolled, control: Control) -> None:
    """
    Strangers, other kinds of tokens and wrong secrets are refused, and so is a node that wants to know of others
    and is no relay. Nothing else is served.
    """
    stranger, key = mint(TokenKind.NODE).reveal(), mint(TokenKind.API_KEY).reveal()
    place = "/v1/feed/snapshot"
    with tree.relay(relay):
        tree.ready()
        found = [
            answers(tree.port, place, token) for token in (None, "x", stranger, key, child.token.reveal())
        ]
        as_relay = [answers(tree.port, f"{place}?relay=true", each.token.reveal()) for each in (child, relay)]
        others = [
            answers(tree.port, "/v1/keys", child.token.reveal()),
            answers(tree.port, "/v1/feed/poll", child.token.reveal()),
            answers(tree.port, "/v1/feed/poll", child.token.reveal(), "POST", {"incarnation": "0"}),
            answers(tree.port, "/v1/feed/requests", stranger, "POST", {}),
        ]

    assert [401, 401, 401, 401, 200] == found
    assert [403, 200] == as_relay
    assert [404, 405, 400, 401] == others
    assert 0 == control.count("requests")
