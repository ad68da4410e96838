"""The follower: keeps the replica of this host equal to the control plane. One process a host.

The order is the protocol. The boot-time clock is read before a poll is sent; changes, position and
freshness are written in one replica transaction; only the next poll acknowledges them. An answer of a poll
that was given up is never read, because its connection is dropped.
"""

from __future__ import annotations

import fcntl
import logging
import os
import random
import secrets
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from retinue import pepper
from retinue.node import identity
from retinue.node.feed_client import FeedClient, FeedError, PollAnswer
from retinue.node.settings import Settings
from retinue.node.shipping import Shipper
from retinue.replica.records import SCHEMA, Change, Kind, Meta
from retinue.replica.store import Store

_log = logging.getLogger("retinue.follower")
WAIT_SECONDS = 1.25
GIVE_UP_SECONDS = 2.0
SNAPSHOT_TIMEOUT_SECONDS = 30.0
READER_CHECK_SECONDS = 30.0
SHIP_AT_END_SECONDS = 2.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Stop(Exception):
    """The follower must end; the text says why. ``code`` is the exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def run(settings: Settings) -> int:
    """Follow until SIGTERM. Returns the exit code: 0 after a signal, 1 if the node must not go on."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    try:
        follower = Follower(settings)
        signal.signal(signal.SIGTERM, follower.stop)
        signal.signal(signal.SIGINT, follower.stop)
        follower.follow()
    except Stop as stop:
        _log.error("%s", stop)
        return stop.code
    except (pepper.PepperError, identity.IdentityError) as error:
        _log.error("%s", error)
        return 1
    return 0


