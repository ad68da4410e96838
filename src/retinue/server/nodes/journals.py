"""Takes the journals of nodes: what they know and the database does not know is kept, to be done again.

A page may come twice, and from several nodes: a line is kept once. Two nodes that name the same revision are
of the same history, so the one that has come further knows better what the record said in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from django.db import transaction as database
from django.utils import timezone

from retinue.replica.records import TYPES, Noted
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import one_writer, reading
from retinue.server.nodes.compile import Compiler
from retinue.server.nodes.models import Epoch, Journal, Lost, Node
from retinue.server.nodes.rules import Applied, check_applied, check_incarnation

MOST_LINES = 1_000
#: An epoch waits as long as a node says that its leases are: no policy states a longer one.
LONGEST_LEASE_MS = 3_600_000
_BIGGEST = (1 << 63) - 1
#: The last instant that a datetime can say, in milliseconds.
_LAST_MS = 253_402_300_799_000


class JournalPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines of a node's journal, for ``epoch``; ``more`` if others follow.

    ``applied`` is how far the replica has come from which they are, ``lease_ms`` the longest lease in it.
    """

    node: str
    incarnation: str
    epoch: int
    applied: Applied
    lines: list[Noted]
    more: bool
    lease_ms: int = 0


class JournalTaken(msgspec.Struct, frozen=True):
    """How many of the lines the database did not know."""

    epoch: int
    unknown: int


def take(node: Node, page: JournalPage) -> JournalTaken:
    """Keep what the database does not know; the last page makes the journal reported.

    Raises :class:`Refused`: ``state_conflict`` for a journal of another epoch than the present one, and
    ``invalid_value`` for lines that no node writes.
    """
    _check(page)
    head = ledger.position()
    if page.epoch != head.epoch:
        raise Refused("state_conflict", f"epoch {head.epoch} is in force", field="epoch")
    lost = _lost(page.lines)
    with one_writer(), database.atomic(durable=True):
        # One page at a time: two nodes may say the same, and the epoch may end meanwhile.
        Epoch.objects.select_for_update(no_key=True).get(epoch=head.epoch)
        if ledger.position().epoch != page.epoch:
            raise Refused("state_conflict", "another epoch has begun", field="epoch")
        _keep(node, page, lost)
        _report(node, page, len(lost))
    return JournalTaken(head.epoch, len(lost))


def _check(page: JournalPage) -> None:
    if len(page.lines) > MOST_LINES:
        raise Refused("invalid_value", f"at most {MOST_LINES} lines", field="lines")
    if not 0 <= page.lease_ms <= LONGEST_LEASE_MS:
        raise Refused("invalid_value", "milliseconds, at most the longest lease", field="lease_ms")
    check_incarnation("incarnation", page.incarnation)
    check_applied("applied", page.applied)
    numbers = [page.epoch]
    for place, line in enumerate(page.lines):
        numbers += [line.epoch, line.origin.revision]
        is_key = line.key.isascii() and "\0" not in line.key and 0 < len(line.key) <= 160
        is_mark = line.origin.mark.isascii() and "\0" not in line.origin.mark and len(line.origin.mark) <= 16
        if not (is_key and is_mark and 0 <= line.origin.at_ms <= _LAST_MS and _is_record(line)):
            raise Refused("invalid_value", "a line that no node writes", field=f"lines.{place}")
    if not all(0 <= number <= _BIGGEST for number in numbers):
        raise Refused("invalid_value", "epochs and revisions are whole numbers from 0", field="lines")


def _is_record(line: Noted) -> bool:
    try:
        return line.value is None or bool(msgspec.msgpack.decode(line.value, type=TYPES[line.kind]))
    except msgspec.MsgspecError:
        return False


def _lost(lines: Sequence[Noted]) -> list[Noted]:
    """Return the lines whose revision is not of this history, without objects that are given here too.

    Of what took access away each is kept, also where our record is as theirs: another node, which has not
    come as far, may say otherwise.
    """
    known = ledger.marks({line.origin.revision for line in lines})
    head = ledger.position().revision
    strange = [line for line in lines if not _is_known(line, known, head)]
    given = [(line.kind, line.key) for line in strange if not line.origin.reduces]
    with reading():
        ours = Compiler().compile(given)
    return [
        line
        for line in strange
        if line.origin.reduces or (line.value is not None and ours[line.kind, line.key] is None)
    ]


def _is_known(line: Noted, known: dict[int, str], head: int) -> bool:
    mark = line.origin.mark
    if not mark:  # from before there were marks
        return line.origin.revision <= head
    return known.get(line.origin.revision) == mark


def _keep(node: Node, page: JournalPage, lost: Sequence[Noted]) -> None:
    present = {
        (row.kind, row.key, row.mark): row
        for row in Lost.objects.filter(epoch=page.epoch, key__in=[line.key for line in lost])
    }
    new = []
    for line in lost:
        row = present.get((line.kind.value, line.key, line.origin.mark))
        made = _row(node, page, line)
        if row is None:
            new.append(made)
        elif not row.outcome and _is_further(page.applied, row):
            made.id = row.id
            made.save(force_update=True)
    Lost.objects.bulk_create(new)


def _is_further(applied: Applied, row: Lost) -> bool:
    return (applied.epoch, applied.revision) > (row.applied_epoch, row.applied_revision)


def _row(node: Node, page: JournalPage, line: Noted) -> Lost:
    return Lost(
        epoch=page.epoch,
        kind=line.kind.value,
        key=line.key,
        mark=line.origin.mark,
        old_epoch=line.epoch,
        old_revision=line.origin.revision,
        old_at=datetime.fromtimestamp(line.origin.at_ms / 1000, UTC),
        reduces=line.origin.reduces,
        value=line.value,
        node=node.name,
        applied_epoch=page.applied.epoch,
        applied_revision=page.applied.revision,
    )


def _report(node: Node, page: JournalPage, unknown: int) -> None:
    row, _ = Journal.objects.get_or_create(
        epoch=page.epoch, node=node.id, defaults={"name": node.name, "at": timezone.now()}
    )
    if row.incarnation != page.incarnation:
        row.lines = 0
    row.incarnation, row.at = page.incarnation, timezone.now()
    row.applied_epoch, row.applied_revision = page.applied.epoch, page.applied.revision
    row.lease_ms = max(row.lease_ms, page.lease_ms)
    row.lines += unknown
    if not page.more:
        row.state = "reported"
    row.save()
