"""The one write door.

``with ledger.transaction(actor) as tx`` opens one database transaction. Actions write rows, ``tx.record``
what happened and ``tx.touch`` what nodes must fetch anew. Just before the commit the head row is locked
and the next revision taken: so revisions have no gaps and follow the order of the commits, on SQLite and
on PostgreSQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection
from django.db import transaction as database
from django.utils import timezone

from retinue.replica.records import Kind
from retinue.server.ledger import current, rows
from retinue.server.ledger.actor import SYSTEM as SYSTEM
from retinue.server.ledger.actor import Actor as Actor
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.door import Door, Rank
from retinue.server.ledger.recorded import Recorded

_door = Door()
#: As long as PostgreSQL waits for a lock.
QUEUE_SECONDS = 4.0


class UnrecordedWrite(Exception):
    """The transaction wrote guarded rows and recorded no event."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event of the catalogue, about one object."""

    event: str
    subject: str
    organization: str


@dataclass(slots=True)
class Transaction:
    """An open transaction: actor, clock, and what has been said so far."""

    actor: Actor
    now: datetime
    reason: str = ""
    wrote: bool = False
    #: Set at the commit; ``None`` for a transaction that changed nothing.
    revision: int | None = None
    reduces: bool = False
    #: The epoch in which it is committed; 0 before that.
    epoch: int = 0
    #: Tells the revision from one of the same number in another history.
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    #: What apps have read and rely on until the commit, by keys of their own.
    kept: dict[tuple[str, str], str] = field(default_factory=dict)
    _events: list[Recorded] = field(default_factory=list)
    _said: set[tuple[str, str]] = field(default_factory=set)
    _touched: dict[tuple[Kind, str], None] = field(default_factory=dict)
    _at_revision: list[Callable[[int], object]] = field(default_factory=list)
    _relied: tuple[int, Callable[[], None]] | None = None

    def record(
        self,
        event: str,
        subject: str,
        *,
        name: str,
        organization: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        reduces: bool = False,
    ) -> None:
        """Say what happened to one object, which is called ``name`` now; it is kept as personal data.

        What belongs to a principal is called ``etl/k1``, as on the command line. ``reduces`` tells of an
        event that is additive otherwise that this time it may take access away. Raises ``KeyError`` for an
        event outside the catalogue.
        """
        type_ = EVENTS[event]
        reduces = reduces or not type_.additive
        said = Recorded(type_, subject, name, organization, before or {}, after or {}, reduces)
        if (event, subject) in self._said:
            self._say_more(said)
            return
        self._said.add((event, subject))
        self._events.append(said)

    def _say_more(self, said: Recorded) -> None:
        """Put another update of an object into the event of the first one; nothing else is said twice."""
        if not said.type.name.endswith(".updated"):
            raise UnrecordedWrite(f"{said.type.name} {said.subject}: recorded twice in one transaction")
        place = [each.key for each in self._events].index(said.key)
        self._events[place] = said.following(self._events[place])

    def touch(self, kind: Kind, key: str) -> None:
        """Say that the record ``(kind, key)`` of every node must be compiled anew."""
        self._touched[kind, key] = None

    def touched(self) -> list[tuple[Kind, str]]:
        """Return which records were said to change, in the order in which it was said."""
        return list(self._touched)

    def reducing(self) -> list[Said]:
        """Return what was said that takes access away, in the order in which it was said."""
        return [
            Said(said.type.name, said.subject, said.organization) for said in self._events if said.reduces
        ]

    def at_revision(self, act: Callable[[int], object]) -> None:
        """Call ``act(revision)`` inside this transaction, once its revision is known; not if it has none."""
        self._at_revision.append(act)

    def rely(self, revision: int, confirm: Callable[[], None]) -> None:
        """Have ``confirm`` called at the commit, with the head locked, if others have committed after
        ``revision``: it raises where what was decided does not hold now. It must not wait for a lock."""
        self._relied = revision, confirm

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One step of several that may fail alone: an exception inside undoes its rows and what it said.

        For changes of many objects with a result for each. The exception goes on to the caller.
        """
        events, touched, acts = list(self._events), dict(self._touched), len(self._at_revision)
        wrote, said, kept = self.wrote, set(self._said), dict(self.kept)
        try:
            with database.atomic():
                yield
        except BaseException:
            self._events[:] = events
            del self._at_revision[acts:]
            self._touched, self.wrote, self._said, self.kept = touched, wrote, said, kept
            raise

    def recorded(self, events: Container[str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Return subject, before and after of what was said with one of these events."""
        return [(said.subject, said.before, said.after) for said in self._events if said.type.name in events]

    def _finish(self) -> None:
        for close in _closing:
            close(self)
        if not self._events:
            if self.wrote or self._touched:
                raise UnrecordedWrite("the transaction wrote and recorded nothing")
            return
        self.reduces = any(said.reduces for said in self._events)
        self.epoch, revision = rows.next_revision(self.mark)
        if self._relied is not None and self._relied[0] != revision - 1:
            self._relied[1]()
        said = list(enumerate(self._events, start=1))
        rows.write(
            revision,
            [self._event(revision, n, each) for n, each in said],
            [self._personal(revision, n, each) for n, each in said],
            [(revision, kind.value, key, self.reduces) for kind, key in self._touched],
        )
        for act in self._at_revision:
            act(revision)
        if self.reduces:
            for attend in _attending:
                attend(self, revision)
        self.revision = revision
        database.on_commit(lambda: _announce(self, revision))

    def _event(self, revision: int, n: int, said: Recorded) -> tuple[Any, ...]:
        actor, personal = self.actor, said.type.personal
        return (
            *(
                f"{revision}.{n}",
                revision,
                n,
                self.mark if n == 1 else "",
                self.now,
                said.organization,
                said.type.name,
            ),
            *(actor.kind, actor.id, actor.credential, actor.request, actor.channel),
            *(said.type.subject, said.subject),
            *(_without(said.before, personal), _without(said.after, personal)),
        )

    def _personal(self, revision: int, n: int, said: Recorded) -> tuple[Any, ...]:
        data = {
            "actor_name": self.actor.name,
            "address": self.actor.address,
            "subject_name": said.name,
            "reason": self.reason,
            "before": _only(said.before, said.type.personal),
            "after": _only(said.after, said.type.personal),
        }
        return f"{revision}.{n}", secrets.token_bytes(16), data


