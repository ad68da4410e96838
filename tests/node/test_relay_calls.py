"""What goes through a relay: request logs, renewed credentials, long histories; and relays behind relays."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from retinue.replica import records
from retinue.replica.records import Kind
from retinue.sealing import seal
from retinue.token import Kind as TokenKind
from retinue.token import mint
from tests.node.control import Control, Request
from tests.node.faults import drop
from tests.node.following import following
from tests.node.tree import LEASE_SECONDS, ORGANIZATION, Enrolled, Tree, applied, decides, frozen, growing
from tests.support.processes import free_port, wait_for
from tests.support.wire import Wire
from tests.unit.spool import append, entry, opened


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


def test_each_entry_of_a_childs_log_arrives_once(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control
) -> None:
    """
    A child is told that entries are stored when the control plane has stored them: whatever becomes of answers, of
    the relay, and of the control plane's connections, each arrives exactly once, with the child's own token.
    """
    spool = opened(child.home.path / "spool")
    control.faults["requests"].extend([drop, drop])
    with following(child.home, tree.url):
        with tree.relay(relay) as running:
            wait_for("the child decides", lambda: decides(child))
            for number in range(100):
                assert append(spool, entry(number))
            wait_for("some arrived", lambda: control.next[spool.name] > 0)
            running.kill()
        for number in range(100, 200):
            assert append(spool, entry(number))
        with tree.relay(relay):
            wait_for("all arrived", lambda: control.next[spool.name] == 200)
    shipped = [record["revision"] for _, record in sorted(control.shipped[spool.name].items())]
    senders = {each.token for each in control.received if each.path.endswith("/requests")}

    assert list(range(200)) == shipped
    assert child.token.reveal() in senders


def test_a_child_renews_its_credential_through_its_relay(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control
) -> None:
    """
    The control plane renews it, the relay knows the new one before the child uses it, and the child announces itself
    with it.
    """
    renewed = Enrolled(child.name, mint(TokenKind.NODE), False, child.home)
    tree.tell(child, replaced=True)

    def issue(_request: Request) -> str:
        tree.tell(renewed)
        return renewed.token.reveal()

    control.issue = issue
    with tree.relay(relay), following(child.home, tree.url) as running:
        wait_for("it is renewed", lambda: "is renewed" in running.text())
        wait_for(
            "it announces itself",
            lambda: any(
                each.path.endswith("/announce")
                and "identity_key" in each.body
                and each.token == renewed.token.reveal()
                for each in control.received
            ),
            seconds=15,
        )
        wait_for("it decides", lambda: decides(child))
        assert "401" not in running.text()
    assert renewed.token.reveal() == (child.home.path / "node-token").read_text().strip()


def test_a_long_history_comes_in_parts(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control
) -> None:
    """
    A child that was away gets what it has missed in parts, also while more is written, and ends with all of it.
    """
    control.batch = control.page = 10_000
    with tree.relay(relay):
        with following(child.home, tree.url):
            wait_for("the child decides", lambda: decides(child))
        for number in range(60):
            control.change(*(f"n{number}-{each}" for each in range(50)))
        wait_for("the relay has it", lambda: applied(relay) == control.truth.head)
        with following(child.home, tree.url) as running:
            control.change("one more")
            wait_for("the child has it", lambda: applied(child) == control.truth.head)
            assert "loading a snapshot" not in running.text()
    rows = child.home.read()[1]
    assert {key for kind, key in control.truth.rows if kind is Kind.PERMISSION} == {
        key for kind, key in rows if kind is Kind.PERMISSION
    }


def test_a_relay_behind_a_relay(tree: Tree, relay: Enrolled, child: Enrolled, control: Control) -> None:
    """
    Two relays deep a node decides under a lease that is two margins shorter; what it has not applied nobody
    above confirms, as long as it may decide.
    """
    middle, port = tree.enrol("middle", relay=True), free_port()
    above = f"http://127.0.0.1:{port}"
    with tree.relay(relay), tree.relay(middle, tree.url, port), following(child.home, above) as running:
        wait_for("the leaf decides", lambda: decides(child))
        wait_for("it is told of", lambda: {each["node"] for each in tree.told(relay)} == {"middle", "child"})
        parents = {each["node"]: each["parent"] for each in tree.told(relay)}
        with frozen(running):
            revision = control.change("slow")
            wait_for("the middle has it", lambda: applied(middle) == revision)
            tree.refuses_first(child, relay, revision)
            tree.wait_confirmed(relay, revision)
        wait_for("the leaf has it, too", lambda: applied(child) == revision)
        tree.lengthen(relay, middle)
        tree.lengthen(relay, child)
        revision = control.change("quick")
        tree.wait_confirmed(relay, revision)

        assert [revision] * 2 == [applied(middle), applied(child)]
        assert (1, 2) == (middle.home.meta().hops, child.home.meta().hops)
        assert {"middle": "", "child": "middle"} == parents


def test_what_a_relay_lends(tree: Tree, relay: Enrolled, child: Enrolled) -> None:
    """
    An answer says how old the relay's own lease was when the poll arrived, and how deep the child is.
    """
    with tree.relay(relay):
        tree.ready()
        wire = Wire(tree.url, child.token.reveal())
        question = {
            "node": "child", "incarnation": "a" * 32, "wait": 2.0,
            "applied": {"epoch": 1, "revision": applied(relay)},
        }  # fmt: skip
        answer = wire.call("POST", "/v1/feed/poll", question)
        wire.close()

        assert (200, 1, True) == (answer.status, answer.body["hops"], answer.body["lease"])
        assert 0 <= answer.body["age_ms"] < LEASE_SECONDS * 1000


def test_a_canary_goes_through_relays_and_reports_come_back(
    tree: Tree, relay: Enrolled, child: Enrolled, control: Control
) -> None:
    """
    Behind a relay a node gets the canary of a probe with its record, verifies it until it is revoked, and tells
    the control plane itself, with its own token, when it allowed it and why it refused it. Once.
    """
    token = mint(TokenKind.API_KEY)
    digest = records.Digest(tree.peppers.active.digest(token.as_bytes()), tree.peppers.active.id)
    key = records.Credential("key_1", TokenKind.API_KEY.value, ORGANIZATION, "sa_1", "active", (digest,))
    account = records.Principal("sa_1", "service_account", ORGANIZATION, "canary", "Canary", "enabled")
    sealed = seal(tree.peppers.active, token.reveal().encode(), "prb_1")
    with tree.relay(relay):
        tree.ready()
        with following(child.home, tree.url):
            wait_for("the child decides", lambda: decides(child))
            control.canary = {"id": "prb_1", "sealed": base64.b64encode(sealed).decode()}
            with control.changed:
                control.truth.put(Kind.PRINCIPAL, "sa_1", account)
                control.truth.put(Kind.CREDENTIAL, token.kid, key)
                control.changed.notify_all()
            tree.wait_confirmed(relay, control.truth.head)
            wait_for("the child has it", lambda: applied(child) == control.truth.head)
            control.canary = None
            with control.changed:
                control.truth.put(Kind.CREDENTIAL, token.kid, msgspec.structs.replace(key, state="revoked"))
                control.changed.notify_all()
            wait_for("the child reports", lambda: _reports(control, child))
            tree.wait_confirmed(relay, control.change("later"))
            wait_for(
                "the relay reports", lambda: [each for each in tree.polls(relay) if "probes" in each.body]
            )
    [(incarnation, report)] = _reports(control, child)

    assert 32 == len(incarnation)
    assert ("prb_1", "credential_revoked") == (report["id"], report["reason"])
    assert report["allowed_at"] <= report["last_allowed_at"] <= report["refused_at"]


def _reports(control: Control, child: Enrolled) -> list[tuple[str, dict[str, Any]]]:
    """Return what a child has told of probes, with its incarnation."""
    with control.lock:
        told = [each for each in control.received if each.path.endswith("/announce")]
    return [
        (each.body["incarnation"], report)
        for each in told
        if each.token == child.token.reveal()
        for report in each.body.get("probes", [])
    ]
