"""Receipts: for each change that takes access away, where it holds and since when.

A receipt is opened in the transaction of its change, so that no such change is without one. It is complete
when every node has confirmed the revision or its lease has ended; whoever sees that first writes it down,
with its own event. A thread in each process goes on with receipts that nobody waits for: their caller did not
want to wait, or the process that waited is gone. Two may watch one receipt; it is completed once.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Q
from django.utils import timezone

from retinue.replica.lease import boot_clock_ns
from retinue.server.credentials import writing
from retinue.server.errors import NotFound
from retinue.server.ids import new_id
from retinue.server.ledger import feed as ledger
from retinue.server.ledger import transaction as door
from retinue.server.ledger.transaction import SYSTEM, Transaction, transaction
from retinue.server.nodes import freshness, leases, measures, receipt_rows, wake
from retinue.server.nodes.models import Receipt
from retinue.server.nodes.receipt_rows import PENDING, of_object, of_revision, opened_by, pending_of
from retinue.server.nodes.settling import Awaited, Row, bound_ns, confirmed, outlook

__all__ = [
    "Receipt",
    "end",
    "follow",
    "get",
    "keep",
    "of_object",
    "of_revision",
    "open_for",
    "opened_by",
    "pending_of",
    "stop",
    "subscribe",
]

_log = logging.getLogger("retinue.receipts")
#: The event of a receipt that is complete.
COMPLETED = "receipt.completed"
#: Acknowledgements that other processes received are looked for so often (PostgreSQL).
LOOK_SECONDS = 0.01
#: Nodes that poll in this process confirm within this time, as a rule.
FIRST_SECONDS = 0.02
#: The keeper looks so often for receipts that nobody waits for.
KEEP_SECONDS = 0.25
#: No organization may state a longer one.
LONGEST_LEASE_SECONDS = 3_600
#: The keeper leaves a young receipt to the call that opened it.
YOUNG = timedelta(seconds=0.5)
_ROWS = """
SELECT name, incarnation, retires, epoch, revision, granted_at_ns, clock_id,
       NOT is_superseded AND state = 'enrolled'
