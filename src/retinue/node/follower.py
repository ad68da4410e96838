"""The follower: keeps the replica of this host equal to the control plane. One process a host.

The order is the protocol. The boot-time clock is read before a poll is sent; changes, position and
freshness are written in one replica transaction; only the next poll acknowledges them. An answer of a poll
that was given up is never read, because its connection is dropped.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import lmdb

from retinue import pepper
from retinue.node import identity, pausing, succession, telling
from retinue.node.announcing import Announcing
from retinue.node.canary import Canaries
from retinue.node.children import Children, Position
from retinue.node.complaints import Complaint
from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient, FeedError
from retinue.node.follower_metrics import Counter, FollowerMetrics
from retinue.node.handing import Handing
from retinue.node.loading import Loading
from retinue.node.renewal import Renewal
from retinue.node.replica_writer import ReplicaWriter
from retinue.node.settings import Settings
from retinue.node.shipping import Shipper
from retinue.replica import lease
from retinue.replica.records import SCHEMA
from retinue.supervisor import REFUSES

if TYPE_CHECKING:
    from retinue.node.relaying import Relaying

_log = logging.getLogger("retinue.follower")
#: A poll is held for this part of the lease at most: the lease runs from its sending.
WAIT_SHARE = 8
MOST_WAIT_SECONDS = 20.0
GIVE_UP_SECONDS = 2.0
SHIP_AT_END_SECONDS = 2.0
KEY_CHECK_SECONDS = 3600.0
RECOVERING_PAUSE_SECONDS = 0.5
_REFUSED = frozenset({400, 401, 403})
_DAMAGED = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.VersionMismatchError)
_Result = TypeVar("_Result")


class Stop(Exception):
    """The follower must end; the text says why. ``stays`` if it must not be started again by itself."""

    def __init__(self, text: str, *, stays: bool = False) -> None:
        super().__init__(text)
        self.stays = stays


class _Told(Exception):
    """A signal has come while the follower waited."""


def run(settings: Settings) -> int:
    """Follow until SIGTERM. Returns 0 after a signal, REFUSES for a secret that cannot be used, else 1."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    try:
        follower = Follower(settings)
        signal.signal(signal.SIGTERM, follower.told)
        signal.signal(signal.SIGINT, follower.told)
        follower.follow()
    except Stop as stop:
        _log.error("%s", stop)
        if stop.stays and settings.supervised:  # started again, it would take the node back
            follower.stand_by()
        return 1
    except (pepper.PepperError, identity.IdentityError, OSError) as error:
        _log.error("%s", error)
        return 1 if isinstance(error, OSError) else REFUSES
    return 0


