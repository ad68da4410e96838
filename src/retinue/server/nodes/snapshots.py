"""The snapshot: all records, page by page in the order of their keys, for nodes that are too far behind."""

from __future__ import annotations

import msgspec

from retinue.replica.records import Change, Kind, Origin
from retinue.server.errors import Refused
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import reading
from retinue.server.nodes.compile import Compiler, Place, known_to

PAGE_RECORDS = 5_000
_ORDER = {kind: number for number, kind in enumerate(Kind)}


class SnapshotPage(msgspec.Struct, frozen=True):
    """The records in ``(after, next]``; the last page has no ``next`` and reaches to the end of all keys.

    ``head`` of the first page is the revision from which a node polls when it has applied all pages, and
    ``mark`` the mark of that revision.
    """

    epoch: int
    head: int
    changes: list[Change]
    next: str | None
    mark: str = ""


def snapshot(after: str | None = None, *, relay: bool = False, limit: int = PAGE_RECORDS) -> SnapshotPage:
    """Return the page of the snapshot that begins after the record ``after`` (``<kind>/<key>``).

    Pages are read one by one, so a later page may hold newer records; the changes since the first page's
    head are applied afterwards and make all of it the present state. For a ``relay`` there are the nodes and
    their credentials, too. Raises :class:`Refused`.
    """
    place = None if after is None else _place(after)
    with reading():
        head = ledger.position()
        if head.is_recovering or head.has_moved:
            raise Refused("epoch_recovering", "poll; there is no snapshot before the epoch is open")
        found = dict(Compiler(kinds=known_to(relay=relay)).after(place, limit))
        last = list(found)[-1] if len(found) == limit else None
        origins = _origins(place, last)
    changes = [
        Change(head.revision, kind, key, value, origins.pop((kind, key), None))
        for (kind, key), value in found.items()
    ]
    # What is gone is no record any more, but a node notes it.
    changes += [
        Change(head.revision, *gone, None, origin) for gone, origin in origins.items() if origin.reduces
    ]
    changes.sort(key=lambda change: (_ORDER[change.kind], change.key.encode()))
    following = None if last is None else f"{last[0].value}/{last[1]}"
    return SnapshotPage(head.epoch, head.revision, changes, following, head.mark)


def _origins(after: Place | None, upto: Place | None) -> dict[Place, Origin]:
    """Return where the objects in ``(after, upto]`` changed last, as far as changes are kept."""
    kinds = list(Kind)
    first = 0 if after is None else _ORDER[after[0]]
    final = len(kinds) - 1 if upto is None else _ORDER[upto[0]]
    found: dict[Place, Origin] = {}
    for number in range(first, final + 1):
        lower = after[1] if after is not None and number == first else ""
        upper = upto[1] if upto is not None and number == final else ledger.LAST
        origins = ledger.origins(kinds[number], lower, upper)
        found |= {(kinds[number], key): origin for key, origin in origins.items()}
    return found


def _place(text: str) -> Place:
    kind, slash, key = text.partition("/")
    if not slash or kind not in list(Kind) or not key.isascii() or "\0" in key:
        raise Refused("invalid_value", "<kind>/<key> of the last record", field="after")
    return Kind(kind), key
