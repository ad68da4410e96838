"""The replica of a host in LMDB: one writer (the follower), any number of reading processes.

Readers map the file into memory and see one consistent snapshot each; a writer never blocks them. Keys
are a one-byte prefix for the kind and the record's own key, so that a snapshot page replaces exactly one
range of keys in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from secrets import token_bytes

import lmdb
import msgspec

from retinue.replica import changes as changed
from retinue.replica import journal, records
from retinue.replica.numbers import Numbers
from retinue.replica.records import Kind, Meta, Noted
from retinue.replica.shared_records import Common, decode_meta
from retinue.replica.store_snapshot import META, StoreSnapshot, stored

DEFAULT_MAP_BYTES = 64 << 30
MAX_READERS = 1024
_EDITION_BYTES = 16


class Store:
    """The LMDB environment in ``folder``. Open it for writing in the follower alone.

    With ``lists_changes`` it keeps the list of what has changed; see :mod:`retinue.replica.changes`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        writable: bool = False,
        map_bytes: int = DEFAULT_MAP_BYTES,
        lists_changes: bool = False,
    ) -> None:
        self._lists_changes = lists_changes
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
        file = folder / "data.mdb"
        status = file.stat()
        self._place = f"{status.st_dev}:{status.st_ino}"
        self._numbers = Numbers(file, self._environment.stat()["psize"], self._begin)
        self._common = Common(-1, None, self._place, self._numbers.watched(-1))

    def snapshot(self) -> StoreSnapshot:
        """Open a new read transaction."""
        return StoreSnapshot(*self.committed())

    #: Makes a snapshot of what :meth:`committed` returned.
    reading = StoreSnapshot

    def committed(self) -> tuple[lmdb.Transaction, Common]:
        """Open a new read transaction, and tell which committed state it reads.

        The state is the same object as before only if nothing was committed since.
        """
        try:
            transaction = self._begin()
        except lmdb.MapResizedError:
            # The follower has made the map larger. No other snapshot of this process may be open now: a
            # worker has one thread.
            self._environment.set_mapsize(0)
            transaction = self._begin()
        common = self._common
        number = transaction.id()
        if common.number != number:
            written, watched = transaction.get(META), self._numbers.watched(number)
            common = self._common = Common(number, written, self._place, watched, common)
        return transaction, common

    def _put(self, transaction: lmdb.Transaction, meta: Meta, before: Meta | None = None) -> None:
        """Write the meta record: of another edition, unless ``before`` differs in the lease alone."""
        meta = msgspec.structs.replace(meta, place=self._place, edition=b"")
        edition = before.edition if before is not None and _is_renewed(before, meta) else b""
        meta = msgspec.structs.replace(meta, edition=edition or token_bytes(_EDITION_BYTES))
        transaction.put(META, records.encode(meta))

    def close(self) -> None:
        """Unmap the file. No snapshot may be open."""
        self._environment.close()
        self._numbers.close()

    def release_dead_readers(self) -> int:
        """Free the reader slots of processes that were killed, so that old pages can be reused."""
        return self._environment.reader_check()

    def apply(self, changes: Iterable[records.Change], meta: Meta) -> None:
        """Write changes, their journal, and ``meta`` in one durable transaction: all of it or nothing."""

        def write(transaction: lmdb.Transaction) -> None:
            written = transaction.get(META)
            before = Meta() if written is None else decode_meta(written)
            if self._lists_changes:
                listed = ((change, stored(change.kind, change.key)) for change in changes)
                changed.append(transaction, before, listed, meta)
            for change in changes:
                key = stored(change.kind, change.key)
                if change.value is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, change.value)
            journal.note(transaction, meta.epoch, changes)
            self._put(transaction, meta, None if changes else before)

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
        lower = b"\x01" if after is None else stored(*after) + b"\x00"
        upper = b"\xff" if upto is None else stored(*upto)

        def write(transaction: lmdb.Transaction) -> None:
            cursor = transaction.cursor()
            found = cursor.set_range(lower)
            while found and bytes(cursor.key()) <= upper:
                found = cursor.delete()
            for change in changes:
                if change.value is not None:
                    transaction.put(stored(change.kind, change.key), change.value)
            if forget:
                journal.forget(transaction)
            journal.note(transaction, meta.epoch, changes)
            if self._lists_changes:
                changed.begin(transaction, meta)
            self._put(transaction, meta)

        changes = list(changes)
        self._commit(write)

    def journal(self, after: bytes = b"", limit: int = 500) -> tuple[list[Noted], bytes]:
        """Return the next lines of the journal with the present records, and the place of the last one."""
        with self._begin() as transaction:
            page = list(islice(journal.lines(transaction, after), limit))
            noted = [
                msgspec.structs.replace(line, value=transaction.get(stored(line.kind, line.key)))
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


def _is_renewed(before: Meta, meta: Meta) -> bool:
    """Tell whether ``meta`` differs from what was written before only in what a renewal of the lease says.

    Whoever decides reads these from each state anew.
    """
    return meta == msgspec.structs.replace(
        before,
        edition=b"",
        fresh_from_ns=meta.fresh_from_ns,
        fresh_wall_ms=meta.fresh_wall_ms,
        control_time_ms=meta.control_time_ms,
        heard_ns=meta.heard_ns,
    )
