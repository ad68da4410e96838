"""One worker: a process that answers on the node's port, beside the others of this host.

It reads the replica that the follower writes, waits for it to appear, and refuses with ``replica_stale``
until then. Each worker has a listening socket of its own on the shared port (SO_REUSEPORT): the kernel
spreads the connections, and a worker that is replaced disturbs nobody.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import lmdb
import uvloop

from retinue import pepper
from retinue.limits import Limiter
from retinue.node import identity
from retinue.node.decisions import Decisions
from retinue.node.exchange import Listener, listen_for
from retinue.node.http import SWEEP_SECONDS, Connection
from retinue.node.metrics import Metrics
from retinue.node.responses import Responses
from retinue.node.routes import Routes
from retinue.node.settings import Settings
from retinue.replica.memory import MemoryReplica
from retinue.replica.store import Store
from retinue.sealing import unseal
from retinue.settings import SettingError
from retinue.supervisor import REFUSES, refuse_connections
from retinue.usage import Spool
from retinue.verifier import Verifier

if TYPE_CHECKING:
    from retinue.node.limits_store import SharedLimiter

WATCH_SECONDS = 0.2
#: After the readiness has turned off the socket is still open for so long, for connections on their way.
GRACE_SECONDS = 0.3
DRAIN_SECONDS = 15.0
_BACKLOG = 1024
_SPARE_DESCRIPTORS = 64

log = logging.getLogger("retinue.node")


class Worker:
    """The parts of a worker and what keeps them current."""

    def __init__(self, settings: Settings, index: int) -> None:
        self._settings = settings
        self._peppers = pepper.load(settings.pepper_file)
        self._spool = Spool(settings.spool, f"worker-{index}")
        settings.replica.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._metrics = Metrics(settings.replica / "metrics", f"worker-{index}")
        self._responses = Responses()
        self._store: Store | None = None
        self._listener: Listener | None = None
        self._store_file: tuple[int, int] | None = None
        self._key_file: tuple[int, int] | None = None
        self._limiter = Limiter(settings.replica / "limits", f"worker-{index}")
        self._shared = _shared(settings, self._limiter, self._metrics)
        nothing = MemoryReplica()
        self._decisions = Decisions(
            settings, self._verifier(nothing), self._spool, self._metrics, self._responses
        )
        self._routes = Routes(settings, nothing, self._decisions, self._metrics, self._responses)

    async def serve(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain."""
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        listener = Listener(self._routes, loop, _connections(self._settings.max_connections))
        self._listener = listener
        self._watch()
        listening = _listen(self._settings)
        server = await loop.create_server(lambda: Connection(listener), sock=listening, backlog=_BACKLOG)
        log.info("worker listens on %s port %d", self._settings.host, self._settings.port)
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked at again
        tasks = [asyncio.create_task(self._tend(listener))]
        if self._shared is not None:
            tasks.append(asyncio.create_task(self._shared.run()))
        await ending.wait()
        await self._drain(listener, listening)
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._shared is not None:
            await self._shared.close()
        self.close()

    def close(self) -> None:
        """Let go of replica, spool and counters."""
        self._decisions.claims.close()
        self._metrics.close()
        self._spool.close()
        if self._store is not None:
            self._store.close()

    async def _drain(self, listener: Listener, listening: socket.socket) -> None:
        """Readiness off, socket emptied, each connection ended with its next answer or its silence."""
        self._routes.draining = True
        listener.draining = True
        await asyncio.sleep(GRACE_SECONDS)
        refuse_connections(listening.fileno())
        deadline = listener.loop.time() + DRAIN_SECONDS
        while listener.connections and listener.loop.time() < deadline:
            await asyncio.sleep(SWEEP_SECONDS / 2)

    async def _tend(self, listener: Listener) -> None:
        """What is done some times a second, so that no request has to."""
        watched = 0.0
        while True:
            try:
                listener.sweep()
                self._responses.refresh()
                self._spool.prepare()
                self._metrics.flush()
                if listener.now - watched >= WATCH_SECONDS:
                    watched = listener.now
                    self._watch()
                    self._limiter.refresh()
            except Exception:
                log.exception("the worker's housekeeping failed; it goes on")
            await asyncio.sleep(SWEEP_SECONDS)

    def _watch(self) -> None:
        """Follow the files of the replica: open what has appeared, let go of what was replaced."""
        folder = self._settings.replica
        store_file = _file(folder / "data.mdb")
        if store_file != self._store_file:
            self._exchange_replica(folder, store_file)
        self._listen()
        key_file = _change(folder / identity.FILE)
        if key_file != self._key_file:
            self._key_file = key_file
            self._decisions.identity = None if key_file is None else _identity(folder)

    def _listen(self) -> None:
        """Learn in which places of a request tokens may stand."""
        schemes = self._decisions.verifier.schemes()
        if schemes != self._decisions.schemes:
            self._decisions.accept(schemes)
            listen_for(self._decisions.header_names)
            if self._listener is not None:
                self._listener.forget()  # what was read before may mean something else now

    def _exchange_replica(self, folder: Path, found: tuple[int, int] | None) -> None:
        """Open the replica. While there is none, or it cannot be read, nothing is allowed."""
        self._attach(MemoryReplica())
        if self._store is not None:
            self._store.close()
            self._store = None
        self._store_file = None
        if found is None:
            return
        try:
            self._store = Store(folder)
        except lmdb.Error as error:
            log.warning("the replica cannot be opened yet: %s", error)
            return
        self._store_file = found
        self._attach(self._store)

    def _attach(self, replica: Store | MemoryReplica) -> None:
        self._routes.replica = replica
        self._decisions.verifier = self._verifier(replica)

    def _verifier(self, replica: Store | MemoryReplica) -> Verifier:
        limiter = self._shared or self._limiter
        return Verifier(
            replica, self._peppers, brands=self._settings.brands, unseal=unseal, take=limiter.take
        )


