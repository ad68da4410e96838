"""The feed as a relay gives it to those who follow it: from its own replica, never from the database.

A child is lent what is left of this relay's own lease. The relay's lease began when it sent a poll; the
child's began when it sent its own, or so long before that as the relay's lease was old when the child's poll
arrived. So nothing that happens to an answer on its way makes the child's lease longer, and by its own clock
a child has used up its lease when the relay's has ended. Each relay in between costs the lease one margin,
because one clock more may lose time (``replica/lease.py: length_ms``).

Everything that decides what is confirmed happens under the replica's lock: an answer is made from one
snapshot and what it lends is noted before the lock is given back, so whatever the relay writes and
acknowledges later takes account of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from retinue.node.children import Applied, Child, Children, Follower, Forgotten, Position, Said
from retinue.node.feed_client import Canary, PollAnswer, SnapshotAnswer
from retinue.replica import clocks, lease
from retinue.replica.clocks import Point
from retinue.replica.records import SCHEMA, Change, Credential, Kind, Meta, Node
from retinue.replica.store_snapshot import StoreSnapshot
from retinue.settings import node_name
from retinue.token import Kind as TokenKind

MAX_CHANGES = 1_000
MAX_BYTES = 1 << 20
PAGE_RECORDS = 2_000
#: What a record costs on the wire beside its value: revision, kind, key and punctuation.
_OVERHEAD = 96
#: A poll is held for this part of the lease at most, as the control plane does.
HOLD_SHARE = 8
MOST_HOLD_SECONDS = 20.0
#: A node's credential lives so long, and the node renews it when a third is left.
CREDENTIAL_LIFE_MS = 90 * 86_400_000
_INCARNATION = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MOST = 1 << 63
#: A child tells of so many nodes, which it heard at most so long ago; as the control plane has it.
MOST_FOLLOWERS = 1_000
_OLDEST_MS = 1 << 60
#: The clock that those of children are compared with: there is one.
_OWN_CLOCK = "relay"
_MS = 1_000_000
_ORDER = {kind: number for number, kind in enumerate(Kind)}
_NODE_KIND = TokenKind.NODE.value
_credential = msgspec.msgpack.Decoder(Credential).decode


class NotNow(Exception):
    """This relay cannot answer at the moment: it has no whole replica, or is behind the one who asks."""


class Question(msgspec.Struct, frozen=True):
    """A poll, as far as a relay reads it; what it says has the meaning that it has for the control plane."""

    node: str
    incarnation: str
    applied: Applied
    wait: float = 0.0
    retires: str | None = None
    clock: int | None = None
    schema: int = SCHEMA
    after: str | None = None
    relay: bool = False
    confirmed: Applied | None = None
    followers: tuple[Follower, ...] | None = None

    @property
    def at(self) -> Position:
        """How far the child has come."""
        return self.applied.epoch, self.applied.revision

    def said(self, node: Node) -> Said:
        """Return what the poll of a node acknowledges."""
        said = self.confirmed or self.applied
        confirmed = (said.epoch, said.revision)
        return Said(node.id, node.name, self.incarnation, self.retires or "", confirmed, self.followers)

    def mistake(self) -> str:
        """Return the name of a field that no follower fills so; nothing if all is well."""
        told = (self.incarnation, self.retires, *(each.incarnation for each in self.followers or ()))
        positions = (self.applied, self.confirmed, *(each.applied for each in self.followers or ()))
        if not all(text is None or _INCARNATION.fullmatch(text) for text in told):
            return "incarnation"
        if not all(
            each is None or (0 <= each.epoch < _MOST and 0 <= each.revision < _MOST) for each in positions
        ):
            return "applied"
        if self.confirmed is not None and (self.confirmed.epoch, self.confirmed.revision) > self.at:
            return "confirmed"
        if not (math.isfinite(self.wait) and self.wait >= 0):
            return "wait"
        if not _may_be_told(self.followers or ()):
            return "followers"
        return "" if self.schema == SCHEMA else "schema"


def _may_be_told(followers: tuple[Follower, ...]) -> bool:
    """Tell whether those above will hear of these: a poll that tells of others is refused, and its lease."""
    try:
        for each in followers:
            node_name(each.node)
            node_name(each.parent or each.node)
    except ValueError:
        return False
    return len(followers) <= MOST_FOLLOWERS and all(0 <= each.ago_ms < _OLDEST_MS for each in followers)


class Source(Protocol):
    """The relay's own replica: what its follower writes, and the lock under which it does."""

    #: The shortest lease in force, as last heard.
    lease_ms: int
    #: The canary that was heard of last, and the head then.
    canary: tuple[Canary, int] | None

    def reading(self) -> AbstractContextManager[StoreSnapshot]:
        """Open a snapshot, under the lock. Raises ``lmdb.Error`` while there is no replica."""

    def control_time_ms(self, boot_ns: int) -> int:
        """Return the wall clock of the control plane, as far as it is known here."""


