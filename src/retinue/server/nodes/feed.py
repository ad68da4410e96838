"""The feed: what nodes poll. The order is the protocol: record, then read.

An acknowledgement is stored and committed before the head is read for the answer; otherwise a change
could slip between, see no row, and the node would get an answer with the old head.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
from django.db import connection
from django.utils import timezone

from retinue.replica.records import SCHEMA, Change, Kind
from retinue.server.errors import Refused
from retinue.server.ledger import transaction as ledger
from retinue.server.ledger.models import Change as ChangeRow
from retinue.server.ledger.models import Head
from retinue.server.nodes import actions, compile, wake
from retinue.server.nodes.models import Lease, Node
from retinue.server.policies.native import NATIVE

MOST_CHANGES = 1_000
MOST_BYTES = 1 << 20
#: A poll is held for at most an eighth of the lease, because lease time counts from its sending.
MOST_HOLD_SECONDS = min(NATIVE.freshness_lease_seconds / 8, 20.0)
#: Superseded lease rows older than this are removed.
KEEP_LEASES = timedelta(days=7)


class Applied(msgspec.Struct, forbid_unknown_fields=True):
    """How far a replica has applied."""

    epoch: int = 0
    revision: int = 0


class PublishedKey(msgspec.Struct, forbid_unknown_fields=True):
    """The public half of a node's identity key."""

    kid: str
    x: str


class PollRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a follower sends. ``wait`` is in seconds, ``clock`` the node's boot-time clock in ns."""

    node: str
    incarnation: str
    applied: Applied
    wait: float = 0.0
    retires: str = ""
    clock: int = 0
    schema: int = SCHEMA
    pepper_ids: list[str] = []
    identity_key: PublishedKey | None = None


class PollAnswer(msgspec.Struct):
    """What a follower gets. ``time`` is this clock in ms; ``lease`` is true only if ``more`` is false."""

    incarnation: str
    epoch: int
    head: int
    changes: list[Change]
    more: bool
    lease: bool
    time: int
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """A page of a snapshot: records in key order, and the place to go on from."""

    epoch: int
    head: int
    changes: list[Change]
    next: str | None


class Superseded(Refused):
    """A newer incarnation of the node is at work; this one must stop."""


class NodeRemoved(Refused):
    """The node was removed; it must stop."""


def poll(node: Node, request: PollRequest) -> PollAnswer:
    """Record the acknowledgement, then read; hold while there is nothing new.

    Raises :class:`Refused` for another node's name, :class:`Superseded`, :class:`NodeRemoved`.
    """
    if node.state != "enrolled":
        raise NodeRemoved("node_removed", f"the node {node.name} was removed")
    if request.node != node.name:
        raise Refused("forbidden", f"this credential is bound to the node {node.name}", field="node")
    if not re.fullmatch(r"[0-9a-f]{32}", request.incarnation):
        raise Refused("invalid_value", "32 hexadecimal characters", field="incarnation")
    _publish(node, request.identity_key)
    seen = wake.commits.rings
    _record(node, request)
    wake.acknowledgements.ring()
    answer = _read(request)
    deadline = time.monotonic() + min(max(request.wait, 0.0), MOST_HOLD_SECONDS)
    while not (answer.changes or answer.snapshot or answer.more):
        left = deadline - time.monotonic()
        if left <= 0 or not _hold(seen, left):
            break
        seen = wake.commits.rings
        answer = _read(request)
    return answer


def _hold(seen: int, seconds: float) -> bool:
    """Wait for a commit without holding a database connection; ``False`` to answer at once."""
    if not wake.held.acquire(blocking=False):
        return False
    try:
        if connection.vendor == "postgresql":
            connection.close()
        return wake.commits.wait(seen, seconds)
    finally:
        wake.held.release()


def _publish(node: Node, key: PublishedKey | None) -> None:
    if key is None or actions.is_published(node, key.kid):
        return
    actor = ledger.Actor(
        kind="node", id=node.id, name=node.name, organization="", credential=node.credential_id
    )
    with ledger.transaction(actor) as tx:
        actions.publish_key(tx, node, key.kid, key.x)


