"""Compiles any kind of record, and goes through all of them in the order of a replica's keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from django.utils import timezone

from retinue.replica import records
from retinue.replica.records import Change, Kind, encode
from retinue.server.access import compile as access
from retinue.server.access import queries
from retinue.server.credentials import compile as credentials
from retinue.server.credentials.compile import milliseconds
from retinue.server.directory import compile as directory
from retinue.server.nodes.models import IdentityKey

PAGE_RECORDS = 5_000
#: SQLite takes a limited number of values in one statement.
_BATCH = 2_000

Place = tuple[Kind, str]


def compiled(kind: Kind, keys: Sequence[str], catalogue: Mapping[str, int]) -> dict[str, records.Record]:
    """Return the present records of these objects; what is gone is left out."""
    compilers: dict[Kind, Callable[[Sequence[str]], dict[str, records.Record]]] = {
        Kind.PERMISSION: partial(access.permissions, catalogue=catalogue),
        Kind.ORGANIZATION: partial(directory.organizations, catalogue=catalogue),
        Kind.ORGANIZATION_HANDLE: directory.handles,
        Kind.HOLDER: partial(access.holders, catalogue=catalogue),
        Kind.PRINCIPAL: partial(access.compiled_principals, catalogue=catalogue),
        Kind.CREDENTIAL: credentials.compiled,
        Kind.IDENTITY_KEY: _identity_keys,
    }
    found: dict[str, records.Record] = {}
    for start in range(0, len(keys), _BATCH):
        found |= compilers[kind](keys[start : start + _BATCH])
    return found


def changes(touched: Mapping[Place, int]) -> list[Change]:
    """Return the lines of the feed for touched objects and the revisions that touched them last."""
    catalogue = queries.catalogue()
    by_kind: dict[Kind, list[str]] = {}
    for kind, key in touched:
        by_kind.setdefault(kind, []).append(key)
    lines = []
    for kind, keys in by_kind.items():
        found = compiled(kind, keys, catalogue)
        for key in keys:
            value = encode(found[key]) if key in found else None
            lines.append(Change(touched[kind, key], kind, key, value))
    return sorted(lines, key=lambda line: line.revision)


def page(after: Place | None, revision: int, limit: int = PAGE_RECORDS) -> tuple[list[Change], Place | None]:
    """Return the next records of a snapshot in key order, and the place to go on from (``None``: the end)."""
    catalogue = queries.catalogue()
    lines: list[Change] = []
    kinds = list(Kind)
    start = 0 if after is None else kinds.index(after[0])
    for kind in kinds[start:]:
        last = after[1] if after is not None and kind is after[0] else ""
        keys = _PAGES[kind](last, limit - len(lines))
        found = compiled(kind, keys, catalogue)
        lines += [Change(revision, kind, key, encode(found[key])) for key in keys if key in found]
        if keys and len(lines) >= limit:
            return lines, (kind, keys[-1])
    return lines, None


def _identity_keys(kids: Sequence[str]) -> dict[str, records.Record]:
    rows = (
        IdentityKey.objects.filter(kid__in=kids).exclude(not_after__lte=timezone.now()).select_related("node")
    )
    return {
        row.kid: records.IdentityKey(row.kid, row.node.name, row.x, milliseconds(row.not_after))
        for row in rows
    }


def _identity_key_page(after: str, limit: int) -> list[str]:
    return list(
        IdentityKey.objects.filter(kid__gt=after).order_by("kid").values_list("kid", flat=True)[:limit]
    )


_PAGES: dict[Kind, Callable[[str, int], list[str]]] = {
    Kind.PERMISSION: access.permission_page,
    Kind.ORGANIZATION: directory.page,
    Kind.ORGANIZATION_HANDLE: directory.handle_page,
    Kind.HOLDER: access.holder_page,
    Kind.PRINCIPAL: access.principal_page,
    Kind.CREDENTIAL: credentials.page,
    Kind.IDENTITY_KEY: _identity_key_page,
}