def _without(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _only(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in names}


_listeners: list[Callable[[int], None]] = []
_closing: list[Callable[[Transaction], None]] = []
_committed: list[Callable[[Transaction], None]] = []
_attending: list[Callable[[Transaction, int], None]] = []


def on_closing(act: Callable[[Transaction], None]) -> None:
    """Call ``act(tx)`` in each transaction of this process before it is committed: it may write more."""
    if act not in _closing:
        _closing.append(act)


def on_reducing(attend: Callable[[Transaction, int], None]) -> None:
    """Call ``attend(tx, revision)`` inside each transaction of this process that takes access away."""
    if attend not in _attending:
        _attending.append(attend)


def on_revision(listener: Callable[[int], None]) -> None:
    """Call ``listener(revision)`` in this process after each commit made by this process."""
    _listeners.append(listener)


def on_committed(listener: Callable[[Transaction], None]) -> None:
    """Call ``listener(tx)`` in this process after each commit made by this process."""
    _committed.append(listener)


def _announce(tx: Transaction, revision: int) -> None:
    for told in _committed:
        told(tx)
    for listener in _listeners:
        listener(revision)


def one_writer(*, first: bool = False, last: bool = False) -> AbstractContextManager[object]:
    """SQLite lets one writer in, and the others sleep and try again; here they queue before they begin.

    ``first`` is for polls: leases run out, and changes wait for them; ``last`` for what nobody waits for.
    """
    rank = Rank.FIRST if first else Rank.LAST if last else Rank.NEXT
    return _queued(rank) if connection.vendor == "sqlite" else nullcontext()


@contextmanager
def _queued(rank: Rank) -> Iterator[None]:
    with _door.enter(QUEUE_SECONDS, rank) as entered:
        if not entered:
            raise OperationalError("too many writers wait")
        yield


@contextmanager
def transaction(actor: Actor, *, reason: str = "") -> Iterator[Transaction]:
    """Open the write door for ``actor``; everything inside commits together or not at all.

    Yields the :class:`Transaction`. Raises :class:`UnrecordedWrite` if guarded rows were written and no
    event recorded, and ``RuntimeError`` inside another transaction: there is no half commit.
    """
    with one_writer(), database.atomic(durable=True):
        # Who waited in the queue acts now, not then: what has ended by the clock meanwhile has ended.
        opened = Transaction(actor=actor, now=_now(), reason=reason)
        with current.entered(opened):
            yield opened
            opened._finish()


def _now() -> datetime:
    """The present instant in whole milliseconds, as records and answers carry it."""
    now = timezone.now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@contextmanager
def reading() -> Iterator[None]:
    """Open one consistent read of the database; nothing can be written in it."""
    if connection.vendor == "postgresql":
        with database.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    # SQLite: a deferred transaction reads one snapshot without taking the write lock.
    connection.ensure_connection()  # the mode is known once it is connected
    mode, connection.transaction_mode = connection.transaction_mode, None  # type: ignore[attr-defined]
    try:
        with database.atomic():
            yield
    finally:
        connection.transaction_mode = mode  # type: ignore[attr-defined]
