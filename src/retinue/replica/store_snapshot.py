"""One read transaction of a replica in LMDB."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any

import lmdb
import msgspec

from retinue import permission
from retinue.replica import changes, journal, records
from retinue.replica.changes import Entry
from retinue.replica.holding import Gives
from retinue.replica.records import Change, Kind, Meta
from retinue.replica.shared_records import MAX_COMMON, Common

#: A principal with more bytes than this is taken to have a long list of holders.
_LONG = 512

PREFIX = {
    Kind.PERMISSION: b"a",
    Kind.ORGANIZATION: b"b",
    Kind.ORGANIZATION_HANDLE: b"c",
    Kind.HOLDER: b"d",
    Kind.PRINCIPAL: b"e",
    Kind.CREDENTIAL: b"f",
    Kind.IDENTITY_KEY: b"g",
    Kind.LOOKUP: b"h",
    Kind.IMPORT_SCHEME: b"i",
    Kind.SCHEMES: b"j",
    Kind.RESOURCE: b"k",
    Kind.NODE: b"l",
}
_KIND = {prefix: kind for kind, prefix in PREFIX.items()}
META = b"\x00meta"
_MAX_KEY = 511  # LMDB's own bound; asking for more is an error there, here it is "not found"

_decode_credential = msgspec.msgpack.Decoder(records.Credential).decode
_decode_principal = msgspec.msgpack.Decoder(records.Principal).decode
_decode_permission = msgspec.msgpack.Decoder(records.Permission).decode
_decode_handle = msgspec.msgpack.Decoder(records.OrganizationHandle).decode
_decode_identity_key = msgspec.msgpack.Decoder(records.IdentityKey).decode
_decode_lookup = msgspec.msgpack.Decoder(records.Lookup).decode
_decode_import_scheme = msgspec.msgpack.Decoder(records.ImportScheme).decode
_decode_schemes = msgspec.msgpack.Decoder(records.Schemes).decode
_decode_node = msgspec.msgpack.Decoder(records.Node).decode
_decode_organization = msgspec.msgpack.Decoder(records.Organization).decode
_decode_resource = msgspec.msgpack.Decoder(records.Resource).decode
_decode_holder = msgspec.msgpack.Decoder(records.Holder).decode


class _Listing(records.Principal, frozen=True, array_like=True, gc=False):
    """A principal whose list of holders is not decoded yet."""

    holders: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


_decode_listing = msgspec.msgpack.Decoder(_Listing).decode
_HOLDERS = records.Principal.__struct_fields__.index("holders")
_decode_list = msgspec.msgpack.Decoder(tuple[str, ...]).decode

#: A record that has changed: revision, kind, key.
Place = tuple[int, Kind, str]


def stored(kind: Kind, key: str) -> bytes:
    """Return the key under which a record stands."""
    return PREFIX[kind] + key.encode()


def _foreign_key(prefix: bytes, text: str) -> bytes:
    """Return the key for a name that a caller made up: any length, any text, lone surrogates too."""
    return (prefix + text.encode("utf-8", "surrogatepass"))[:_MAX_KEY]


class StoreSnapshot(msgspec.Struct, eq=False):
    """One read transaction. Use it as a context manager; it must be closed by the thread that opened it."""

    _transaction: lmdb.Transaction
    _common: Common

    def __enter__(self) -> StoreSnapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transaction.abort()

    def meta(self) -> Meta:
        return self._common.meta

    def credential(self, kid: str) -> records.Credential | None:
        value = self._transaction.get(b"f" + kid.encode())
        return None if value is None else _decode_credential(value)

    def lookup(self, key: str) -> str | None:
        value = self._transaction.get(b"h" + key.encode())
        return None if value is None else _decode_lookup(value).kid

    def import_schemes(self) -> tuple[records.ImportScheme, ...]:
        common = self._common
        if common.import_schemes is None:
            rows = self.items(Kind.IMPORT_SCHEME)
            common.import_schemes = tuple(_decode_import_scheme(value) for _, value in rows)
        return common.import_schemes

    def schemes(self) -> tuple[str, ...]:
        common = self._common
        if common.schemes is None:
            value = self._transaction.get(b"j" + records.ANY.encode())
            common.schemes = records.NATIVE_SCHEMES if value is None else _decode_schemes(value).names
        return common.schemes

    def principal(self, principal_id: str) -> records.Principal | None:
        value = self._transaction.get(b"e" + principal_id.encode())
        if value is None or len(value) <= _LONG:
            return None if value is None else _decode_principal(value)
        return self._with_list(_decode_listing(value))

    def _with_list(self, found: _Listing) -> records.Principal:
        """Return a principal with its list of holders. Those who are in the same groups share one."""
        common, written = self._common, bytes(found.holders)
        holders = common.lists.get(written)
        if holders is None:
            holders = _decode_list(written)
            common.make_room(len(holders))
            common.lists[written] = holders
        parts: list[Any] = list(msgspec.structs.astuple(found))
        parts[_HOLDERS] = holders
        return records.Principal(*parts)

    def gives(self, holders: tuple[str, ...]) -> Gives:
        common = self._common
        found = common.given.get(holders)
        if found is None:
            each = [holder for holder in map(self.holder, holders) if holder is not None]
            has_limits = any(holder.bound or holder.scoped for holder in each)
            found = Gives(permission.union(holder.permissions for holder in each), has_limits)
            common.make_room(len(holders))
            common.given[holders] = found
        return found

    def holder(self, holder_id: str) -> records.Holder | None:
        known = self._common.holders
        found = known.get(holder_id)
        if found is None:
            value = self._transaction.get(b"d" + holder_id.encode())
            if value is not None:
                _make_room(known)
                found = known[holder_id] = _decode_holder(value)
        return found

    def organization(self, organization_id: str) -> records.Organization | None:
        known = self._common.organizations
        found = known.get(organization_id)
        if found is None:
            value = self._transaction.get(_foreign_key(b"b", organization_id))
            if value is not None:
                _make_room(known)
                found = known[organization_id] = _decode_organization(value)
        return found

    def organization_by_handle(self, handle: str) -> records.Organization | None:
        value = self._transaction.get(_foreign_key(b"c", handle))
        return None if value is None else self.organization(_decode_handle(value).organization)

    def permission_index(self, name: str) -> int | None:
        known = self._common.permissions
        found = known.get(name)
        if found is None:
            value = self._transaction.get(_foreign_key(b"a", name))
            if value is not None:
                _make_room(known)
                found = known[name] = _decode_permission(value).index
        return found

    def teams_of(self, key: str) -> tuple[str, ...]:
        value = self._transaction.get(_foreign_key(b"k", key))
        return () if value is None else _decode_resource(value).teams

    def longest_lease_ms(self) -> int:
        common = self._common
        if common.longest_lease_ms is None:
            leases = (_decode_organization(value).lease_ms for _, value in self.items(Kind.ORGANIZATION))
            common.longest_lease_ms = max(leases, default=0)
        return common.longest_lease_ms

    def identity_keys(self) -> Iterator[records.IdentityKey]:
        for _, value in self.items(Kind.IDENTITY_KEY):
            yield _decode_identity_key(value)

    def node(self, credential_id: str) -> records.Node | None:
        value = self._transaction.get(b"l" + credential_id.encode())
        return None if value is None else _decode_node(value)

    def changed(self) -> changes.Header | None:
        """Return where the list of changes begins and ends; ``None`` if there is none."""
        return changes.header(self._transaction)

    def changed_after(self, revision: int, place: tuple[Kind, str] | None) -> Iterator[Place]:
        """Yield what has changed after ``place`` in ``revision``, in an order that never changes.

        With no ``place``: after everything in ``revision``.
        """
        begin = Entry(revision + 1, b"") if place is None else Entry(revision, stored(*place))
        for entry in changes.after(self._transaction, begin, self._common.meta.revision):
            yield entry.revision, _KIND[entry.stored[:1]], entry.stored[1:].decode()

    def change(self, revision: int, kind: Kind, key: str) -> Change:
        """Return a record as it goes to a follower, with what the journal says of it."""
        value = self._transaction.get(stored(kind, key)[:_MAX_KEY])
        origin = journal.origin(self._transaction, kind, key, self._common.meta.epoch)
        return Change(revision, kind, key, None if value is None else bytes(value), origin)

    def gone(self, after: tuple[Kind, str] | None, upto: tuple[Kind, str] | None) -> Iterator[Change]:
        """Yield what is gone from ``(after, upto]`` and stands in the journal, as it goes to a follower."""
        meta = self._common.meta
        for line in journal.gone(self._transaction, after, upto, meta.epoch):
            if self._transaction.get(stored(line.kind, line.key)) is None:
                yield Change(meta.revision, line.kind, line.key, None, line.origin)

    def count(self, kind: Kind, after: str, most: int) -> tuple[int, str]:
        """Count records of one kind in key order, those after the key ``after``, ``most`` at most.

        Returns how many, and the key of the last one if there may be more, else the empty text.
        """
        prefix = PREFIX[kind]
        cursor = self._transaction.cursor()
        if not cursor.set_range(prefix + after.encode() + b"\x00" if after else prefix):
            return 0, ""
        counted, last = 0, b""
        for key in islice(cursor.iternext(keys=True, values=False), most):
            last = bytes(key)
            if not last.startswith(prefix):
                return counted, ""
            counted += 1
        return counted, last[1:].decode() if counted == most else ""

    def items(self, kind: Kind, after: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield (key, encoded record) of one kind in key order, those after the key ``after``."""
        prefix = PREFIX[kind]
        cursor = self._transaction.cursor()
        found = cursor.set_range(prefix + after.encode() + b"\x00" if after else prefix)
        while found and bytes(cursor.key()).startswith(prefix):
            yield bytes(cursor.key()[1:]).decode(), bytes(cursor.value())
            found = cursor.next()


def _make_room(known: dict[str, Any]) -> None:
    """Keep a worker small, however many roles and organizations there are."""
    if len(known) >= MAX_COMMON:
        known.clear()