def _record(node: Node, request: PollRequest) -> None:
    """Store the acknowledgement of this incarnation; committed when this returns."""
    fields = {
        "epoch": request.applied.epoch,
        "revision": request.applied.revision,
        "granted_at_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        "clock_id": _clock_id(),
        "last_contact_at": timezone.now(),
    }
    changed = Lease.objects.filter(node=node, incarnation=request.incarnation, is_superseded=False).update(
        **fields
    )
    if changed:
        return
    if Lease.objects.filter(node=node, incarnation=request.incarnation).exists():
        raise Superseded("superseded", f"a newer follower of the node {node.name} is at work")
    Lease.objects.filter(node=node, is_superseded=False).update(is_superseded=True)
    Lease.objects.filter(
        node=node, is_superseded=True, last_contact_at__lt=timezone.now() - KEEP_LEASES
    ).delete()
    Lease.objects.create(node=node, incarnation=request.incarnation, retires=request.retires[:32], **fields)


def _read(request: PollRequest) -> PollAnswer:
    """Read head, changes and their records in one consistent view."""
    with ledger.reading():
        head = Head.objects.get(id=1)
        applied = request.applied
        answer = PollAnswer(
            request.incarnation, head.epoch, head.revision, [], False, True, time.time_ns() // 1_000_000
        )
        if (
            applied.epoch != head.epoch
            or applied.revision < max(head.compacted_revision, 1)
            or applied.revision > head.revision
        ):
            answer.snapshot, answer.lease = True, False
            return answer
        if applied.revision == head.revision:
            return answer
        touched, last = _touched(applied.revision)
        lines = compile.changes(touched)
        answer.changes, complete = _cut(lines)
        answer.more = not complete or last < head.revision
        answer.lease = not answer.more
    return answer


def _touched(after: int) -> tuple[dict[tuple[Kind, str], int], int]:
    """Return what was touched after a revision, whole revisions, at most ``MOST_CHANGES`` rows or one revision."""
    rows = list(
        ChangeRow.objects.filter(revision__gt=after)
        .order_by("revision", "id")
        .values_list("revision", "kind", "key")[: MOST_CHANGES + 1]
    )
    last = 1 << 62
    if len(rows) > MOST_CHANGES:
        cut = rows[-1][0]
        if rows[0][0] == cut:
            whole = ChangeRow.objects.filter(revision=cut).order_by("id")
            rows = list(whole.values_list("revision", "kind", "key"))
            last = cut
        else:
            rows = [row for row in rows if row[0] < cut]
            last = rows[-1][0]
    touched: dict[tuple[Kind, str], int] = {}
    for revision, kind, key in rows:
        touched[Kind(kind), key] = revision
    return touched, last


def _cut(lines: list[Change]) -> tuple[list[Change], bool]:
    """Cut an answer at a revision boundary once it is too long; one revision is never cut."""
    size = 0
    for place, line in enumerate(lines):
        size += len(line.value or b"") + len(line.key)
        if size > MOST_BYTES and place and lines[place - 1].revision < line.revision:
            return lines[:place], False
    return lines, True


def snapshot(after: str | None) -> SnapshotPage:
    """Return a page of all records. ``after`` is ``next`` of the page before, ``None`` for the first."""
    place = None
    if after:
        kind, _, key = after.partition("/")
        if kind not in set(Kind):
            raise Refused("cursor_invalid", "not a place in a snapshot", field="after")
        place = (Kind(kind), key)
    with ledger.reading():
        head = Head.objects.get(id=1)
        lines, following = compile.page(place, head.revision)
    return SnapshotPage(
        head.epoch,
        head.revision,
        lines,
        None if following is None else f"{following[0].value}/{following[1]}",
    )


def _clock_id() -> str:
    """Name the clock that lease times are read from: this boot of this machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
