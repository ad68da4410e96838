"""Epochs: when the history is in doubt another one begins, and what the nodes know is waited for.

From the commit that raises the epoch on no lease is given and no receipt is completed, in any process: the
head itself says so. That ends when the longest lease has ended, when the journals of the nodes are in, and
when what they say has been done again; see ``recovery``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from retinue.replica.lease import boot_clock_ns
from retinue.server.directory import queries as directory
from retinue.server.errors import NotFound, Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger import lineage
from retinue.server.ledger import queries as events
from retinue.server.ledger.transaction import Actor, Transaction, one_writer, transaction
from retinue.server.nodes import freshness, leases
from retinue.server.nodes.history import Doubt
from retinue.server.nodes.models import Epoch, Journal, Lease, Lost, Node
from retinue.server.nodes.settling import bound_ns

__all__ = ["Epoch", "Journal", "Lost", "Standing"]

_log = logging.getLogger("retinue.epochs")
OUTCOMES = ("waiting", "nothing", "replayed", "closed", "unknown", "open")
#: Nodes that were heard so long before are waited for.
HEARD = timedelta(hours=24)
#: When this process first saw epochs that began on another clock (boot-time, ns).
_seen: dict[int, int] = {}


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the recovery of an epoch is. ``seconds`` are left until every lease has ended."""

    epoch: Epoch
    seconds: float
    awaited: tuple[str, ...]
    to_do: int

    @property
    def is_ready(self) -> bool:
        """Whether nothing is waited for any more, but what is still to be done again."""
        return self.epoch.state == "recovering" and self.seconds <= 0 and not self.awaited


def latest() -> Epoch:
    """Return the epoch that the head is in."""
    return Epoch.objects.get(epoch=ledger.position().epoch)


def get(epoch: int | str) -> Epoch:
    """Return an epoch by its number. Raises :class:`NotFound`."""
    is_number = str(epoch).isascii() and str(epoch).isdigit() and len(str(epoch)) < 19
    found = Epoch.objects.filter(epoch=int(epoch)).first() if is_number else None
    if found is None:
        raise NotFound("epoch", str(epoch))
    return found


def every() -> QuerySet[Epoch]:
    """Return all epochs."""
    return Epoch.objects.all()


def journals(epoch: Epoch) -> list[Journal]:
    """Return what became of the journals of an epoch, by the names of the nodes."""
    return list(Journal.objects.filter(epoch=epoch.epoch).order_by("name", "node"))


def lost(epoch: Epoch, outcome: str | None = None) -> QuerySet[Lost]:
    """Return what nodes knew and the database had lost; ``waiting`` is what was not looked after yet."""
    rows = Lost.objects.filter(epoch=epoch.epoch)
    return rows if outcome is None else rows.filter(outcome="" if outcome == "waiting" else outcome)


def outcomes(epoch: Epoch) -> dict[str, int]:
    """Return how many lost changes of an epoch came to which end."""
    counts = dict(Lost.objects.filter(epoch=epoch.epoch).values_list("outcome").annotate(Count("id")))
    return {name: counts.get("" if name == "waiting" else name, 0) for name in OUTCOMES}


def told() -> dict[str, object] | None:
    """Return what is waited for, for whoever asks whether we are ready; ``None`` if nothing is."""
    head = ledger.position()
    if not head.is_recovering:
        return None
    found = standing(get(head.epoch))
    return {
        "status": "recovering",
        "epoch": head.epoch,
        "journals_awaited": len(found.awaited),
        "seconds_left": round(found.seconds, 3),
    }


def begin(actor: Actor, doubt: Doubt, *, skip: Sequence[str] = (), reason: str = "") -> Epoch:
    """Raise the epoch above every one that was seen. Return the epoch that is in force then.

    Of several who find the same doubt one raises, and the others get what that one made. ``skip`` names nodes
    whose journals are not waited for.
    """
    with transaction(actor, reason=reason) as tx:
        return begin_in(tx, doubt, skip)


def begin_in(tx: Transaction, doubt: Doubt, skip: Sequence[str] = ()) -> Epoch:
    """Do the same in an open transaction. Refuses a name in ``skip`` that no node has."""
    for place, name in enumerate(skip):
        if not Node.objects.filter(Q(name=name) | Q(id=name), state="enrolled").exists():
            raise Refused("invalid_value", f"there is no node {name!r}", field=f"skip.{place}")
    before = Epoch.objects.select_for_update(no_key=True).get(epoch=doubt.under)
    head = ledger.position()
    if head.epoch != doubt.under:
        return Epoch.objects.get(epoch=head.epoch)
    made = _make(tx, before, max(head.epoch, doubt.seen) + 1, doubt)
    for node in _heard():
        state = "skipped" if node.name in skip or node.id in skip else "awaited"
        Journal.objects.create(epoch=made.epoch, node=node.id, name=node.name, state=state, at=tx.now)
    tx.at_revision(lambda _: lineage.begin_epoch(made.epoch))
    _log.error("epoch %d begins: %s; nodes get no lease until their journals are in", made.epoch, doubt.cause)
    return made