class Follower:
    """One incarnation: a random name for what is in memory between a start and an end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.replica.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(settings.replica / "follower.lock")
        self._store = Store(settings.replica, writable=True)
        self.incarnation = secrets.token_hex(16)
        self._boot_id = _BOOT_ID.read_text().strip()
        self._retires = _succeed(settings.replica / "incarnation", self.incarnation, self._boot_id)
        self._key = identity.load_or_create(settings.replica)
        self._pepper_ids = pepper.load(settings.pepper_file).ids
        token = pepper.read_private(settings.node_token_file).strip()
        self._client = FeedClient(settings.control_url, token)
        self._shipper = Shipper(FeedClient(settings.control_url, token), settings.node_name, settings.spool)
        self._stopping = False
        self._failures = 0
        with self._store.snapshot() as snapshot:
            self._meta = snapshot.meta()
        if self._meta.boot_id != self._boot_id:  # another boot: what was fresh then is not now
            self._meta = msgspec.structs.replace(
                self._meta, fresh_from_ns=0, heard_ns=0, boot_id=self._boot_id
            )
            self._store.apply([], self._meta)

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """End after the poll that is under way."""
        self._stopping = True

    def follow(self) -> None:
        """Poll, apply, poll again. Raises :class:`Stop` if this follower may not go on."""
        self._shipper.start()
        checked = time.monotonic()
        try:
            while not self._stopping:
                self._step()
                if time.monotonic() - checked > READER_CHECK_SECONDS:
                    self._store.release_dead_readers()
                    checked = time.monotonic()
        finally:
            self._shipper.stop(SHIP_AT_END_SECONDS)
            self._client.close()

    def _step(self) -> None:
        try:
            if self._meta.snapshot_after or self._meta.snapshot_revision:
                self._load_snapshot()
            else:
                self._poll()
            self._failures = 0
        except FeedError as error:
            self._failed(error)

    def _failed(self, error: FeedError) -> None:
        self._client.close()
        if error.status == 409:
            raise Stop(f"a newer follower of the node {self._settings.node_name} is at work") from None
        if error.status == 410:
            raise Stop(f"the node {self._settings.node_name} was removed") from None
        self._failures += 1
        if self._failures in (1, 5) or self._failures % 60 == 0:
            _log.warning("poll failed %d times: %s", self._failures, error)
        longest = 5.0 if error.status in (401, 403) else 1.0
        pause = min(0.05 * 2 ** min(self._failures - 1, 7), longest)
        # Jitter keeps many nodes from asking in step; it is no secret.
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def _poll(self) -> None:
        clock = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        answer = self._client.poll(self._question(clock), WAIT_SECONDS + GIVE_UP_SECONDS)
        if answer.incarnation != self.incarnation or answer.epoch < self._meta.epoch:
            raise FeedError(0, "stale", "an answer of another incarnation or epoch")
        if answer.snapshot:
            self._begin_snapshot()
        else:
            self._apply(answer, clock)

    def _question(self, clock: int) -> dict[str, Any]:
        question: dict[str, Any] = {
            "node": self._settings.node_name,
            "incarnation": self.incarnation,
            "applied": {"epoch": self._meta.epoch, "revision": self._meta.revision},
            "wait": WAIT_SECONDS,
            "clock": clock,
            "schema": SCHEMA,
            "pepper_ids": list(self._pepper_ids),
            "identity_key": {"kid": self._key.kid, "x": self._key.x},
        }
        if self._retires:
            question["retires"] = self._retires
        return question

    def _apply(self, answer: PollAnswer, clock: int) -> None:
        """Write changes, position and freshness together: nothing is acknowledged that is not written."""
        if not answer.more:
            revision = answer.head
        elif answer.changes:
            revision = max(change.revision for change in answer.changes)
        else:
            raise FeedError(0, "stalled", "an answer that has more and brings nothing")
        if revision < self._meta.revision:
            raise FeedError(0, "stale", "an answer that is behind this replica")
        complete = self._meta.complete or (answer.lease and revision >= answer.head)
        fresh = answer.lease and revision >= answer.head
        self._write(
            answer.changes,
            msgspec.structs.replace(
                self._meta,
                epoch=answer.epoch,
                revision=revision,
                complete=complete,
                boot_id=self._boot_id,
                fresh_from_ns=clock if fresh else self._meta.fresh_from_ns,
                control_time_ms=max(answer.time, self._meta.control_time_ms),
                heard_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            ),
        )

    def _write(self, changes: list[Change], meta: Meta) -> None:
        self._store.apply(changes, meta)
        if not self._meta.complete and meta.complete:
            _log.info("replica complete at revision %d", meta.revision)
        self._meta = meta

    def _begin_snapshot(self) -> None:
        """From now on until the end of the snapshot this replica is not complete: it decides nothing."""
        page = self._client.snapshot("", SNAPSHOT_TIMEOUT_SECONDS)
        _log.info("loading a snapshot of epoch %d, revision %d", page.epoch, page.head)
        self._take(page.changes, None, page.next, page.epoch, page.head)

    def _load_snapshot(self) -> None:
        """Load the next page; a crash in between goes on here."""
        after = self._meta.snapshot_after
        page = self._client.snapshot(after, SNAPSHOT_TIMEOUT_SECONDS)
        if page.epoch != self._meta.epoch:
            self._begin_snapshot()
            return
        self._take(page.changes, _place(after), page.next, page.epoch, self._meta.snapshot_revision)

    def _take(
        self,
        changes: list[Change],
        after: tuple[Kind, str] | None,
        following: str | None,
        epoch: int,
        head: int,
    ) -> None:
        meta = msgspec.structs.replace(
            self._meta,
            epoch=epoch,
            complete=False,
            revision=head if following is None else 0,
            snapshot_after=following or "",
            snapshot_revision=0 if following is None else head,
            fresh_from_ns=0,
        )
        self._store.replace_range(after, _place(following), changes, meta)
        self._meta = meta


def _place(text: str | None) -> tuple[Kind, str] | None:
    if not text:
        return None
    kind, _, key = text.partition("/")
    return Kind(kind), key


def _lock(path: Path) -> int:
    """Lock the replica for this process; the kernel unlocks it when the process ends, however it does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Stop(f"another follower is at work on {path.parent}") from None
    return descriptor


def _succeed(path: Path, incarnation: str, boot_id: str) -> str:
    """Store this incarnation; return the one before it if it was of this boot (it had this very replica)."""
    try:
        before, boot = path.read_text().split()
    except (OSError, ValueError):
        before, boot = "", ""
    draft = path.with_name(path.name + ".new")
    draft.write_text(f"{incarnation} {boot_id}\n")
    draft.replace(path)
    return before if boot == boot_id else ""
