"""The database as a replica: the control plane decides about its own callers with the very same verifier.

Records are compiled on demand, in one consistent read for each verification: fifteen queries at most for a
native token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from django.db import connection

from retinue.replica import lease, records
from retinue.replica.records import SCHEMA, Kind, Meta, Record
from retinue.server.access import queries
from retinue.server.access.beginning import learn_catalogue
from retinue.server.credentials.compile import ACCEPTED
from retinue.server.ledger import feed
from retinue.server.ledger.feed import Keys, Position, Range
from retinue.server.ledger.transaction import reading
from retinue.server.nodes.compile import Compiler
from retinue.server.policies.queries import lease_range

R = TypeVar("R", bound=Record)

_ALL = 100_000


@dataclass(slots=True)
class Kept:
    """What is remembered of one revision, in one database."""

    place: tuple[str, Position]
    catalogue: Mapping[str, int]
    schemes: tuple[str, ...] | None = None


class DatabaseSnapshot:
    """One consistent view of the database, as records."""

    __slots__ = ("_compiler", "_holders", "_kept", "_meta")

    def __init__(self, head: Position, compiler: Compiler, kept: Kept, *, is_sure: bool) -> None:
        self._kept = kept
        # This is the truth itself: it is fresh from the moment on at which it is read.
        self._meta = Meta(
            epoch=head.epoch,
            revision=head.revision,
            complete=is_sure,
            schema=SCHEMA,
            boot_id=lease.boot_id(),
            fresh_from_ns=lease.boot_clock_ns(),
            fresh_wall_ms=lease.wall_clock_ms(),
        )
        self._compiler = compiler
        self._holders: dict[str, records.Holder] = {}

    def meta(self) -> Meta:
        return self._meta

    def credential(self, kid: str) -> records.Credential | None:
        return self._read(Kind.CREDENTIAL, kid, records.Credential)

    def lookup(self, key: str) -> str | None:
        found = self._read(Kind.LOOKUP, key, records.Lookup)
        return None if found is None else found.kid

    def import_schemes(self) -> tuple[records.ImportScheme, ...]:
        rows = self._compiler.select(Kind.IMPORT_SCHEME, Range("", _ALL)).values()
        return tuple(msgspec.msgpack.decode(value, type=records.ImportScheme) for value in rows)

    def schemes(self) -> tuple[str, ...]:
        if self._kept.schemes is None:
            found = self._read(Kind.SCHEMES, records.ANY, records.Schemes)
            self._kept.schemes = records.NATIVE_SCHEMES if found is None else found.names
        return self._kept.schemes

    def principal(self, principal_id: str) -> records.Principal | None:
        found = self._read(Kind.PRINCIPAL, principal_id, records.Principal)
        if found is not None:
            # A decision reads them next, and together they cost what one does.
            held = [*found.holders, *(each.holder for each in found.timed)]
            for key, value in self._compiler.select(Kind.HOLDER, Keys(held)).items() if held else ():
                self._holders[key] = msgspec.msgpack.decode(value, type=records.Holder)
        return found

    def holder(self, holder_id: str) -> records.Holder | None:
        return self._holders.get(holder_id) or self._read(Kind.HOLDER, holder_id, records.Holder)

    def gives(self, holders: tuple[str, ...]) -> None:
        return None  # the first that gives enough ends the search, so the others are not read

    def organization(self, organization_id: str) -> records.Organization | None:
        return self._read(Kind.ORGANIZATION, organization_id, records.Organization)

    def organization_by_handle(self, handle: str) -> records.Organization | None:
        found = self._read(Kind.ORGANIZATION_HANDLE, handle, records.OrganizationHandle)
        return None if found is None else self.organization(found.organization)

    def permission_index(self, name: str) -> int | None:
        return self._compiler.indexes.get(name)

    def teams_of(self, key: str) -> tuple[str, ...]:
        found = self._read(Kind.RESOURCE, key, records.Resource)
        return () if found is None else found.teams

    def longest_lease_ms(self) -> int:
        return lease_range()[1] * 1_000

    def identity_keys(self) -> Iterator[records.IdentityKey]:
        for value in self._compiler.select(Kind.IDENTITY_KEY, Range("", _ALL)).values():
            yield msgspec.msgpack.decode(value, type=records.IdentityKey)

    def node(self, credential_id: str) -> records.Node | None:
        return self._read(Kind.NODE, credential_id, records.Node)

    def _read(self, kind: Kind, key: str, type_: type[R]) -> R | None:
        value = self._compiler.compile([(kind, key)])[kind, key]
        return None if value is None else msgspec.msgpack.decode(value, type=type_)


class DatabaseReplica:
    """Implements :class:`retinue.replica.reading.Replica` by reading the database.

    Only the catalogue of permissions and the schemes are remembered, under the revision at which they were
    read: whatever changes them takes a new revision in the same transaction. While the history is in doubt
    nothing is decided (``replica_stale``), unless ``in_doubt`` allows it.
    """

    def __init__(self, *, in_doubt: bool = False) -> None:
        self._in_doubt = in_doubt
        self._kept: Kept | None = None

    @contextmanager
    def snapshot(self) -> Iterator[DatabaseSnapshot]:
        """Open a consistent read. No transaction may be open on this thread."""
        with reading():
            head = feed.position()
            place = (str(connection.settings_dict["NAME"]), head)
            kept = self._kept
            if kept is None or kept.place != place:
                kept = self._kept = Kept(place, queries.catalogue())
            learn_catalogue(kept.catalogue)
            is_sure = self._in_doubt or not (head.is_recovering or head.has_moved)
            yield DatabaseSnapshot(head, Compiler(kept.catalogue, ACCEPTED), kept, is_sure=is_sure)
