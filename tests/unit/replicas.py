"""The two replicas that the conformance suites run on, and rows for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from retinue.replica import records
from retinue.replica.memory import MemoryReplica
from retinue.replica.reading import Snapshot
from retinue.replica.records import Change, Kind, Meta
from retinue.replica.store import Store

Place = tuple[Kind, str]
Rows = dict[Place, bytes]


class Readable(Snapshot, Protocol):
    """A snapshot that can be read as a whole, too."""

    def items(self, kind: Kind) -> Iterator[tuple[str, bytes]]:
        """Yield (key, encoded record) of one kind in key order."""


class Writable(Protocol):
    """What a follower needs of a replica: the port that both implementations have."""

    def snapshot(self) -> AbstractContextManager[Readable]:
        """Open a view of the present state."""

    def apply(self, changes: Iterable[Change], meta: Meta) -> None:
        """Write changes and ``meta``: all of it or nothing."""

    def replace_range(
        self, after: Place | None, upto: Place | None, changes: Iterable[Change], meta: Meta
    ) -> None:
        """Make the keys in ``(after, upto]`` exactly those of ``changes``."""


@contextmanager
def memory(_folder: Path) -> Iterator[MemoryReplica]:
    """A replica in memory."""
    yield MemoryReplica()


@contextmanager
def lmdb(folder: Path) -> Iterator[Store]:
    """A replica in LMDB."""
    store = Store(folder, writable=True, map_bytes=64 << 20)
    yield store
    store.close()


IMPLEMENTATIONS: dict[str, Callable[[Path], AbstractContextManager[Writable]]] = {
    "memory": memory,
    "lmdb": lmdb,
}


def sample(kind: Kind, key: str, number: int = 0) -> records.Record:
    """A record of this kind; ``number`` makes it another one."""
    text = f"{key[:40]} {number}"
    made: dict[Kind, records.Record] = {
        Kind.PERMISSION: records.Permission(key, number),
        Kind.ORGANIZATION: records.Organization(key, text, text, "enabled", ("bearer",), b"", True, number),
        Kind.ORGANIZATION_HANDLE: records.OrganizationHandle(text),
        Kind.HOLDER: records.Holder(key, bytes([number % 256])),
        Kind.PRINCIPAL: records.Principal(key, "user", text, text, text, "enabled", b"\1", (text,)),
        Kind.CREDENTIAL: records.Credential(
            key, "sa", text, text, "active", (records.Digest(b"d", "p", number),)
        ),
        Kind.IDENTITY_KEY: records.IdentityKey(key, text, "x", number),
        Kind.LOOKUP: records.Lookup(text),
        Kind.SCHEMES: records.Schemes((text,)),
        Kind.IMPORT_SCHEME: records.ImportScheme(key, text, "sha256"),
        Kind.RESOURCE: records.Resource((text,)),
        Kind.NODE: records.Node(key, text, "enrolled", bool(number % 2)),
    }
    return made[kind]


def put(kind: Kind, key: str, number: int = 0) -> Change:
    """The change that writes a record."""
    return Change(number, kind, key, records.encode(sample(kind, key, number)))


def gone(kind: Kind, key: str) -> Change:
    """The change that takes a record away."""
    return Change(0, kind, key, None)


def rows(snapshot: Readable) -> Rows:
    """Everything that a snapshot holds."""
    return {(kind, key): value for kind in Kind for key, value in snapshot.items(kind)}


def content(replica: Writable) -> tuple[Rows, Meta]:
    """Everything that a replica holds now."""
    with replica.snapshot() as snapshot:
        return rows(snapshot), snapshot.meta()


def rank(place: Place) -> tuple[int, bytes]:
    """The order of all keys: kinds as they are declared, then the bytes of the key."""
    return list(Kind).index(place[0]), place[1].encode()


def read(snapshot: Snapshot, kind: Kind, key: str) -> object:
    """Read one record by the reader for its kind; of two kinds a reader gives less than the record."""
    readers: dict[Kind, Callable[[str], object]] = {
        Kind.PERMISSION: snapshot.permission_index,
        Kind.ORGANIZATION: snapshot.organization,
        Kind.HOLDER: snapshot.holder,
        Kind.PRINCIPAL: snapshot.principal,
        Kind.CREDENTIAL: snapshot.credential,
        Kind.IDENTITY_KEY: lambda kid: next(
            (each for each in snapshot.identity_keys() if each.kid == kid), None
        ),
        Kind.ORGANIZATION_HANDLE: snapshot.organization_by_handle,
        Kind.LOOKUP: snapshot.lookup,
        Kind.SCHEMES: lambda _: snapshot.schemes(),
        Kind.IMPORT_SCHEME: lambda ident: next(
            (each for each in snapshot.import_schemes() if each.id == ident), None
        ),
        Kind.RESOURCE: lambda key: snapshot.teams_of(key) or None,
        Kind.NODE: snapshot.node,
    }
    return readers[kind](key)


def expected(kind: Kind, key: str, held: Rows) -> object:
    """What :func:`read` must give when a replica holds these rows."""
    value = held.get((kind, key if kind is not Kind.SCHEMES else records.ANY))
    if value is None:
        return records.NATIVE_SCHEMES if kind is Kind.SCHEMES else None
    record = msgspec.msgpack.decode(value, type=records.TYPES[kind])
    if isinstance(record, records.Permission):
        return record.index
    if isinstance(record, records.Schemes):
        return record.names
    if isinstance(record, records.Lookup):
        return record.kid
    if isinstance(record, records.OrganizationHandle):
        return expected(Kind.ORGANIZATION, record.organization, held)
    if isinstance(record, records.Resource):
        return record.teams
    return record
