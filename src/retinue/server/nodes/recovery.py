"""Recovers: does again what the journals say, a few changes in one transaction, and opens the epoch.

One thread in each process of the control plane; the row of the epoch is locked, so one of them at a time does
something. What is done and that it is done are one commit: a process that is killed leaves nothing half done,
and whoever looks next goes on.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter

from django.db import DatabaseError, connection
from django.db.models import Case, Count, When

from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger import lineage
from retinue.server.ledger.transaction import SYSTEM, UnrecordedWrite, transaction
from retinue.server.nodes import epochs
from retinue.server.nodes.history import Doubt
from retinue.server.nodes.models import Epoch, Lost
from retinue.server.nodes.replaying import FIRST, replay

_log = logging.getLogger("retinue.epochs")
#: Lost changes in one transaction.
AT_ONCE = 100
#: Looks: while something recovers, and otherwise.
RECOVERING_SECONDS, QUIET_SECONDS = 0.25, 1.0


def has_work() -> bool:
    """Tell whether a journal said something that was not looked after yet."""
    return Lost.objects.filter(outcome="").exists()


def step() -> bool:
    """Do what is due; tell whether there may be more soon."""
    head = ledger.position()
    if lineage.has_moved():
        epochs.begin(SYSTEM, Doubt("database_moved", head.epoch, detail={"lineage": lineage.lineage()}))
        return True
    if not head.is_recovering:
        return has_work() and replay_some(head.epoch)
    standing = epochs.standing(epochs.get(head.epoch))
    if not standing.is_ready:
        return True
    while standing.to_do and replay_some(head.epoch):
        pass
    open_epoch(head.epoch)
    return True


def replay_some(epoch: int) -> bool:
    """Do some of the lost changes again, in one transaction; tell whether there were any."""
    with transaction(SYSTEM, reason=f"epoch {epoch}: what nodes knew and the database had lost") as tx:
        Epoch.objects.select_for_update(no_key=True).get(epoch=epoch)
        seen: set[tuple[str, str]] = set()
        first = Case(When(kind=FIRST.value, then=0), default=1)
        for lost in Lost.objects.filter(outcome="").order_by(first, "id")[:AT_ONCE]:
            if (lost.kind, lost.key) in seen:
                break  # an event says one thing about an object
            seen.add((lost.kind, lost.key))
            try:
                with tx.attempt():
                    replay(tx, lost)
            except UnrecordedWrite:
                if len(seen) > 1:
                    break  # the same has been said of another object in this transaction
                raise
            except Refused as refused:
                lost.outcome, lost.told = "open", [refused.detail]
                lost.save()
            if lost.outcome == "open":
                _log.error("epoch %d: %s %s: %s", epoch, lost.kind, lost.key, "; ".join(lost.told))
    return bool(seen)


def open_epoch(epoch: int) -> None:
    """Let leases and receipts run again, unless something is waited for after all."""
    with transaction(SYSTEM, reason="all that was waited for has come") as tx:
        row = Epoch.objects.select_for_update(no_key=True).get(epoch=epoch)
        if not epochs.standing(row).is_ready or has_work():
            return
        row.state, row.opened_at = "open", tx.now
        row.save()
        outcomes = Lost.objects.filter(epoch=epoch).values_list("outcome").annotate(Count("id"))
        after = {"state": "open", **Counter(dict(outcomes))}
        tx.record(
            "epoch.opened",
            str(epoch),
            name=f"epoch {epoch}",
            organization=epochs.home(),
            before={"state": "recovering"},
            after=after,
        )
        tx.at_revision(lambda _: lineage.end_doubt())
    _log.warning("epoch %d is open: %s", epoch, after)


class _Keeper(threading.Thread):
    """Goes on with the recovery, whoever began it."""

    def __init__(self) -> None:
        super().__init__(name="retinue-recovery", daemon=True)
        self.ending = threading.Event()

    def run(self) -> None:
        pause = RECOVERING_SECONDS
        while not self.ending.wait(pause):
            try:
                pause = RECOVERING_SECONDS if step() else QUIET_SECONDS
            except DatabaseError as error:
                _log.warning("recovery: %s", str(error).partition("\n")[0])
                pause = QUIET_SECONDS
            except Exception:
                _log.exception("recovery: tried again")
                pause = QUIET_SECONDS
            finally:
                connection.close_if_unusable_or_obsolete()


_keeper: _Keeper | None = None


def keep() -> None:
    """Start the thread; once a process."""
    global _keeper
    if _keeper is None:
        _keeper = _Keeper()
        _keeper.start()


def stop() -> None:
    """End it; for the end of the process."""
    global _keeper
    if _keeper is not None:
        _keeper.ending.set()
        _keeper = None