class Follower:
    """Polls, applies, polls again, and bears what fails."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        folder = settings.replica
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = succession.lock(folder)
        if self._lock is None:
            raise Stop(f"another follower is at work on {folder}")
        children = Children(folder)
        self._replica = ReplicaWriter(folder, children, relays=settings.relays)
        self._key = identity.load_or_create(folder)
        self._key_due = time.monotonic() + KEY_CHECK_SECONDS
        peppers = pepper.load(settings.pepper_file)
        self._pepper_ids = peppers.ids
        self._canaries = Canaries(self._replica, peppers, settings.brands)
        self._metrics = FollowerMetrics(folder / "metrics")
        self._token = NodeToken(settings.node_token_file)
        self._client = FeedClient(settings.control_url, self._token)
        shipping = FeedClient(settings.control_url, self._token)
        self._shipper = Shipper(shipping, settings.node_name, settings.spool, self._metrics)
        self._is_told = self._is_waiting = False
        self._failures = 0
        self._polling = Complaint(_log, "following the control plane")
        self._renewal = Renewal(self._client, self._token, settings, self._interruptibly)
        self._recovering = Complaint(_log, "getting a lease")
        self._handing = Handing(self._client, self._replica, settings.node_name)
        self._loading = Loading(self._client, self._replica, self._handing, settings, self._interruptibly)
        self._writing = Complaint(_log, f"writing the replica {folder}", 0.0)
        self._announcing = Announcing(settings, self._token, self._canaries)
        self._telling = telling.Telling(settings, self._token, self._replica, folder / "metrics")
        self._relaying: Relaying | None = None
        if settings.relays:
            from retinue.node.relaying import Relaying  # a listener, which other nodes do without

            self._relaying = Relaying(
                settings, self._replica, children, self._token, peppers, self._metrics, self._question
            )

    def told(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Handle a signal: end, at once if nothing but waiting is under way."""
        is_first, self._is_told = not self._is_told, True
        if is_first and self._is_waiting:
            raise _Told

    def follow(self) -> None:
        """Follow until told. Raises :class:`Stop` if this follower may not go on."""
        self._shipper.start()
        if self._relaying is not None:
            self._relaying.start()
        try:
            while not self._is_told:
                self._step()
        except _Told:
            pass
        finally:
            if self._relaying is not None:
                self._relaying.stop()
            self._shipper.stop(SHIP_AT_END_SECONDS)
            self._client.close()

    def stand_by(self) -> None:
        """Do nothing until a signal comes, or if one has come already."""
        signals = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        if not self._is_told:
            signal.sigwait(signals)

    def _step(self) -> None:
        try:
            self._replica.open()
            if self._replica.meta.snapshot_after or self._replica.meta.snapshot_revision:
                self._load(self._loading.go_on)
            elif self._replica.needs_nodes:
                self._load(partial(self._loading.begin, self._replica.meta.epoch))
            else:
                self._poll()
            self._replica.tend()
            self._tend_key()
            self._telling.tell_if_due()
        except FeedError as error:
            self._unanswered(error)
        except (lmdb.Error, OSError) as error:
            self._unwritten(error)
        else:
            self._failures = 0
            self._polling.worked()
            self._writing.worked()

    def _tend_key(self) -> None:
        """Replace the signing key when it is due; its public half goes with the next poll."""
        if time.monotonic() >= self._key_due:
            self._key = identity.load_or_create(self._settings.replica)
            self._key_due = time.monotonic() + KEY_CHECK_SECONDS

    def _unanswered(self, error: FeedError) -> None:
        self._client.close()
        name = self._settings.node_name or "of this credential"
        if error.code == "superseded":
            self._surrender()
            raise Stop(
                f"a newer follower of the node {name} is at work, so this one ends; if two hosts have this "
                "name, enrol one of them under another, then start this one again",
                stays=True,
            )
        if error.code == "node_removed":
            self._surrender()
            raise Stop(f"the node {name} was removed, so it decides nothing; enrol it again", stays=True)
        if error.field.startswith("losses"):  # whatever is wrong with them, polling goes on
            self._replica.losses = []
        self._metrics.add(Counter.FAILED_POLLS)
        self._polling.failed(error)
        self._back_off(
            pausing.LONGEST_REFUSED_SECONDS if error.status in _REFUSED else pausing.LONGEST_SECONDS
        )

    def _unwritten(self, error: Exception) -> None:
        """Nothing was written, so nothing is acknowledged; opening it again shows what stands there."""
        self._replica.close()
        self._metrics.add(Counter.FAILED_WRITES)
        damaged = isinstance(error, _DAMAGED)
        advice = "; it is damaged: stop the node, delete this folder, and start it again" if damaged else ""
        self._writing.failed(f"{error}{advice}")
        self._back_off(pausing.LONGEST_SECONDS)

    def _surrender(self) -> None:
        """Another follower speaks for this node, or none: nothing is decided from this replica any more."""
        try:
            self._replica.end_lease()
        except (lmdb.Error, OSError) as error:
            _log.error("the lease could not be ended, and runs out by itself: %s", error)

    def _back_off(self, longest: float) -> None:
        self._failures += 1
        self._pause(pausing.back_off(self._failures, longest))

    def _pause(self, seconds: float) -> None:
        self._interruptibly(partial(time.sleep, seconds))

    def _interruptibly(self, wait: Callable[[], _Result]) -> _Result:
        """Do what may take long and leaves nothing half done: a signal ends it at once."""
        self._is_waiting = True
        try:
            if self._is_told:
                raise _Told
            return wait()
        finally:
            self._is_waiting = False

    def _poll(self) -> None:
        clock, wall_ms = lease.boot_clock_ns(), lease.wall_clock_ms()
        wait = self._wait_seconds()
        question, confirmed = self._question()
        question |= {"wait": wait, "clock": clock, "wall": wall_ms}
        ask = partial(self._client.poll, question, wait + GIVE_UP_SECONDS)
        if self._relaying is None:
            answer = self._interruptibly(ask)
        else:
            with self._relaying.polling(question, confirmed):
                answer = self._interruptibly(ask)
        applied = self._replica.meta.revision
        if answer.incarnation != self._replica.incarnation or answer.epoch < self._replica.meta.epoch:
            raise FeedError(0, "stale", "an answer of another incarnation or epoch")
        self._replica.losses = []  # they are known now
        self._canaries.told([] if answer.hops else question.get("probes", []))  # a relay tells nobody
        if answer.journal or self._handing.is_due(answer.epoch):
            self._interruptibly(partial(self._handing.over, answer.epoch))
        elif answer.recovering:
            self._recovering.failed("the control plane recovers: its history is in doubt")
            self._interruptibly(partial(time.sleep, RECOVERING_PAUSE_SECONDS))
        elif answer.snapshot:
            self._loading.begin(answer.epoch)
        else:
            self._recovering.worked()
            self._loading.apply(answer, clock, wall_ms)
            self._metrics.add(Counter.REFUSED_LEASES, int(self._replica.refused is not None))
            if answer.canary is not None:
                self._canaries.begin(answer.canary)
        if answer.renew:
            self._renewal.try_now()
        if self._relaying is None and answer.lease and answer.head == applied:
            self._pause(pausing.rest(wait, clock))
        if answer.hops:
            self._announcing.announce(self._key, self._replica.incarnation)

    def _wait_seconds(self) -> float:
        """Without a lease there is nothing to wait for: the answer brings one, unless it is refused."""
        if not (self._replica.meta.fresh_from_ns or self._replica.refused):
            return 0.0
        return min(self._replica.lease_ms / 1000 / WAIT_SHARE, MOST_WAIT_SECONDS)

    def _question(self) -> tuple[dict[str, Any], Position]:
        """Return what a poll says of this node, and what it confirms."""
        said, confirmed = self._replica.said()
        said |= {
            "node": self._settings.node_name,
            "schema": SCHEMA,
            "pepper_ids": list(self._pepper_ids),
            "identity_key": {"kid": self._key.kid, "x": self._key.x},
        }
        told = {"relay": self._settings.relays, "probes": self._canaries.reports()}
        return said | {name: value for name, value in told.items() if value}, confirmed

    def _load(self, load: Callable[[], None]) -> None:
        """Load a page; a crash in between goes on here. There is none before an epoch is open: poll then."""
        try:
            load()
        except FeedError as error:
            if error.code != "epoch_recovering":
                raise
            self._poll()
