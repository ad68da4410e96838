"""Writes the replica: what an answer of the control plane brings, with position and freshness, in one go.

What is known of the replica is what stands in it. After a write that failed it is opened and read anew, so
that nothing is acknowledged but what was found there.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb
import msgspec

from retinue.node import pages, succession
from retinue.node.children import Children, Position
from retinue.node.complaints import Complaint
from retinue.node.feed_client import Canary, PollAnswer, SnapshotAnswer
from retinue.replica import journal, lease
from retinue.replica.records import SCHEMA, Change, Meta, Noted
from retinue.replica.store import Store
from retinue.replica.store_snapshot import StoreSnapshot

_log = logging.getLogger("retinue.follower")
READER_CHECK_SECONDS = 30.0
JOURNAL_CHECK_SECONDS = 3600.0
#: No answer is waited for longer than this.
MOST_DELAY_MS = 25_000
#: So many losses of the clock are kept until the control plane knows of them: the latest.
MOST_LOSSES = 16


class ReplicaWriter:
    """The one writer of the replica in ``folder``, under an incarnation: its name on this one file.

    Methods raise ``lmdb.Error`` and ``OSError`` if the replica cannot be written; then nothing is. A relay
    (``relays``) lists what has changed and knows of nodes; its other threads read under the ``lock``.
    """

    def __init__(self, folder: Path, children: Children, *, relays: bool = False) -> None:
        self._folder = folder
        self._children = children
        self._relays = relays
        self.lock = threading.RLock()
        #: Called after each write.
        self.on_written: Callable[[], None] = lambda: None
        self._store: Store | None = None
        self._place: succession.Place | None = None
        self._closing = threading.Lock()
        self._checked = self._trimmed = time.monotonic()
        self.meta = Meta()
        #: The shortest lease in force, as last heard.
        self.lease_ms = 10_000
        self._ahead_ms: int | None = None
        #: The canary of a probe that was heard of last, and the head then: a relay passes it on.
        self.canary: tuple[Canary, int] | None = None
        #: Why the control plane gives no lease, as last heard.
        self.refused: str | None = None
        self._leasing = Complaint(_log, "getting a lease", 0.0)
        #: What this machine's clock lost, between which instants of the control plane's wall clock.
        self.losses: list[dict[str, int]] = []
        self.incarnation = ""
        #: Where the next answer goes on inside a revision. Forgotten, that revision begins anew.
        self.after: str | None = None
        #: The incarnation before, if it worked on this very file in this boot.
        self.retires: str | None = None

    def open(self) -> None:
        """Open the replica if that is due: at first, after a failure, for another file that stands there."""
        found = succession.place(self._folder)  # while the old file is open, no new one has its inode
        if self._store is None or found != self._place:
            with self.lock:
                self._open(found)

    def _open(self, found: succession.Place | None) -> None:
        self.close()
        self.after = None
        self._store = Store(self._folder, writable=True, lists_changes=self._relays)
        with self._store.snapshot() as snapshot:
            self.meta = snapshot.meta()
            longest_ms = max(snapshot.longest_lease_ms(), self.lease_ms)
        if not self._relays:  # from now on it does not hear what becomes of nodes
            self.meta = msgspec.structs.replace(self.meta, knows_nodes=False)
        if self.meta.schema != SCHEMA:  # written by another version: all of it is fetched anew
            self._write([], Meta())
        if found is None or found != self._place:
            # No other file may profit from what this incarnation has acknowledged.
            self.retires = None if found is None else succession.predecessor(self._folder)
            self.incarnation = secrets.token_hex(16)
            self._children.begin(
                inherits=self.retires is not None, now_ns=lease.boot_clock_ns(), lease_ms=longest_ms
            )
            if self.retires is None:
                self._begin_anew()
            succession.succeed(self._folder, self.incarnation)
            self._place = succession.place(self._folder)

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    @contextmanager
    def reading(self) -> Iterator[StoreSnapshot]:
        """Open a snapshot, under the lock. Raises ``lmdb.Error`` while there is no replica."""
        with self.lock, self._opened().snapshot() as snapshot:
            yield snapshot

    #: What a verifier calls it.
    snapshot = reading

    @property
    def needs_nodes(self) -> bool:
        """Whether this relay must load a snapshot, because what it has was written for no relay."""
        return self._relays and self.meta.epoch > 0 and not self.meta.knows_nodes

    def control_time_ms(self, boot_ns: int) -> int:
        """Return the wall clock of the control plane, as far as it is known here."""
        if self._ahead_ms is not None:
            return boot_ns // 1_000_000 + self._ahead_ms
        return self.meta.control_time_ms + (boot_ns - self.meta.heard_ns) // 1_000_000

    @property
    def position(self) -> Position:
        """What is applied here."""
        return self.meta.epoch, self.meta.revision

    def said(self) -> tuple[dict[str, Any], Position]:
        """Return what a poll says of this replica, and what it confirms for it and for all that follow it."""
        with self.lock:
            epoch, revision = confirmed = self.confirmed()
            meta = self.meta
            said: dict[str, Any] = {
                "incarnation": self.incarnation,
                "applied": {"epoch": meta.epoch, "revision": meta.revision, "mark": meta.mark},
            }
            if confirmed != self.position:
                said["confirmed"] = {"epoch": epoch, "revision": revision}
            given: dict[str, Any] = {"after": self.after, "retires": self.retires, "seen": pages.seen(meta)}
            given["losses"] = list(self.losses)
            return said | {name: value for name, value in given.items() if value}, confirmed

    def confirmed(self) -> Position:
        """Return what holds here, and on all that follow this relay."""
        with self.lock:
            return self._children.confirmed(self.position, lease.boot_clock_ns())

    def tend(self) -> None:
        """Now and then free what readers that were killed still hold, and what the journal need not keep."""
        now = time.monotonic()
        if self._store is not None and now - self._checked > READER_CHECK_SECONDS:
            self._store.release_dead_readers()
            self._checked = now
        if self._store is not None and now - self._trimmed > JOURNAL_CHECK_SECONDS:
            self._store.forget_journal(self.meta.control_time_ms - journal.KEPT_MS)
            self._trimmed = now

    def longest_lease_ms(self) -> int:
        """Return the longest lease of any organization in the replica, in milliseconds."""
        with self._opened().snapshot() as snapshot:
            return snapshot.longest_lease_ms()

    def journal(self, after: bytes) -> tuple[list[Noted], bytes]:
        """Return the next lines of the journal, and the place of the last one."""
        return self._opened().journal(after)

    def apply(self, answer: PollAnswer, sent_ns: int, sent_wall_ms: int) -> None:
        """Apply the answer to a poll sent at these instants (boot-time, wall): its lease begins there.

        Raises :class:`retinue.node.feed_client.FeedError` for an answer that no control plane gives.
        """
        revision = pages.reached(answer, self.meta, self.after)
        # From a relay a lease is older than the question.
        sent_ns, sent_wall_ms = sent_ns - answer.age_ms * 1_000_000, sent_wall_ms - answer.age_ms
        heard_ns = lease.boot_clock_ns()
        fresh = answer.lease and not answer.more and answer.next is None
        self.lease_ms = answer.lease_ms
        lost_ms = self._lost_ms(answer.time, heard_ns)
        has_lost = lost_ms > answer.lease_ms * lease.EPSILON / 2
        if has_lost:  # also where the answer brings no lease: the one that runs has lost as much
            _log.warning("this machine's clock lost %d ms: it decides nothing until the next answer", lost_ms)
            since = self.meta.control_time_ms or answer.time
            loss = {"lost_ms": lost_ms, "since": since, "until": answer.time}
            self.losses = [*self.losses, loss][-MOST_LOSSES:]
        self._hear(answer)
        # Refused, it decides nothing from now on, also under the lease before.
        if fresh or has_lost or answer.refused:
            fresh_from_ns, fresh_wall_ms = (sent_ns if fresh and not has_lost else 0), sent_wall_ms
        else:
            fresh_from_ns, fresh_wall_ms = self.meta.fresh_from_ns, self.meta.fresh_wall_ms
        newest = pages.newest(answer, self.meta)
        meta = msgspec.structs.replace(
            self.meta,
            epoch=answer.epoch,
            revision=revision,
            complete=self.meta.complete or fresh,
            boot_id=lease.boot_id(),
            fresh_from_ns=fresh_from_ns,
            fresh_wall_ms=fresh_wall_ms,
            control_time_ms=answer.time,
            heard_ns=heard_ns,
            mark=self.meta.mark if answer.next is not None else answer.mark,
            hops=answer.hops if fresh else self.meta.hops,
            nodes=max(answer.nodes, 1),
            newest_head=newest[0] if revision < newest[0] else 0,
            newest_mark=newest[1] if revision < newest[0] else "",
        )
        if meta.complete and not self.meta.complete:
            _log.info("replica complete at revision %d", revision)
        self._write(answer.changes, meta)
        self.after = answer.next

    def _hear(self, answer: PollAnswer) -> None:
        """Note what an answer says beside what it brings."""
        if answer.canary is not None:
            self.canary = answer.canary, answer.head
        self.refused = refused = answer.refused
        if refused is None:
            self._leasing.worked()
            return
        why = "this machine's clock is slow beside the control plane's" if refused == "clock" else refused
        self._leasing.failed(f"refused, so nothing is decided here: {why}")

    def take(self, page: SnapshotAnswer, after: str) -> None:
        """Apply the page of a snapshot that begins after ``after``; the first one begins it anew.

        Until the end of the snapshot and the next poll the replica is not complete: it decides nothing.
        """
        pages.check(page, after, self.meta)
        head = self.meta.snapshot_revision if after else page.head
        mark = self.meta.snapshot_mark if after else page.mark
        before = (self.meta.newest_head, self.meta.newest_mark) if after else (0, "")
        newest = max((page.head, page.mark), before)
        meta = msgspec.structs.replace(
            self.meta,
            epoch=page.epoch,
            complete=False,
            revision=0 if page.next else head,
            snapshot_after=page.next or "",
            snapshot_revision=head if page.next else 0,
            fresh_from_ns=0,
            mark="" if page.next else mark,
            snapshot_mark=mark if page.next else "",
            knows_nodes=self._relays and (not after or self.meta.knows_nodes),
            newest_head=newest[0],
            newest_mark=newest[1],
        )
        self.after = None
        is_new = not after and page.epoch != self.meta.epoch
        with self.lock:
            self._opened().replace_range(
                pages.place(after), pages.place(page.next), page.changes, meta, forget=is_new
            )
            self.meta = meta
        self.on_written()

    def _lost_ms(self, control_time_ms: int, heard_ns: int) -> int:
        """Return how much more time has passed for the control plane than here, in milliseconds.

        An answer on its way makes the control plane's clock look slow, never fast: so the largest difference
        of the two clocks that was seen is the one to compare with. A step of its wall clock looks like a
        loss; that costs one lease, and the next answer gives another.
        """
        ahead_ms = control_time_ms - heard_ns // 1_000_000
        lost_ms = 0 if self._ahead_ms is None else ahead_ms - self._ahead_ms
        if self._ahead_ms is None or lost_ms > 0 or lost_ms < -MOST_DELAY_MS:
            self._ahead_ms = ahead_ms  # far less: that clock was set back
        return max(lost_ms, 0)

    def end_lease(self) -> None:
        """Nothing may be decided from this replica until it is fresh again."""
        self.open()
        self._write([], msgspec.structs.replace(self.meta, fresh_from_ns=0))

    def _begin_anew(self) -> None:
        """Another boot, or a copy: what was fresh then, or there, is not fresh here."""
        boot = lease.boot_id()
        heard = self.meta.heard_ns if self.meta.boot_id == boot else 0
        self._write([], msgspec.structs.replace(self.meta, fresh_from_ns=0, heard_ns=heard, boot_id=boot))

    def _write(self, changes: list[Change], meta: Meta) -> None:
        with self.lock:
            self._opened().apply(changes, meta)
            self.meta = meta
        self.on_written()

    def _opened(self) -> Store:
        if self._store is None:
            raise lmdb.Error("the replica is not open")
        return self._store
