"""Looks at every row of the Merkle log: do events, entries and tiles still give what was signed?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from retinue import proof
from retinue.server.ledger import current, tree
from retinue.server.ledger.appending import newest, reader
from retinue.server.ledger.entries import Place, digest, personal_text, record
from retinue.server.ledger.expiring import EXPIRED
from retinue.server.ledger.models import AuditEvent, Entry, Log, Tile
from retinue.server.ledger.transaction import one_writer

#: The event that something was found of.
_EVENT = re.compile(r"\bevent ([0-9]+\.[0-9]+) ", re.ASCII)
#: What is found beyond so many is the same trouble.
MOST = 20


def verify(
    outside: proof.Checkpoint | None = None, between: Callable[[], object] = lambda: None
) -> list[str]:
    """Look at all logs, write down what was found, and return it: nothing if all is well.

    ``outside`` is a checkpoint that was kept outside the database. ``between`` is called now and then.
    """
    every = []
    for log in Log.objects.order_by("id"):
        found = list(_most(_troubles(log, outside, between)))
        with one_writer(), current.appending():
            # It may have grown meanwhile.
            Log.objects.filter(id=log.id).update(
                verified_size=log.size, verified_at=timezone.now(), trouble=found
            )
        every += found
    missing = _missing()
    if missing:
        note(missing)
    return every + [missing] * bool(missing)


def note(trouble: str) -> None:
    """Write down what was found of the newest log apart from a look at all of it."""
    log = newest()
    if log is not None and trouble not in log.trouble:
        with one_writer(), current.appending():
            Log.objects.filter(id=log.id).update(trouble=[*log.trouble, trouble][:MOST])


def told(log: Log, organization: str) -> list[str]:
    """Return what was found wrong as an organization is told it: of the events of others, how many."""
    about = {trouble: match[1] for trouble in log.trouble if (match := _EVENT.search(trouble))}
    rows = {"organization": organization}
    own = set(Entry.objects.filter(event__in=about.values(), **rows).values_list("event", flat=True))
    own |= set(AuditEvent.objects.filter(id__in=about.values(), **rows).values_list("id", flat=True))
    found = [each for each in log.trouble if each not in about or about[each] in own]
    others = len(log.trouble) - len(found)
    return found + [f"events of other organizations that are not what was signed: {others}"] * bool(others)


def _most(found: Iterator[str]) -> Iterator[str]:
    for count, each in enumerate(found):
        if count == MOST:
            yield "and more"
            return
        yield each


def _troubles(log: Log, outside: proof.Checkpoint | None, between: Callable[[], object]) -> Iterator[str]:
    yield from _of_checkpoint(log)
    leaves: list[bytes] = []
    for n in range(-(-log.size // tree.WIDTH)):
        between()
        entries = tree.hashes(reader(log)(tree.ENTRIES, n))[: log.size - n * tree.WIDTH]
        leaves += [proof.leaf_hash(each) for each in entries]
        yield from _of_rows(log, n * tree.WIDTH, entries)
    if len(leaves) != log.size or proof.tree_hash(leaves) != bytes(log.root):
        yield f"{log.origin}: the entries do not give the root that was signed at {log.size}"
    if outside is not None and outside.origin == log.origin:
        if outside.size > log.size:
            yield f"{log.origin}: {outside.size} entries were signed, and there are {log.size}"
        elif proof.tree_hash(leaves[: outside.size]) != outside.root:
            yield f"{log.origin}: the entries do not give the root that was signed at {outside.size}"
    yield from _of_tiles(log, leaves)
    yield from _unlogged(log)


def _of_checkpoint(log: Log) -> Iterator[str]:
    if not log.size:
        return
    try:
        signed = proof.read_checkpoint(log.checkpoint)
        signed.check(bytes(log.public_key))
    except proof.NotProven as error:
        yield f"{log.origin}: {error}"
        return
    if (signed.origin, signed.size, signed.root) != (log.origin, log.size, bytes(log.root)):
        yield f"{log.origin}: the checkpoint is not that of {log.size} entries"


def _of_rows(log: Log, first: int, entries: list[bytes]) -> Iterator[str]:
    """Compare what events say now with what stands in the log for them."""
    rows = list(Entry.objects.filter(log=log, index__gte=first, index__lt=first + len(entries)))
    found = AuditEvent.objects.select_related("personal").in_bulk([row.event for row in rows])
    if first == 0 and log.link and entries and digest(log.link) != entries[0]:
        yield f"{log.origin}: the first entry is not what the log says of the one before"
    for row in rows:
        event = found.get(row.event)
        if event is None:
            yield f"event {row.event} is gone"
            continue
        place = Place(row.sequence, bytes(row.salt), bytes(row.personal))
        part = getattr(event, "personal", None)
        is_changed = event.organization != row.organization
        if is_changed or digest(record(event, place)) != entries[row.index - first]:
            yield f"event {row.event} is not what it was"
        elif part is not None and digest(personal_text(part.salt, part.data)) != place.personal:
            yield f"the personal part of event {row.event} is not what it was"


def _of_tiles(log: Log, leaves: list[bytes]) -> Iterator[str]:
    level, above = 0, leaves
    while above:
        stored = dict(Tile.objects.filter(log=log, level=level).values_list("n", "data"))
        for n in range(-(-len(above) // tree.WIDTH)):
            part = b"".join(above[n * tree.WIDTH : (n + 1) * tree.WIDTH])
            if bytes(stored.get(n, b""))[: len(part)] != part:
                yield f"{log.origin}: tile {n} of level {level} is not what the entries give"
        full = len(above) // tree.WIDTH
        above = [proof.tree_hash(above[n * tree.WIDTH : (n + 1) * tree.WIDTH]) for n in range(full)]
        level += 1


def _unlogged(log: Log) -> Iterator[str]:
    """Events up to the last one in the log, for which nothing stands there."""
    if log != newest():
        return
    within = Q(revision__lt=log.revision) | Q(revision=log.revision, n__lte=log.n)
    rows = AuditEvent.objects.filter(within).exclude(type="")
    without = rows.filter(~Exists(Entry.objects.filter(event=OuterRef("id"))))
    for ident in without.values_list("id", flat=True)[: MOST + 1]:
        yield f"event {ident} is not in the log"


def _missing() -> str:
    """Of entries whose rows are gone, as many must have been said to be kept no longer."""
    logs = list(Log.objects.all())
    gone = sum(log.size - (1 if log.link else 0) for log in logs) - Entry.objects.count()
    told = sum(
        int(after.get("logged", 0))
        for after in AuditEvent.objects.filter(type=EXPIRED).values_list("after", flat=True)
    )
    pending = gone - told
    return f"{pending} events are gone that nobody let go" if pending > 0 else ""