def run(settings: Settings, index: int) -> int:
    """Run one worker until it is told to end. Returns the exit code."""
    # `retinue serve` tells itself what listens, once it is ready.
    level = logging.WARNING if settings.supervised else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    try:
        worker = Worker(settings, index)
        uvloop.run(worker.serve())
    except (pepper.PepperError, SettingError) as error:
        log.error("%s", error)
        return REFUSES
    except OSError as error:
        log.error("%s", error)
        return 1
    return 0


def _shared(settings: Settings, own: Limiter, metrics: Metrics) -> SharedLimiter | None:
    """Return what counts in the shared store, if there is one. Its client is loaded only then."""
    if not settings.limits_url:
        return None
    try:
        from retinue.node.limits_store import SharedLimiter
    except ImportError:
        raise SettingError("RETINUE_LIMITS_URL: needs the extra retinue[limits]") from None
    try:
        return SharedLimiter(settings.limits_url, own, metrics)
    except ValueError:
        # The client's own words may repeat the password.
        raise SettingError("RETINUE_LIMITS_URL: not a URL of a store") from None


def _file(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from the one that stood there before: device and inode."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _change(path: Path) -> tuple[int, int] | None:
    """Return what tells whether a file, its mode included, has changed: inode and time of change."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _identity(folder: Path) -> identity.IdentityKey | None:
    """Read the signing key; without a usable one forward-auth allows nothing."""
    try:
        return identity.load(folder)
    except identity.IdentityError as error:
        log.error("%s", error)
        return None


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((settings.host, settings.port))
    listening.setblocking(False)
    listening.listen(_BACKLOG)
    return listening


def _connections(wanted: int) -> int:
    """Raise the limit on open files as far as allowed; return how many connections that leaves room for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = wanted + _SPARE_DESCRIPTORS
    soft = enough if hard == resource.RLIM_INFINITY else min(enough, hard)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(soft, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), hard)
    )
    return max(min(wanted, soft - _SPARE_DESCRIPTORS), 1)
