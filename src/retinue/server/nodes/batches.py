"""What an answer of the feed brings: the changes after a revision, as many as fit, put together once for all
nodes that have applied as much.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection

from retinue.replica.records import Change, Origin
from retinue.server.ledger import feed as ledger
from retinue.server.nodes.compile import Compiler, Place, known_to
from retinue.server.nodes.rules import PollRequest, cut_place

MAX_CHANGES = 1_000
MAX_BYTES = 1 << 20
#: What a record costs on the wire beside its value: revision, kind, key, origin and punctuation.
_OVERHEAD = 160


class Batch(NamedTuple):
    """What an answer brings: the same for every node that has applied as much."""

    changes: list[Change]
    more: bool
    following: str | None
    mark: str


#: Of the present head; all nodes ask for the same after a change.
_batches: dict[tuple[object, ...], Batch] = {}
_MOST_BATCHES = 8


def batch(request: PollRequest, head: ledger.Position) -> Batch:
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
    made = Batch(_changes(taken, values), more, following, taken[-1].mark if more else head.mark)
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