class Relay:
    """Answers polls and gives snapshots."""

    def __init__(self, source: Source, children: Children) -> None:
        self._source = source
        self._children = children

    def reading(self) -> AbstractContextManager[StoreSnapshot]:
        """Open a snapshot, under the lock. Raises ``lmdb.Error`` while there is no replica."""
        return self._source.reading()

    def hold_seconds(self) -> float:
        """Return how long a poll is held at most."""
        return min(self._source.lease_ms / 1000 / HOLD_SHARE, MOST_HOLD_SECONDS)

    def is_ready(self) -> bool:
        """Tell whether nodes can follow: the replica is whole, and its lease runs. Raises ``lmdb.Error``."""
        with self._source.reading() as snapshot:
            meta = snapshot.meta()
            return meta.complete and meta.schema == SCHEMA and _is_running(meta, snapshot.longest_lease_ms())

    def hear(self, question: Question, node: Node, arrived_ns: int) -> Child:
        """Note what the poll of a node acknowledges. Raises what :meth:`Children.hear` raises."""
        with self._source.reading():
            child = self._children.hear(question.said(node), arrived_ns)
            if question.clock is not None:
                point = Point(arrived_ns, question.clock)
                child.clock = clocks.observe(child.clock, _OWN_CLOCK, point, lease.wall_clock_ms())
            return child

    def answer(self, question: Question, child: Child, arrived_ns: int) -> tuple[PollAnswer, int]:
        """Answer a poll that had arrived at ``arrived_ns`` and is noted; say also when our own lease began.

        Raises :class:`NotNow`, :class:`retinue.node.children.Superseded`, and ``OSError`` if what is lent
        cannot be noted.
        """
        with self._source.reading() as snapshot:
            try:
                self._children.check(child)
            except Forgotten:
                raise NotNow("this relay has begun anew") from None
            meta = snapshot.meta()
            if not meta.complete or meta.schema != SCHEMA:
                raise NotNow("this relay has no whole replica yet")
            if question.at > (meta.epoch, meta.revision):
                raise NotNow("this relay is behind the node that asks")
            answer = self._changes(snapshot, meta, question)
            answer.canary = self._canary_for(answer.changes)
            longest_ms = lease.length_ms(snapshot.longest_lease_ms(), meta.hops)
            self._children.tell(child, longest_ms)
            if not answer.more and not answer.snapshot:
                self._lend(snapshot, meta, child, answer, arrived_ns)
            return answer, meta.fresh_from_ns

    def _canary_for(self, changes: Iterable[Change]) -> Canary | None:
        """Return the canary of a probe for a node that gets its record, and no later one."""
        canary, head = self._source.canary or (None, 0)
        has_record = any(each.kind is Kind.CREDENTIAL and each.revision <= head for each in changes)
        return canary if has_record else None

    def snapshot(self, after: tuple[Kind, str] | None, *, relay: bool) -> SnapshotAnswer:
        """Return the page of the snapshot after a place. Raises :class:`NotNow`."""
        with self._source.reading() as snapshot:
            meta = snapshot.meta()
            if not meta.complete or meta.schema != SCHEMA:
                raise NotNow("this relay has no whole replica yet")
            changes: list[Change] = []
            size, last = 0, None
            for kind, key, value in _records(snapshot, after):
                if len(changes) >= PAGE_RECORDS or size > MAX_BYTES:
                    last = changes[-1].kind, changes[-1].key
                    break
                if relay or not _is_of_nodes(kind, value):
                    changes.append(snapshot.change(meta.revision, kind, key))
                    size += _cost(changes[-1])
            changes += snapshot.gone(after, last)
            changes.sort(key=lambda change: (_ORDER[change.kind], change.key.encode()))
            following = None if last is None else f"{last[0].value}/{last[1]}"
            return SnapshotAnswer(meta.epoch, meta.revision, changes, following, meta.mark)

    def _changes(self, snapshot: StoreSnapshot, meta: Meta, question: Question) -> PollAnswer:
        """Answer with what has changed since the child's revision: all of it, or a first part."""
        answer = PollAnswer(
            incarnation=question.incarnation, epoch=meta.epoch, head=meta.revision, changes=[], more=False,
            lease=False, time=self._source.control_time_ms(lease.boot_clock_ns()),
            lease_ms=self._source.lease_ms, mark=meta.mark, hops=meta.hops + 1,
            nodes=meta.nodes,
        )  # fmt: skip
        listed = snapshot.changed()
        epoch, revision = question.at
        is_other = revision == meta.revision and question.applied.mark not in ("", meta.mark)
        if epoch != meta.epoch or listed is None or listed.floor > revision or is_other:
            answer.snapshot = True
            return answer
        latest: dict[tuple[Kind, str], Change] = {}
        size, last = 0, ""
        begin, place = _begin(question)
        for at, kind, key in snapshot.changed_after(begin, place):
            if len(latest) >= MAX_CHANGES or size > MAX_BYTES:
                answer.more, answer.next = True, last
                break
            change = snapshot.change(at, kind, key)
            if not question.relay and change.value is not None and _is_of_nodes(kind, change.value):
                change = Change(at, kind, key)
            if latest.pop((kind, key), None) is None:
                size += _cost(change)
            latest[kind, key] = change
            last = f"{at}/{kind.value}/{key}"
        answer.changes = list(latest.values())
        return answer

    def _lend(
        self, snapshot: StoreSnapshot, meta: Meta, child: Child, answer: PollAnswer, arrived_ns: int
    ) -> None:
        """Let the child decide for what is left of the lease, if this relay itself may."""
        if child.clock.is_slow:
            answer.refused = "clock"
            return
        longest_ms = snapshot.longest_lease_ms()
        if not _is_running(meta, longest_ms) or answer.hops > lease.MOST_HOPS:
            return
        self._children.lend(child, meta.fresh_from_ns, lease.length_ms(longest_ms, meta.hops))
        answer.lease = True
        answer.age_ms = max(0, -(-(arrived_ns - meta.fresh_from_ns) // _MS))


def _begin(question: Question) -> tuple[int, tuple[Kind, str] | None]:
    """Return where an answer begins: after the child's revision, or where the part before has ended."""
    revision, _, place = (question.after or "").partition("/")
    kind, slash, key = place.partition("/")
    if slash and revision.isdigit() and kind in list(Kind) and int(revision) > question.at[1]:
        return int(revision), (Kind(kind), key)
    return question.at[1], None


def _records(snapshot: StoreSnapshot, after: tuple[Kind, str] | None) -> Iterable[tuple[Kind, str, bytes]]:
    kinds = list(Kind)
    first, place = (0, "") if after is None else (kinds.index(after[0]), after[1])
    for kind in kinds[first:]:
        yield from ((kind, key, value) for key, value in snapshot.items(kind, place))
        place = ""


def _is_of_nodes(kind: Kind, value: bytes) -> bool:
    """Tell whether a record is for relays alone."""
    if kind is Kind.CREDENTIAL:
        return _credential(value).kind == _NODE_KIND
    return kind is Kind.NODE


def _cost(change: Change) -> int:
    return _OVERHEAD + len(change.key) + len(change.value or b"") * 4 // 3


def _is_running(meta: Meta, longest_ms: int) -> bool:
    return lease.is_running(meta, longest_ms, lease.boot_id(), lease.boot_clock_ns(), lease.wall_clock_ms())


def is_renewal_due(expires_at_ms: int) -> bool:
    """Tell whether a child should renew its credential: a third of its life is left, or less."""
    return 0 < expires_at_ms <= lease.wall_clock_ms() + CREDENTIAL_LIFE_MS // 3
