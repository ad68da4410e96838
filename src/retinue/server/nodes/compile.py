"""Compiles any object into the record that nodes hold, by key or page by page in the order of a snapshot.

Call it inside ``ledger.transaction.reading()``: then the records belong to the head that was read there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.db.models import Q
from django.utils import timezone

from retinue.replica import records
from retinue.replica.records import Kind
from retinue.server.access import compile as access
from retinue.server.access import queries
from retinue.server.credentials import compile as credentials
from retinue.server.credentials import lookups
from retinue.server.directory import compile as directory
from retinue.server.ledger.feed import Keys, Range, Selection, narrow
from retinue.server.nodes.models import IdentityKey, Node
from retinue.token import Kind as TokenKind

#: A place in a snapshot: the kind and key of a record.
Place = tuple[Kind, str]
#: The kind of credentials that nodes have. Who may know those knows the nodes themselves, too.
NODE = TokenKind.NODE.value
#: Most keys in one query.
_CHUNK = 5_000


def known_to(*, relay: bool) -> tuple[str, ...]:
    """Return the kinds of credentials that a node may know."""
    return credentials.ACCEPTED if relay else credentials.REPLICATED


class Compiler:
    """Compiles in one consistent read. The catalogue of permissions is read once, when it is needed.

    ``kinds`` are the kinds of credentials that the reader may know.
    """

    def __init__(
        self, indexes: Mapping[str, int] | None = None, kinds: tuple[str, ...] = credentials.REPLICATED
    ) -> None:
        self._indexes = indexes
        self._kinds = kinds

    @property
    def indexes(self) -> Mapping[str, int]:
        """The catalogue: the index of each declared permission."""
        if self._indexes is None:
            self._indexes = queries.catalogue()
        return self._indexes

    def select(self, kind: Kind, selection: Selection) -> dict[str, bytes]:
        """Return the encoded records of one kind by key, in bytewise order of the keys."""
        match kind:
            case Kind.PERMISSION:
                return access.permissions(selection)
            case Kind.ORGANIZATION:
                return directory.organizations(selection, self.indexes, access.holders_by_kind)
            case Kind.ORGANIZATION_HANDLE:
                return directory.organization_handles(selection)
            case Kind.HOLDER:
                return access.holders(selection, self.indexes)
            case Kind.PRINCIPAL:
                return access.principals(selection, self.indexes)
            case Kind.CREDENTIAL:
                return credentials.credentials(selection, self._kinds)
            case Kind.IDENTITY_KEY:
                return _identity_keys(selection)
            case Kind.LOOKUP:
                return lookups.lookups(selection)
            case Kind.IMPORT_SCHEME:
                return lookups.import_schemes(selection)
            case Kind.SCHEMES:
                return directory.schemes(selection)
            case Kind.RESOURCE:
                return access.resources(selection)
            case Kind.NODE:
                return _nodes(selection) if NODE in self._kinds else {}

    def compile(self, places: Iterable[Place]) -> dict[Place, bytes | None]:
        """Return the present record of each place; ``None`` for what is gone."""
        found: dict[Place, bytes | None] = dict.fromkeys(places)
        wanted: dict[Kind, list[str]] = {}
        for kind, key in found:
            wanted.setdefault(kind, []).append(key)
        for kind, keys in wanted.items():
            for start in range(0, len(keys), _CHUNK):
                for key, value in self.select(kind, Keys(keys[start : start + _CHUNK])).items():
                    found[kind, key] = value
        return found

    def after(self, place: Place | None, limit: int) -> Iterator[tuple[Place, bytes]]:
        """Yield the next ``limit`` records after ``place``, through all kinds in the order of ``Kind``."""
        kinds = list(Kind)
        first, after = (0, "") if place is None else (kinds.index(place[0]), place[1])
        for kind in kinds[first:]:
            if limit <= 0:
                return
            page = self.select(kind, Range(after, limit))
            yield from (((kind, key), value) for key, value in page.items())
            limit -= len(page)
            after = ""


def _identity_keys(selection: Selection) -> dict[str, bytes]:
    """Return the records of the keys with which nodes sign, expired ones left out."""
    valid = Q(not_after__isnull=True) | Q(not_after__gt=timezone.now())
    rows = narrow(IdentityKey.objects.filter(valid), "kid", selection)
    return {
        kid: records.encode(records.IdentityKey(kid, node, x, credentials.milliseconds(not_after)))
        for kid, node, x, not_after in rows.values_list("kid", "node__name", "x", "not_after")
    }


def _nodes(selection: Selection) -> dict[str, bytes]:
    """Return the records of nodes by the ids of their credentials: the present one, and the one before."""
    found: dict[str, bytes] = {}
    for column in ("credential_id", "previous_credential_id"):
        rows = narrow(Node.objects.filter(**{f"{column}__isnull": False}), column, selection)
        for key, ident, name, state, is_relay in rows.values_list(column, "id", "name", "state", "is_relay"):
            replaced = column != "credential_id"
            found[key] = records.encode(records.Node(ident, name, state, is_relay, replaced))
    ordered = sorted(found, key=str.encode)
    if isinstance(selection, Range):
        ordered = ordered[: selection.limit]
    return {key: found[key] for key in ordered}