def _make(tx: Transaction, before: Epoch, number: int, doubt: Doubt) -> Epoch:
    if before.state == "recovering":
        before.state = "ended"
        before.save()
    made = Epoch.objects.create(
        epoch=number,
        cause=doubt.cause,
        detail=doubt.detail,
        began_at=tx.now,
        began_ns=boot_clock_ns(),
        clock_id=leases.clock_id(),
    )
    tx.record(
        "epoch.raised",
        str(number),
        name=f"epoch {number}",
        organization=home(),
        before={"epoch": before.epoch},
        after={"epoch": number, "cause": doubt.cause, **doubt.detail},
    )
    return made


def home() -> str:
    """Return the organization that sees what happens to the installation."""
    found = directory.installation()
    return "" if found is None else found.id


def _heard() -> list[Node]:
    """Return the enrolled nodes that were heard in the last day, as far as the database knows.

    It may have been restored after days: then the last day is that before the backup was made.
    """
    now = timezone.now()
    last = events.last_at() or now
    rows = Lease.objects.filter(is_superseded=False, last_contact_at__gte=min(now, last) - HEARD)
    return list(Node.objects.filter(state="enrolled", id__in=rows.values("node_id")).order_by("name"))


def standing(epoch: Epoch) -> Standing:
    """Return how far the recovery of an epoch is."""
    rows = Journal.objects.filter(epoch=epoch.epoch)
    awaited = tuple(rows.filter(state="awaited").order_by("name").values_list("name", flat=True))
    to_do = Lost.objects.filter(outcome="").count()
    seconds = 0.0 if epoch.state == "open" else max(_lease_ends_ns(epoch) - boot_clock_ns(), 0) / 1e9
    return Standing(epoch, seconds, awaited, to_do)


def _lease_ends_ns(epoch: Epoch) -> int:
    """Return when the last lease of the histories before has ended, on this process's boot-time clock."""
    now = boot_clock_ns()
    known = epoch.clock_id == leases.clock_id() and epoch.began_ns <= now
    began = epoch.began_ns if known else _seen.setdefault(epoch.epoch, now)
    reported = Journal.objects.filter(epoch=epoch.epoch).aggregate(longest=Max("lease_ms"))["longest"] or 0
    return began + bound_ns(max(freshness.longest_seconds(), reported / 1000))


def awaits(node: Node, incarnation: str, epoch: int) -> bool:
    """Tell whether this follower of a node has yet to hand its journal over; it is waited for from now on."""
    row = Journal.objects.filter(epoch=epoch, node=node.id).first()
    if row is None:
        with one_writer():
            new = {"name": node.name, "at": timezone.now()}
            Journal.objects.get_or_create(epoch=epoch, node=node.id, defaults=new)
        return True
    return row.state != "reported" or row.incarnation != incarnation


def skip(tx: Transaction, epoch: Epoch, nodes: Sequence[str]) -> list[Journal]:
    """Wait no longer for the journals of these nodes, by name or id. Refuses one that is not awaited."""
    epoch = Epoch.objects.select_for_update(no_key=True).get(epoch=epoch.epoch)
    if epoch.state != "recovering":
        raise Refused("state_conflict", f"epoch {epoch.epoch} is {epoch.state}: nothing is waited for")
    if not nodes:
        raise Refused("missing_field", "at least one node", field="nodes")
    found = []
    for place, name in enumerate(dict.fromkeys(nodes)):
        rows = Journal.objects.filter(epoch=epoch.epoch, state="awaited")
        row = rows.filter(name=name).first() or rows.filter(node=name).first()
        if row is None:
            raise Refused("invalid_value", f"no journal of {name!r} is awaited", field=f"nodes.{place}")
        row.state, row.at = "skipped", tx.now
        row.save()
        tx.record(
            "epoch.node_skipped",
            row.node,
            name=row.name,
            organization=home(),
            before={"state": "awaited"},
            after={"state": "skipped", "epoch": epoch.epoch},
        )
        found.append(row)
    return found
