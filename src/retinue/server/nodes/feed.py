"""The feed: what changed since a node last applied, and the snapshot for those too far behind.

The order inside a poll carries the promise of a revoke: record what the node has applied and that it was
heard, commit, and only then read the head. A change that commits in between is thus never missed by both
the node's answer and the barrier of that change.
"""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

import msgspec
from django.db import connection

from retinue.decision import Allowed, Caller, Decision
from retinue.replica.clocks import Clock
from retinue.replica.records import Change, Origin
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
from retinue.server.nodes.compile import Compiler, Place, known_to
from retinue.server.nodes.history import InDoubt
from retinue.server.nodes.models import Node
from retinue.server.nodes.rules import (
    PollRequest,
    check_poll,
    cut_place,
    hold_seconds,
    is_renewal_due,
)
from retinue.server.nodes.snapshots import SnapshotPage, snapshot

__all__ = [
    "PollAnswer",
    "PollRequest",
    "SnapshotPage",
    "node_of",
    "poll",
    "snapshot",
]

_log = logging.getLogger("retinue.feed")
MAX_CHANGES = 1_000
MAX_BYTES = 1 << 20
_REMEMBERED = 1_000
#: What a record costs on the wire beside its value: revision, kind, key, origin and punctuation.
_OVERHEAD = 160


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
    answer = _granted(_read(node, request), clock)
    wait = hold_seconds(request.wait, answer.lease_ms / 1_000)
    if wait <= 0 or answer.changes or answer.epoch != request.applied.epoch or answer.snapshot:
        return _counted(answer, began)
    if answer.head != request.applied.revision:
        return _counted(answer, began)
    wake.release_connection()
    began -= time.perf_counter()
    wake.commits.hold(ticket, answer.head, wait, node.id)
    began += time.perf_counter()
    leases.check(node, request.incarnation)
    return _counted(_granted(_read(node, request), clock), began)


def _counted(answer: PollAnswer, began: float) -> PollAnswer:
    answer = msgspec.structs.replace(answer, canary=probing.canary_for(answer.changes))
    behind = "recovering" if answer.recovering else "snapshot" if answer.snapshot else "behind"
    result = "granted" if answer.lease else answer.refused or behind
    measures.answered(began, result)
    return answer


def _granted(answer: PollAnswer, clock: Clock) -> PollAnswer:
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
        is_behind = request.applied.epoch != head.epoch
        if not is_behind and request.applied.revision < head.compacted_revision:
            return _answer(request, head, [], more=False, snapshot=True)
        if not is_behind and request.applied.revision == head.revision:
            return _answer(request, head, [], more=False)
        batch = None if is_behind else _batch(request, head)
    if batch is None:
        return _behind(node, request, head)
    more, following = batch.more, batch.following
    return _answer(request, head, batch.changes, more=more, following=following, mark=batch.mark)


class _Batch(NamedTuple):
    """What an answer brings: the same for every node that has applied as much."""

    changes: list[Change]
    more: bool
    following: str | None
    mark: str


#: Of the present head; all nodes ask for the same after a change.
_batches: dict[tuple[object, ...], _Batch] = {}
_MOST_BATCHES = 8


def _batch(request: PollRequest, head: ledger.Position) -> _Batch:
    """Return what has changed since a node applied, inside an open read of ``head``."""
    key = connection.settings_dict["NAME"], head, request.applied.revision, request.after, request.relay
    found = _batches.get(key)
    if found is not None:
        return found
    touched = ledger.changes(_after(request), MAX_CHANGES + 1)
    compiler = Compiler(kinds=known_to(relay=request.relay))
    values = compiler.compile(each.place for each in touched)
    taken, is_cut = _fitting(touched, values)
    following = f"{taken[-1].revision}/{taken[-1].kind}/{taken[-1].key}" if is_cut else None
    more = len(taken) < len(touched)
    made = _Batch(_changes(taken, values), more, following, taken[-1].mark if more else head.mark)
    if len(_batches) >= _MOST_BATCHES:
        _batches.clear()
    _batches[key] = made
    return made


def _after(request: PollRequest) -> ledger.Touched:
    """Return where the answer begins: after all that was applied, or inside the next revision."""
    begin = ledger.Touched(request.applied.revision + 1, "", "")
    if request.after is None:
        return begin
    after = ledger.Touched(*cut_place(request.after, request.applied))
    following = ledger.changes(begin, 1)
    return after if following and following[0].revision == after.revision else begin


def _behind(node: Node, request: PollRequest, head: ledger.Position) -> PollAnswer:
    """Answer a node that is not in this epoch: its journal first, then the snapshot, once that is sure."""
    if request.applied.epoch and epochs.awaits(node, request.incarnation, head.epoch):
        return _answer(request, head, [], more=False, journal=True, recovering=head.is_recovering)
    if head.is_recovering or recovery.has_work():
        return _answer(request, head, [], more=False, recovering=True)
    return _answer(request, head, [], more=False, snapshot=True)


def _fitting(
    touched: list[ledger.Touched], values: dict[Place, bytes | None]
) -> tuple[list[ledger.Touched], bool]:
    """Return what fits into one answer, and whether that ends inside a revision.

    It ends with a whole revision where one fits, because a node says only up to which it has come.
    """
    fitting = _count(touched, values)
    if fitting == len(touched):
        return touched, False
    whole = fitting
    while whole and touched[whole - 1].revision == touched[whole].revision:
        whole -= 1
    return (touched[:whole], False) if whole else (touched[:fitting], True)


def _count(touched: list[ledger.Touched], values: dict[Place, bytes | None]) -> int:
    """Return how many changes keep the limits, at least one."""
    size, sent = 0, set[Place]()
    for number, each in enumerate(touched[:MAX_CHANGES]):
        if each.place not in sent:
            sent.add(each.place)
            size += _OVERHEAD + len(each.key) + len(values[each.place] or b"") * 4 // 3
        if number and size > MAX_BYTES:
            return number
    return min(len(touched), MAX_CHANGES)


def _changes(touched: list[ledger.Touched], values: dict[Place, bytes | None]) -> list[Change]:
    """Return one change for each object, in the order of its latest revision here."""
    latest: dict[Place, tuple[int, Origin]] = {}
    for each in touched:
        before = latest.pop(each.place, None)
        origin = before[1] if before is not None and not each.reduces and before[1].reduces else each.origin
        latest[each.place] = each.revision, origin
    return [Change(revision, *place, values[place], origin) for place, (revision, origin) in latest.items()]


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
