"""The feed: what changed since a node last applied, and the snapshot for those too far behind.

The order inside a poll carries the promise of a revoke: record what the node has applied and that it was
heard, commit, and only then read the head. A change that commits in between is thus never missed by both
the node's answer and the barrier of that change.
"""

from __future__ import annotations

import logging
import time

import msgspec

from retinue.decision import Allowed, Caller, Decision
from retinue.replica.clocks import Clock
from retinue.replica.records import Change
from retinue.server.credentials.actions import peppers
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import Actor, reading, transaction
from retinue.server.nodes import (
    actions,
    census,
    epochs,
    freshness,
    leases,
    measures,
    presence,
    probing,
    queries,
    recovery,
    wake,
)
from retinue.server.nodes.answers import PollAnswer
from retinue.server.nodes.batches import batch
from retinue.server.nodes.history import InDoubt
from retinue.server.nodes.models import Node
from retinue.server.nodes.rules import (
    PollRequest,
    check_poll,
    hold_seconds,
    is_renewal_due,
)
from retinue.server.nodes.snapshots import SnapshotPage, snapshot

__all__ = [
    "PollAnswer",
    "PollRequest",
    "SnapshotPage",
    "at_head",
    "granted",
    "is_news",
    "node_of",
    "poll",
    "result_of",
    "snapshot",
]

_log = logging.getLogger("retinue.feed")
_REMEMBERED = 1_000


def node_of(decision: Decision) -> Node | None:
    """Return the node whose credential was presented; ``None`` if the decision is not about one.

    Raises :class:`Refused` (``node_removed``) for the genuine credential of a node that was removed.
    """
    caller = decision.caller
    node = None if caller is None else queries.by_credential(caller.credential_id)
    if node is not None and node.state == "removed":
        raise Refused("node_removed", f"the node {node.name} was removed; enrol it again")
    return node if isinstance(decision, Allowed) else None


def poll(node: Node, request: PollRequest, actor: Actor) -> PollAnswer:
    """Record, read, and if there is nothing new hold until there is; see the module.

    ``actor`` is the node as the one who calls. Raises :class:`Refused`: ``caller_forbidden`` (the credential
    is another node's), ``invalid_value``, ``superseded``, ``node_removed``.
    """
    began = time.perf_counter()
    presence.check_name(node, request.node)
    check_poll(request)
    presence.check_relay(node, request.relay or request.followers is not None)
    _check_peppers(node, request)
    ticket = wake.commits.ticket()
    try:
        clock = leases.record(node, request)
    except InDoubt as found:
        epochs.begin(actor, found.doubt)
        clock = Clock()
    wake.acknowledgements.pulse()
    if actions.has_clock_news(clock, request):
        with transaction(actor) as tx:
            actions.tell_clock_news(tx, node, request)
    if request.followers is not None:
        leases.tell(node, request)
    if request.identity_key is not None:
        presence.publish(node, request.identity_key, actor)
    if request.probes:
        probing.take(node, request.incarnation, request.probes)
    presence.confirm_renewal(node, actor)
    answer = granted(_read(node, request), clock)
    wait = hold_seconds(request.wait, answer.lease_ms / 1_000)
    if wait <= 0 or is_news(answer, request):
        return _counted(answer, began)
    wake.release_connection()
    began -= time.perf_counter()
    wake.commits.hold(ticket, answer.head, wait, node.id)
    began += time.perf_counter()
    leases.check(node, request.incarnation)
    return _counted(granted(_read(node, request), clock), began)


def is_news(answer: PollAnswer, request: PollRequest) -> bool:
    """Tell whether an answer says more than that the node is up to date: then it is not held."""
    is_other = answer.epoch != request.applied.epoch or answer.head != request.applied.revision
    return bool(answer.changes) or answer.snapshot or is_other


def _counted(answer: PollAnswer, began: float) -> PollAnswer:
    answer = msgspec.structs.replace(answer, canary=probing.canary_for(answer.changes))
    measures.answered(time.perf_counter() - began, result_of(answer))
    return answer


def result_of(answer: PollAnswer) -> str:
    """Return what an answer is counted as."""
    behind = "recovering" if answer.recovering else "snapshot" if answer.snapshot else "behind"
    return "granted" if answer.lease else answer.refused or behind


def granted(answer: PollAnswer, clock: Clock) -> PollAnswer:
    """Take the lease out of an answer to a node whose clock is slow."""
    return msgspec.structs.replace(answer, lease=False, refused="clock") if clock.is_slow else answer


def should_renew(node: Node, caller: Caller | None) -> bool:
    """Tell whether a node should renew the credential with which it calls: its end is near, or it has one."""
    if caller is None:
        return False
    if caller.credential_id == node.previous_credential_id:
        return True
    return is_renewal_due(caller.expires_at_ms, time.time_ns() // 1_000_000)


def _check_peppers(node: Node, request: PollRequest) -> None:
    active = peppers().active.id
    if request.pepper_ids and active not in request.pepper_ids:
        _complain(
            f"node {node.name} does not hold the pepper {active}: it refuses every token issued with it"
        )


def _read(node: Node, request: PollRequest) -> PollAnswer:
    """Read head, changes and their records in one consistent read."""
    with reading():
        head = ledger.position()
        answer = at_head(request, head)
    return _behind(node, request, head) if answer is None else answer


def at_head(request: PollRequest, head: ledger.Position) -> PollAnswer | None:
    """Answer inside an open read of ``head``; ``None`` for a node that is not in this epoch."""
    if request.applied.epoch != head.epoch:
        return None
    if request.applied.revision < head.compacted_revision:
        return _answer(request, head, [], more=False, snapshot=True)
    if request.applied.revision == head.revision:
        return _answer(request, head, [], more=False)
    found = batch(request, head)
    return _answer(request, head, found.changes, more=found.more, following=found.following, mark=found.mark)


def _behind(node: Node, request: PollRequest, head: ledger.Position) -> PollAnswer:
    """Answer a node that is not in this epoch: its journal first, then the snapshot, once that is sure."""
    if request.applied.epoch and epochs.awaits(node, request.incarnation, head.epoch):
        return _answer(request, head, [], more=False, journal=True, recovering=head.is_recovering)
    if head.is_recovering or recovery.has_work():
        return _answer(request, head, [], more=False, recovering=True)
    return _answer(request, head, [], more=False, snapshot=True)


def _answer(
    request: PollRequest,
    head: ledger.Position,
    changes: list[Change],
    *,
    more: bool,
    snapshot: bool = False,
    following: str | None = None,
    mark: str | None = None,
    journal: bool = False,
    recovering: bool = False,
) -> PollAnswer:
    return PollAnswer(
        incarnation=request.incarnation,
        epoch=head.epoch,
        head=head.revision,
        changes=changes,
        more=more,
        lease=not (more or snapshot or journal or following or head.is_recovering or head.has_moved),
        time=time.time_ns() // 1_000_000,
        snapshot=snapshot,
        next=following,
        lease_ms=freshness.shortest_seconds() * 1_000,
        mark=head.mark if mark is None else mark,
        head_mark=head.mark if more or following else "",
        journal=journal,
        recovering=recovering,
        nodes=census.live(),
    )


_complained: set[str] = set()


def _complain(what: str) -> None:
    """Say something loudly, once a process."""
    if what not in _complained:
        if len(_complained) >= _REMEMBERED:
            _complained.clear()
        _complained.add(what)
        _log.error("%s", what)
