"""Keyset cursors: signed, opaque, and bound to the list that made them.

A cursor holds the sort values and the id of the last row; the next page begins strictly after them. So no
row is lost or doubled when many rows have the same sort value, or when rows are added meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet

from retinue.server.errors import Refused

MOST_ITEMS = 200
DEFAULT_ITEMS = 50
MOST_LENGTH = 512
_SALT = "retinue.cursor"
_Row = TypeVar("_Row", bound=Model)


def page(
    rows: QuerySet[_Row], *, order: Sequence[str], bound_to: str, cursor: str | None, limit: int
) -> tuple[list[_Row], str | None]:
    """Return one page of ``rows`` and the cursor of the next (``None`` at the end).

    ``order`` are field names, ``-`` for descending, the last one unique. ``bound_to`` names the list with
    its organization and filters: a cursor of another list is refused.
    """
    names = [name.lstrip("-") for name in order]
    mark = hashlib.sha256("|".join([bound_to, *order]).encode()).hexdigest()[:16]
    if cursor:
        rows = rows.filter(_after(order, _read(cursor, mark, len(names))))
    found = list(rows.order_by(*order)[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    values = [_plain(getattr(last, name)) for name in names]
    return found[:limit], signing.dumps([mark, *values], salt=_SALT, compress=True)


def _after(order: Sequence[str], values: list[Any]) -> Q:
    """Return the condition "strictly after these values" in this order."""
    condition = Q()
    equal = Q()
    for name, value in zip(order, values, strict=True):
        field = name.lstrip("-")
        comparison: Callable[[str], str] = lambda each: f"{each}__{'lt' if name.startswith('-') else 'gt'}"  # noqa: B023, E731
        condition |= equal & Q(**{comparison(field): value})
        equal &= Q(**{field: value})
    return condition


def _read(cursor: str, mark: str, count: int) -> list[Any]:
    refused = Refused("cursor_invalid", "not a cursor of this list with these filters", field="query.cursor")
    if len(cursor) > MOST_LENGTH:
        raise refused
    try:
        found = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError):
        raise refused from None
    if not isinstance(found, list) or len(found) != count + 1 or found[0] != mark:
        raise refused
    return [_typed(value) for value in found[1:]]


def _plain(value: Any) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _typed(value: Any) -> Any:
    return datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value
