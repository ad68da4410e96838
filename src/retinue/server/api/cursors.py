"""Keyset cursors: signed, opaque, and bound to the list that made them.

A cursor holds the sort values of the last row, the last of them unique; the next page begins strictly
after them. So no row is lost or doubled when many rows have the same sort value, or when rows are added
meanwhile. A row that is itself moved (renamed) between two pages may be seen where it was or where it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core import signing
from django.db.models import Model, Q, QuerySet

from retinue.server.errors import Refused

MAX_ITEMS = 200
DEFAULT_ITEMS = 50
MAX_LENGTH = 512
_PURPOSE = b"retinue cursor v1"
_Row = TypeVar("_Row", bound=Model)
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a cursor is bound to: the list, whose it is, its filters and its order.

    ``order`` are field names, ``-`` for descending, the last one unique.
    """

    name: str
    scope: str
    filters: Mapping[str, Any]
    order: tuple[str, ...]

    @property
    def mark(self) -> str:
        """A short digest that two listings share only if they are the same."""
        parts = (
            self.name,
            self.scope,
            repr(sorted(self.filters.items(), key=lambda item: item[0])),
            repr(self.order),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def page(
    rows: QuerySet[_Row], listing: Listing, *, cursor: str | None, limit: int
) -> tuple[list[_Row], str | None]:
    """Return one page of ``rows`` and the cursor of the next (``None`` at the end)."""
    if cursor:
        rows = rows.filter(_after(rows, listing.order, _read(cursor, listing)))
    found = list(rows.order_by(*listing.order)[: limit + 1])
    if len(found) <= limit:
        return found, None
    return found[:limit], _made(found[limit - 1], listing)


def searched_page(
    rows: QuerySet[_Row],
    among: Callable[[QuerySet[_Row]], QuerySet[_Row]],
    listing: Listing,
    *,
    cursor: str | None,
    limit: int,
    portion: int,
    portions: int,
) -> tuple[list[_Row], str | None]:
    """Return what ``among`` finds in the next ``portions`` of ``rows``, at most ``limit``, and the next.

    However rare it is, no more is looked at than that: there may be fewer than ``limit``, and a cursor.
    """
    values = _read(cursor, listing) if cursor else None
    found: list[_Row] = []
    last: _Row | None = None
    for _ in range(portions):
        rest = rows.filter(_after(rows, listing.order, values)) if values else rows
        last = rest.order_by(*listing.order)[portion - 1 : portion].first()
        part = rest if last is None else rest.filter(_until(listing.order, last))
        found += among(part).order_by(*listing.order)[: limit + 1 - len(found)]
        if len(found) > limit:
            return found[:limit], _made(found[limit - 1], listing)
        if last is None:
            return found, None
        values = [getattr(last, name.lstrip("-")) for name in listing.order]
    return found, None if last is None else _made(last, listing)


def _until(order: Sequence[str], last: Model) -> Q:
    """Return the condition "not after this row" in an order that descends."""
    first, unique = (name.removeprefix("-") for name in order)
    at, ident = getattr(last, first), getattr(last, unique)
    equal = Q(**{first: at, f"{unique}__gte": ident})
    return Q(**{f"{first}__gte": at}) & (Q(**{f"{first}__gt": at}) | equal)


def computed_page(
    items: Callable[[tuple[str, ...] | None], Iterator[_Item]],
    key: Callable[[_Item], tuple[str, ...]],
    listing: Listing,
    *,
    cursor: str | None,
    limit: int,
) -> tuple[list[_Item], str | None]:
    """Return one page of what is computed, not read from a table, and the cursor of the next.

    ``items`` yields what comes strictly after a key, or everything for ``None``.
    """
    found = list(islice(items(tuple(_read(cursor, listing)) if cursor else None), limit + 1))
    if len(found) <= limit:
        return found, None
    return found[:limit], _signer().sign_object([listing.mark, *key(found[limit - 1])], compress=True)


def _made(last: Model, listing: Listing) -> str:
    values = [_plain(getattr(last, name.lstrip("-"))) for name in listing.order]
    cursor = _signer().sign_object([listing.mark, *values], compress=True)
    if len(cursor) > MAX_LENGTH:
        # A long name does not fit: the row itself is asked for it when the next page is read.
        cursor = _signer().sign_object([listing.mark, values[-1]])
    return cursor


def _after(rows: QuerySet[_Row], order: Sequence[str], values: list[Any]) -> Q:
    """Return the condition "strictly after these values" in this order."""
    if len(values) == 1 < len(order):
        unique = order[-1].lstrip("-")
        found = rows.model._default_manager.filter(**{unique: values[0]})
        values = list(found.values_list(*(name.lstrip("-") for name in order)).first() or ())
        if not values:
            raise _refused()
    # The first column is bounded by itself too: only that lets a database begin there in its index.
    bound = "lte" if order[0].startswith("-") else "gte"
    first, condition, equal = Q(**{f"{order[0].lstrip('-')}__{bound}": values[0]}), Q(), Q()
    for name, value in zip(order, values, strict=True):
        field = name.lstrip("-")
        step = "lt" if name.startswith("-") else "gt"
        condition |= equal & Q(**{f"{field}__{step}": value})
        equal &= Q(**{field: value})
    return first & condition


def _read(cursor: str, listing: Listing) -> list[Any]:
    if len(cursor) > MAX_LENGTH:
        raise _refused()
    try:
        mark, *values = _signer().unsign_object(cursor)
    except (signing.BadSignature, ValueError):
        raise _refused() from None
    if mark != listing.mark:
        raise _refused()
    return [datetime.fromisoformat(each["at"]) if isinstance(each, dict) else each for each in values]


def _refused() -> Refused:
    return Refused("cursor_invalid", "not a cursor of this list with these filters", field="query.cursor")


def _plain(value: Any) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


@cache
def _signer() -> signing.Signer:
    """The signer of cursors, with a key of its own that is derived from the installation's secret."""
    key = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(settings.SECRET_KEY.encode())
    return signing.Signer(key=key, salt="retinue.cursor")