FROM nodes_lease JOIN nodes_node ON nodes_node.id = node_id
WHERE (NOT is_superseded AND state = 'enrolled') OR granted_at_ns > %s OR last_contact_at > %s
"""
#: Of rows of other boot-time clocks only the wall clock tells the age: so far may it be off between hosts.
WALL_MARGIN = timedelta(minutes=5)


def subscribe() -> None:
    """Open a receipt with every transaction that takes access away, from now on in this process."""
    door.on_reducing(open_for)


def open_for(tx: Transaction, revision: int) -> None:
    """Open the receipt of the transaction that takes ``revision``; it is pending until :func:`follow`."""
    said, lease = tx.reducing()[0], freshness.of_change(tx)
    receipt = Receipt(
        id=new_id("rcp"),
        epoch=tx.epoch,
        revision=revision,
        organization=said.organization,
        change=said.event,
        subject=said.subject,
        actor=tx.actor.id,
        committed_at=tx.now,
        bound_seconds=bound_ns(lease) / 1e9,
        lease_seconds=lease,
        lease_before_seconds=freshness.shortened_from(tx, said.organization) or None,
    )
    receipt_rows.add(tx, receipt)


def get(ident: str, organization: str, actor: str = "", *, is_operator: bool = False) -> Receipt:
    """Return a receipt of an organization, or of a change by ``actor``. Raises :class:`NotFound`.

    What an operator does to an organization as a whole concerns every operator.
    """
    rows = Receipt.objects.filter(id=ident)
    mine = Q(organization=organization) | Q(actor=actor)
    found = rows.filter(mine | Q(change__startswith="organization.") if is_operator else mine).first()
    if found is None:
        raise NotFound("receipt", ident)
    return found


def follow(receipt: Receipt, seconds: float) -> Receipt:
    """Wait until the receipt is complete, at most so long; return it as it is then.

    Call it after the commit, outside a transaction. No database connection is held between looks. While the
    process ends (:func:`end`) it is not waited for long: whoever follows the receipt finds it elsewhere.
    """
    until = time.monotonic() + seconds
    watch = _Watch(receipt)
    if seconds > 0 and wake.acknowledgements.is_fed:
        # First of all the nodes get the change: a look now would only take the time from the polls.
        wake.release_connection()
        wake.acknowledgements.wait(wake.acknowledgements.ticket(), min(FIRST_SECONDS, seconds))
    while True:
        ticket = wake.acknowledgements.ticket()
        if watch.look():
            return _complete(watch)
        left = min(until, _ending.last) - time.monotonic()
        if left <= 0:
            return watch.pending()
        wake.release_connection()
        wake.acknowledgements.wait(ticket, min(left, watch.pause_seconds()))


@dataclass
class _Watch:
    """One receipt under observation: whom it waits for was read once, when the watch began."""

    receipt: Receipt
    began_ns: int = field(default_factory=boot_clock_ns)
    waiting: list[Awaited] | None = None
    settled: list[dict[str, Any]] = field(default_factory=list)
    began_at: datetime = field(default_factory=timezone.now)

    def look(self) -> bool:
        """Read what the nodes have acknowledged; tell whether the change holds on all of them."""
        head = ledger.position()
        if head.is_recovering or head.has_moved:
            return False  # nobody knows what the nodes hold
        rows, now = self._rows(), boot_clock_ns()
        if self.waiting is None:
            lease = self.receipt.lease_seconds
            found = outlook(rows, now_ns=now, clock_id=leases.clock_id(), lease_seconds=lease)
            self.waiting = [*found.awaited, *found.ended]
        receipt = self.receipt
        # What a node has applied counts in the present epoch alone, whose snapshot holds all before it.
        for each in confirmed(self.waiting, rows, head.epoch, receipt.revision):
            self._settle(each, "confirmed", now)
        for each in [each for each in self.waiting if each.ends_at_ns <= now]:
            self._settle(each, "lease_ended", now)
        return not self.waiting and now >= _quiet_until_ns()

    def _rows(self) -> list[Row]:
        """Return the rows that matter: present ones, and those whose lease could run when the watch began.

        Rows of replaced followers are kept for days. Who replaced one was heard after it, so with a row come
        all that confirm it.
        """
        bound = bound_ns(self.receipt.lease_seconds)
        heard = self.began_at - timedelta(microseconds=bound / 1_000) - WALL_MARGIN
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, [self.began_ns - bound, connection.ops.adapt_datetimefield_value(heard)])
            return [Row(*row) for row in cursor.fetchall()]

    def pause_seconds(self) -> float:
        """Return how long to wait for an acknowledgement before the next look."""
        if connection.vendor != "sqlite":
            return LOOK_SECONDS
        if self.waiting is None:
            return KEEP_SECONDS
        ends = [each.ends_at_ns for each in self.waiting or ()] or [_quiet_until_ns()]
        return max((min(ends) - boot_clock_ns()) / 1e9, 0.001)

    def pending(self) -> Receipt:
        """Return the receipt with what is known so far; nothing is written."""
        if self.receipt.state == "pending":
            still = [self._named(each, "waiting", None, None) for each in self.waiting or ()]
            self.receipt.nodes = [*self.settled, *still]
        return self.receipt

    def _settle(self, each: Awaited, how: str, now: int) -> None:
        assert self.waiting is not None  # noqa: S101  (look has read it)
        self.waiting.remove(each)
        waited_ms = round((now - self.began_ns) / 1e6, 1)
        self.settled.append(self._named(each, how, writing.text(timezone.now()), waited_ms))

    def _named(self, each: Awaited, how: str, at: str | None, waited_ms: float | None) -> dict[str, Any]:
        """Return an entry of the receipt. Of a relay that did not confirm it says who is behind."""
        named = {"node": each.node, "incarnation": each.incarnation, "how": how, "at": at}
        behind = [] if how == "confirmed" else leases.behind(each, self.receipt.epoch, self.receipt.revision)
        return {**named, "waited_ms": waited_ms, "behind": behind}


def _complete(watch: _Watch) -> Receipt:
    """Write down that the change holds everywhere; if somebody else did, return what they wrote."""
    with transaction(SYSTEM, reason=f"revision {watch.receipt.revision}") as tx:
        receipt = receipt_rows.locked(watch.receipt.id)
        if receipt.state == "complete":
            return receipt
        receipt_rows.complete(tx, receipt, watch.settled)
        tx.record(
            COMPLETED,
            receipt.id,
            organization=receipt.organization,
            name=f"{receipt.change} {receipt.subject}",
            before={"state": "pending"},
            after={"state": "complete", "revision": receipt.revision, "nodes": receipt.nodes},
        )
    measures.completed(receipt)
    return receipt


def _quiet_until_ns() -> int:
    """Return until when lease rows may be missing, on this process's boot-time clock.

    On SQLite they are written without waiting for the disk, so a power cut may take some. Whatever they gave
    has ended one bound after the boot, and the clock began with the boot.
    """
    if connection.vendor != "sqlite" or boot_clock_ns() >= bound_ns(LONGEST_LEASE_SECONDS):
        return 0
    return bound_ns(freshness.longest_seconds())


class _Keeper(threading.Thread):
    """Goes on with the receipts that nobody waits for."""

    def __init__(self) -> None:
        super().__init__(name="retinue-receipts", daemon=True)
        self.ending = threading.Event()
        self._watches: dict[str, _Watch] = {}

    def run(self) -> None:
        pause = KEEP_SECONDS
        while not self.ending.wait(pause):
            try:
                pause = LOOK_SECONDS if self._round() else KEEP_SECONDS
            except DatabaseError as error:
                _log.warning("receipts: %s", str(error).partition("\n")[0])
                pause = 1.0
            except Exception:
                _log.exception("receipts: tried again")
                pause = 1.0
            finally:
                connection.close_if_unusable_or_obsolete()

    def _round(self) -> bool:
        """Look once after each pending receipt; tell whether there are any."""
        pending = list(Receipt.objects.filter(PENDING, committed_at__lt=timezone.now() - YOUNG))
        self._watches = {each.id: self._watches.get(each.id) or _Watch(each) for each in pending}
        for watch in list(self._watches.values()):
            if watch.look():
                _complete(watch)
                del self._watches[watch.receipt.id]
        return bool(self._watches)


_keeper: _Keeper | None = None


def keep() -> None:
    """Start the thread that goes on with receipts that nobody waits for; once a process."""
    global _keeper
    if _keeper is None:
        _keeper = _Keeper()
        _keeper.start()


class _Ending:
    #: Until then a receipt is waited for, at most (``time.monotonic``).
    last = float("inf")


_ending = _Ending()


def end(seconds: float) -> None:
    """Wait for receipts so long at most, and end the thread that goes on with them: the process ends.

    Soon no node reaches it any more, so that only the end of a lease would complete a receipt here, and that
    may be longer than a process has for its end.
    """
    _ending.last = time.monotonic() + seconds
    wake.acknowledgements.pulse()
    stop()


def stop() -> None:
    """End that thread."""
    global _keeper
    if _keeper is not None:
        _keeper.ending.set()
        _keeper = None
