"""Nodes whose polls were answered before: they are admitted from memory while nothing of them has changed.

What is remembered was decided by ``guard`` and answered by ``nodes.feed``, for exactly this header and this
address. The list of changes tells what ends it: whatever is said there of nodes, of their credentials, of
keys that they sign with, of organizations or of schemes.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field

from django.db import connection

from retinue.presented import header_names
from retinue.replica.records import Kind
from retinue.server.api import guard
from retinue.server.api.call import Call
from retinue.server.credentials.actions import peppers
from retinue.server.ledger.feed import Position
from retinue.server.nodes.rules import PollRequest, PublishedKey, is_renewal_due

#: Most nodes that are remembered in a process, by header and address.
MOST = 4_096
#: With more changes since the last look, all are forgotten.
MOST_CHANGES = 1_000
_CHANGES = """
SELECT DISTINCT kind, key FROM ledger_change WHERE revision > %s AND revision <= %s LIMIT %s
"""
Place = tuple[bytes, str]


@dataclass(slots=True, eq=False)
class Admitted:
    """A node as it was admitted. ``listed`` is the key that it has published."""

    node: str
    name: str
    is_relay: bool
    #: Records from which it was decided: (kind, key).
    records: frozenset[tuple[str, str]]
    kid: str
    expires_at_ms: int
    retires_at_ms: int
    #: It polls with a credential that was replaced.
    is_replaced: bool
    listed: PublishedKey | None
    #: Header fields in which it might have shown another token.
    others: tuple[str, ...]
    is_valid: bool = True
    #: Polls of it that are not answered yet.
    open: int = field(default=0)

    def may_poll(self) -> bool:
        """Tell whether what was decided still holds."""
        if not self.is_valid:
            return False
        now_ms = time.time_ns() // 1_000_000
        return not any(0 < ends_ms <= now_ms for ends_ms in (self.expires_at_ms, self.retires_at_ms))

    def renews(self) -> bool:
        """Tell whether the node should renew its credential now."""
        return self.is_replaced or is_renewal_due(self.expires_at_ms, time.time_ns() // 1_000_000)

    def is_usual(self, request: PollRequest) -> bool:
        """Tell whether a poll says nothing that must be looked after beyond what it acknowledges."""
        tells = request.followers is not None or request.probes or request.losses or request.seen
        known = request.identity_key is None or request.identity_key == self.listed
        named = request.node in ("", self.name) and (self.is_relay or not request.relay)
        holds_pepper = not request.pepper_ids or peppers().active.id in request.pepper_ids
        return bool(known and named and holds_pepper and not tells)


class Memory:
    """What is remembered, all of it found to hold at one position of the ledger."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[Place, Admitted] = {}
        self._at: Position | None = None

    def get(self, authorization: str, address: str) -> Admitted | None:
        """Return the node that has shown this header from this address before."""
        return self._found.get(_place(authorization, address))

    def check(self, head: Position) -> None:
        """Forget what may have changed since the last look, inside a transaction that sees ``head``."""
        with self._lock:
            before, self._at = self._at, head
            if before is None or not self._found:
                return
            if before.epoch != head.epoch or not head.compacted_revision <= before.revision <= head.revision:
                self._forget(None)
            elif before.revision != head.revision:
                self._forget(self._changed(before.revision, head.revision))

    def add(self, authorization: str, address: str, found: Admitted, at: Position) -> None:
        """Remember a node that was admitted at a position, unless what has come since then ends it.

        Changes go on while a poll is answered: of a node that polls for the first time, the last look may be
        newer. Call it outside a transaction.
        """
        with self._lock:
            self._at = last = self._at or at
            if at.epoch != last.epoch or at.revision < last.compacted_revision:
                return
            if at.revision < last.revision:
                changed = self._changed(at.revision, last.revision)
                if changed is None or not changed.isdisjoint(found.records):
                    return
            if len(self._found) >= MOST:
                self._forget(None)
            self._found[_place(authorization, address)] = found

    def _changed(self, after: int, upto: int) -> set[tuple[str, str]] | None:
        """Return which of the records have changed; ``None`` if all that is remembered may be wrong."""
        with connection.cursor() as cursor:
            cursor.execute(_CHANGES, [after, upto, MOST_CHANGES])
            rows = set(cursor.fetchall())
        if len(rows) == MOST_CHANGES or any(kind == Kind.SCHEMES.value for kind, _ in rows):
            return None
        return rows

    def _forget(self, changed: set[tuple[str, str]] | None) -> None:
        """Forget who was admitted by these records; ``None`` means all."""
        if changed is not None and not changed:
            return
        for place, each in list(self._found.items()):
            if changed is None or not changed.isdisjoint(each.records):
                each.is_valid = False
                del self._found[place]


def _place(authorization: str, address: str) -> Place:
    # No token is kept in memory.
    return hashlib.sha256(authorization.encode("utf-8", "surrogatepass")).digest(), address


memory = Memory()


def remember(call: Call, request: PollRequest) -> None:
    """Remember the node whose poll was answered just now."""
    node, caller, at = call.own_node, call.caller, call.admitted_at
    if caller is None or at is None:
        return
    meta = call.request.META
    kid = caller.credential_id.partition("_")[2]
    records = [
        (Kind.CREDENTIAL.value, kid),
        (Kind.NODE.value, caller.credential_id),
        (Kind.ORGANIZATION.value, caller.organization),
    ]
    if request.identity_key is not None:
        records.append((Kind.IDENTITY_KEY.value, request.identity_key.kid))
    found = Admitted(
        node=node.id,
        name=node.name,
        is_relay=node.is_relay,
        records=frozenset(records),
        kid=kid,
        expires_at_ms=caller.expires_at_ms,
        retires_at_ms=caller.retires_at_ms,
        is_replaced=caller.credential_id == node.previous_credential_id,
        listed=request.identity_key,
        others=tuple(name.decode() for name in header_names(guard.verifier().schemes())),
    )
    memory.add(meta.get("HTTP_AUTHORIZATION", ""), meta.get("REMOTE_ADDR") or "", found, at)
