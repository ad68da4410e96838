"""A replica in memory: for tests, and for whoever wants to verify without a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

import msgspec

from retinue.replica import records
from retinue.replica.records import Kind, Meta


class MemorySnapshot:
    """A copy-on-write view: the dictionary that was current when it was opened."""

    __slots__ = ("_meta", "_rows")

    def __init__(self, rows: dict[tuple[Kind, str], bytes], meta: Meta) -> None:
        self._rows = rows
        self._meta = meta

    def __enter__(self) -> MemorySnapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def _read(self, kind: Kind, key: str) -> Any:
        value = self._rows.get((kind, key))
        return None if value is None else msgspec.msgpack.decode(value, type=records.TYPES[kind])

    def meta(self) -> Meta:
        return self._meta

    def credential(self, kid: str) -> records.Credential | None:
        record: records.Credential | None = self._read(Kind.CREDENTIAL, kid)
        return record

    def lookup(self, key: str) -> str | None:
        found: records.Lookup | None = self._read(Kind.LOOKUP, key)
        return None if found is None else found.kid

    def import_schemes(self) -> tuple[records.ImportScheme, ...]:
        rows = self.items(Kind.IMPORT_SCHEME)
        return tuple(msgspec.msgpack.decode(value, type=records.ImportScheme) for _, value in rows)

    def schemes(self) -> tuple[str, ...]:
        found: records.Schemes | None = self._read(Kind.SCHEMES, records.ANY)
        return records.NATIVE_SCHEMES if found is None else found.names

    def principal(self, principal_id: str) -> records.Principal | None:
        record: records.Principal | None = self._read(Kind.PRINCIPAL, principal_id)
        return record

    def holder(self, holder_id: str) -> records.Holder | None:
        record: records.Holder | None = self._read(Kind.HOLDER, holder_id)
        return record

    def gives(self, holders: tuple[str, ...]) -> None:
        return None

    def organization(self, organization_id: str) -> records.Organization | None:
        record: records.Organization | None = self._read(Kind.ORGANIZATION, organization_id)
        return record

    def organization_by_handle(self, handle: str) -> records.Organization | None:
        found: records.OrganizationHandle | None = self._read(Kind.ORGANIZATION_HANDLE, handle)
        return None if found is None else self.organization(found.organization)

    def permission_index(self, name: str) -> int | None:
        found: records.Permission | None = self._read(Kind.PERMISSION, name)
        return None if found is None else found.index

    def teams_of(self, key: str) -> tuple[str, ...]:
        found: records.Resource | None = self._read(Kind.RESOURCE, key)
        return () if found is None else found.teams

    def longest_lease_ms(self) -> int:
        rows = (value for _, value in self.items(Kind.ORGANIZATION))
        leases = (msgspec.msgpack.decode(value, type=records.Organization).lease_ms for value in rows)
        return max(leases, default=0)

    def identity_keys(self) -> Iterator[records.IdentityKey]:
        for _, value in self.items(Kind.IDENTITY_KEY):
            yield msgspec.msgpack.decode(value, type=records.IdentityKey)

    def node(self, credential_id: str) -> records.Node | None:
        record: records.Node | None = self._read(Kind.NODE, credential_id)
        return record

    def items(self, kind: Kind) -> Iterator[tuple[str, bytes]]:
        """Yield (key, encoded record) of one kind in key order."""
        for (each, key), value in sorted(self._rows.items(), key=lambda row: row[0][1]):
            if each is kind:
                yield key, value


class MemoryReplica:
    """The same contract as :class:`retinue.replica.store.Store`, in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Kind, str], bytes] = {}
        self._meta = Meta()

    def snapshot(self) -> MemorySnapshot:
        """Open a view of the present state."""
        return MemorySnapshot(self._rows, self._meta)

    def apply(self, changes: Iterable[records.Change], meta: Meta) -> None:
        """Write changes and ``meta``: all of it or nothing."""
        rows = dict(self._rows)
        for change in changes:
            if change.value is None:
                rows.pop((change.kind, change.key), None)
            else:
                rows[change.kind, change.key] = change.value
        self._rows, self._meta = rows, meta

    def replace_range(
        self,
        after: tuple[Kind, str] | None,
        upto: tuple[Kind, str] | None,
        changes: Iterable[records.Change],
        meta: Meta,
    ) -> None:
        """Make the keys in ``(after, upto]`` exactly those of ``changes``; as ``Store`` does."""
        order = list(Kind)

        def rank(place: tuple[Kind, str]) -> tuple[int, bytes]:
            return order.index(place[0]), place[1].encode()

        rows = {
            place: value
            for place, value in self._rows.items()
            if (after is not None and rank(place) <= rank(after))
            or (upto is not None and rank(place) > rank(upto))
        }
        for change in changes:
            if change.value is not None:
                rows[change.kind, change.key] = change.value
        self._rows, self._meta = rows, meta
