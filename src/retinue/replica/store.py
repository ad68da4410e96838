"""The replica of a host in LMDB: one writer (the follower), any number of reading processes.

Readers map the file into memory and see one consistent snapshot each; a writer never blocks them. Keys
are a one-byte prefix for the kind and the record's own key, so that a snapshot page replaces exactly one
range of keys in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import lmdb
import msgspec

from retinue.replica import journal, records
from retinue.replica.records import Kind, Meta, Noted

DEFAULT_MAP_BYTES = 64 << 30
MAX_READERS = 1024
#: Most organizations, holders and permissions that a process keeps decoded, each.
MAX_COMMON = 4096

_PREFIX = {
    Kind.PERMISSION: b"a",
    Kind.ORGANIZATION: b"b",
    Kind.ORGANIZATION_HANDLE: b"c",
    Kind.HOLDER: b"d",
    Kind.PRINCIPAL: b"e",
    Kind.CREDENTIAL: b"f",
    Kind.IDENTITY_KEY: b"g",
    Kind.LOOKUP: b"h",
    Kind.IMPORT_SCHEME: b"i",
}
_META = b"\x00meta"
_MAX_KEY = 511  # LMDB's own bound; asking for more is an error there, here it is "not found"

_decode_credential = msgspec.msgpack.Decoder(records.Credential).decode
_decode_principal = msgspec.msgpack.Decoder(records.Principal).decode
_decode_permission = msgspec.msgpack.Decoder(records.Permission).decode
_decode_handle = msgspec.msgpack.Decoder(records.OrganizationHandle).decode
_decode_identity_key = msgspec.msgpack.Decoder(records.IdentityKey).decode
_decode_lookup = msgspec.msgpack.Decoder(records.Lookup).decode
_decode_import_scheme = msgspec.msgpack.Decoder(records.ImportScheme).decode
_decode_meta = msgspec.msgpack.Decoder(Meta).decode
_decode_organization = msgspec.msgpack.Decoder(records.Organization).decode
_decode_holder = msgspec.msgpack.Decoder(records.Holder).decode


def _foreign_key(prefix: bytes, text: str) -> bytes:
    """Return the key for a name that a caller made up: any length, any text, lone surrogates too."""
    return (prefix + text.encode("utf-8", "surrogatepass"))[:_MAX_KEY]


class _Common:
    """What many verifications of one snapshot read: decoded once for this snapshot, and for no other.

    ``number`` is LMDB's transaction number, the name of one committed state of the whole file, and
    ``written`` the meta record as it stands there: every write of the replica writes it, with the instant
    that it was heard. Each verification opens a transaction of its own and compares both first, so nothing
    here outlives the state that it was read from. (The number alone would do, but for a commit that failed
    half way through: the next one takes its number again.) Only what exists is kept, so a stranger's
    inventions fill nothing.
    """

    __slots__ = (
        "holders", "import_schemes", "longest_lease_ms", "meta", "number", "organizations", "permissions",
        "written",
    )  # fmt: skip

    def __init__(self, number: int, written: bytes | None, place: str) -> None:
        self.number = number
        self.written = written
        meta = Meta() if written is None else _decode_meta(written)
        # A copy has no lease: whoever acknowledges for the original does not do it for this file.
        fresh_from_ns = meta.fresh_from_ns if meta.place == place else 0
        self.meta = msgspec.structs.replace(meta, place="", fresh_from_ns=fresh_from_ns)
        self.longest_lease_ms: int | None = None
        self.import_schemes: tuple[records.ImportScheme, ...] | None = None
        self.organizations: dict[str, records.Organization] = {}
        self.holders: dict[str, records.Holder] = {}
        self.permissions: dict[str, int] = {}


class StoreSnapshot:
    """One read transaction. Use it as a context manager; it must be closed by the thread that opened it."""

    __slots__ = ("_common", "_transaction")

    def __init__(self, transaction: lmdb.Transaction, common: _Common) -> None:
        self._transaction = transaction
        self._common = common

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

    def principal(self, principal_id: str) -> records.Principal | None:
        value = self._transaction.get(b"e" + principal_id.encode())
        return None if value is None else _decode_principal(value)

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

    def longest_lease_ms(self) -> int:
        common = self._common
        if common.longest_lease_ms is None:
            leases = (_decode_organization(value).lease_ms for _, value in self.items(Kind.ORGANIZATION))
            common.longest_lease_ms = max(leases, default=0)
        return common.longest_lease_ms

    def identity_keys(self) -> Iterator[records.IdentityKey]:
        for _, value in self.items(Kind.IDENTITY_KEY):
            yield _decode_identity_key(value)

    def items(self, kind: Kind) -> Iterator[tuple[str, bytes]]:
        """Yield (key, encoded record) of one kind in key order."""
        prefix = _PREFIX[kind]
        cursor = self._transaction.cursor()
        found = cursor.set_range(prefix)
        while found and bytes(cursor.key()).startswith(prefix):
            yield bytes(cursor.key()[1:]).decode(), bytes(cursor.value())
            found = cursor.next()


def _make_room(known: dict[str, Any]) -> None:
    """Keep a worker small, however many roles and organizations there are."""
    if len(known) >= MAX_COMMON:
        known.clear()


class Store:
    """The LMDB environment in ``folder``. Open it for writing in the follower alone."""

    def __init__(self, folder: Path, *, writable: bool = False, map_bytes: int = DEFAULT_MAP_BYTES) -> None:
        if writable:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._environment = lmdb.open(
            str(folder),
            map_size=map_bytes,
            readonly=not writable,
            create=writable,
            max_readers=MAX_READERS,
            mode=0o600,
            readahead=False,
        )
        self._begin = self._environment.begin
        status = (folder / "data.mdb").stat()
        self._place = f"{status.st_dev}:{status.st_ino}"
        self._common = _Common(-1, None, self._place)

    def snapshot(self) -> StoreSnapshot:
        """Open a new read transaction."""
        try:
            transaction = self._begin()
        except lmdb.MapResizedError:
            # The follower has made the map larger. No other snapshot of this process may be open now: a
            # worker has one thread.
            self._environment.set_mapsize(0)
            transaction = self._begin()
        common = self._common
        number, written = transaction.id(), transaction.get(_META)
        if common.number != number or common.written != written:
            common = self._common = _Common(number, written, self._place)
        return StoreSnapshot(transaction, common)

    def _encoded(self, meta: Meta) -> bytes:
        return records.encode(msgspec.structs.replace(meta, place=self._place))

    def close(self) -> None:
        """Unmap the file. No snapshot may be open."""
        self._environment.close()

    def release_dead_readers(self) -> int:
        """Free the reader slots of processes that were killed, so that old pages can be reused."""
        return self._environment.reader_check()

    def apply(self, changes: Iterable[records.Change], meta: Meta) -> None:
        """Write changes, their journal, and ``meta`` in one durable transaction: all of it or nothing."""

        def write(transaction: lmdb.Transaction) -> None:
            for change in changes:
                key = _PREFIX[change.kind] + change.key.encode()
                if change.value is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, change.value)
            journal.note(transaction, meta.epoch, changes)
            transaction.put(_META, self._encoded(meta))

        changes = list(changes)
        self._commit(write)

    def replace_range(
        self,
        after: tuple[Kind, str] | None,
        upto: tuple[Kind, str] | None,
        changes: Iterable[records.Change],
        meta: Meta,
        *,
        forget: bool = False,
    ) -> None:
        """Make the keys in ``(after, upto]`` exactly those of ``changes``, with ``meta``, in one transaction.

        ``None`` stands for the first and the last key of all. A page of a snapshot is applied so: what the
        control plane no longer has in that range disappears, and a crash resumes at the next page. ``forget``
        empties the journal first: the snapshot brings one of its own.
        """
        lower = b"\x01" if after is None else _PREFIX[after[0]] + after[1].encode() + b"\x00"
        upper = b"\xff" if upto is None else _PREFIX[upto[0]] + upto[1].encode()

        def write(transaction: lmdb.Transaction) -> None:
            cursor = transaction.cursor()
            found = cursor.set_range(lower)
            while found and bytes(cursor.key()) <= upper:
                found = cursor.delete()
            for change in changes:
                if change.value is not None:
                    transaction.put(_PREFIX[change.kind] + change.key.encode(), change.value)
            if forget:
                journal.forget(transaction)
            journal.note(transaction, meta.epoch, changes)
            transaction.put(_META, self._encoded(meta))

        changes = list(changes)
        self._commit(write)

    def journal(self, after: bytes = b"", limit: int = 500) -> tuple[list[Noted], bytes]:
        """Return the next lines of the journal with the present records, and the place of the last one."""
        with self._begin() as transaction:
            page = list(islice(journal.lines(transaction, after), limit))
            noted = [
                msgspec.structs.replace(line, value=transaction.get(_PREFIX[line.kind] + line.key.encode()))
                for _, line in page
            ]
        return noted, page[-1][0] if page else after

    def forget_journal(self, before_ms: int) -> int:
        """Delete what the journal noted before an instant; return how many lines went."""
        with self._environment.begin() as transaction:
            if not any(line.origin.at_ms < before_ms for _, line in journal.lines(transaction)):
                return 0
        gone: list[int] = []
        self._commit(lambda transaction: gone.append(journal.forget(transaction, before_ms)))
        return gone[-1]

    def _commit(self, write: Callable[[lmdb.Transaction], None]) -> None:
        """Run ``write`` in one durable transaction. A map that is full grows, and readers follow."""
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    write(transaction)
                return
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])
