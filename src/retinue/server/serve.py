"""Serves the control plane with granian (RSGI): one process on SQLite, several on PostgreSQL.

At its end nothing is dropped: readiness turns off, held polls are answered, answers close their connections,
and only then the listening socket and what is still idle.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server import MPServer

from retinue.server import audit_log, catalogue, home, schema, setup
from retinue.server.directory.queries import installation
from retinue.server.installation import Installation, InstallationError
from retinue.server.nodes import checkpoint
from retinue.server.threads import MOST_THREADS
from retinue.supervisor import RESTARTED, SUPERVISED, SUPERVISOR_PID, die_with_parent

BACKLOG = 1024
HEADER_TIMEOUT_MS = 5_000
HEADER_BYTES = 16_384
#: Between "not ready" and the end of the listening socket: for what is on its way.
GRACE_SECONDS = 0.3
DRAIN_SECONDS = 20


class _Server(MPServer):
    """granian, on a socket that may be given, with an end that is announced to its workers."""

    def __init__(self, *arguments: Any, descriptor: int | None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._descriptor = descriptor

    def shutdown(self, exit_code: int = 0) -> None:
        """Tell the workers that the end is near, leave them a moment, and end them."""
        for worker in self.wrks:
            os.kill(worker.inner.pid, signal.SIGUSR1)
        time.sleep(GRACE_SECONDS)
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        if self._descriptor is None:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
        else:
            self._sso = None
            self._shd: Any = SocketHolder(self._descriptor, False, BACKLOG)  # type: ignore[call-arg]


def serve(host: str, port: int, processes: int, descriptor: int | None = None) -> int:
    """Check the installation, load the host's permissions, and serve until SIGTERM. Returns the exit code.

    ``descriptor`` is a socket that listens already; otherwise one is made for ``host`` and ``port``.
    """
    die_with_parent()
    # granian's workers are children of this process, and end with it as this one ends with its supervisor.
    os.environ.update({SUPERVISED: "1", SUPERVISOR_PID: str(os.getpid())})
    with _without_pool():
        check(processes)
        catalogue.load(in_operation=RESTARTED in os.environ)
        disconnect()
    _Server(
        "retinue.server.rsgi:application",
        address=host,
        port=port,
        descriptor=descriptor,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=processes,
        backpressure=4 * MOST_THREADS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=HEADER_BYTES),
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=DRAIN_SECONDS,
        log_access=False,
        log_level="warning",
    ).serve()
    return 0


@contextmanager
def _without_pool() -> Iterator[None]:
    """Use one connection: if the database is away, a pool would try for seconds and warn of each attempt."""
    options = connection.settings_dict["OPTIONS"]
    pool = options.pop("pool", None)
    try:
        yield
    finally:
        if pool is not None:
            options["pool"] = pool


def check(processes: int) -> None:
    """Refuse to start on a missing installation or secret, an old schema, or weak durability."""
    told: Installation = settings.INSTALLATION
    if not told.home.exists():
        raise InstallationError(f"there is no installation in {told.home}: run `retinue init`")
    home.keep_private(told.home, told.sqlite_file)
    told.check_secrets()
    schema.check()
    found = installation()
    if found is None:
        raise InstallationError("there is no installation here: run `retinue init`")
    setup.check_pepper(told.pepper_file, found)
    schema.check_durability()
    checkpoint.look(told.home)
    audit_log.check(told, found)
    if processes > 1 and connection.vendor == "sqlite":
        raise InstallationError("--processes: SQLite is served by one process; use PostgreSQL for more")


def disconnect() -> None:
    """Close every connection to the database: the workers are forked from this process.

    They would share what is open. A worker that is killed would leave its half-done transaction to the next
    one, whose commit would confirm it.
    """
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
