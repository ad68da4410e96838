"""Serves the control plane with granian (WSGI): one process on SQLite, several on PostgreSQL."""

from __future__ import annotations

import os
import sys

from django.db import connection
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from retinue.server import catalogue, schema
from retinue.server.directory.queries import installation
from retinue.server.installation import InstallationError
from retinue.supervisor import SUPERVISED, SUPERVISOR_PID, die_with_parent

#: A held poll and a waiting revoke each occupy a thread.
BLOCKING_THREADS = 48
HEADER_TIMEOUT_MS = 5_000
HEADER_BYTES = 16_384
DRAIN_SECONDS = 20


def serve(host: str, port: int, processes: int) -> int:
    """Check the installation, load the host's permissions, and serve until SIGTERM. Returns the exit code."""
    die_with_parent()
    # granian's workers are children of this process, and end with it as this one ends with its supervisor.
    os.environ.update({SUPERVISED: "1", SUPERVISOR_PID: str(os.getpid())})
    check(processes)
    catalogue.load()
    disconnect()
    Granian(
        "retinue.server.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=processes,
        blocking_threads=BLOCKING_THREADS,
        backpressure=4 * BLOCKING_THREADS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=HEADER_BYTES),
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=DRAIN_SECONDS,
        log_access=False,
        log_level="warning",  # type: ignore[arg-type]
    ).serve()
    return 0


def check(processes: int) -> None:
    """Refuse to start on a missing installation, an old schema, or weak durability."""
    if not schema.is_current():
        raise InstallationError("the database is missing or of another version: run `retinue init`")
    if installation() is None:
        raise InstallationError("there is no installation here: run `retinue init`")
    schema.check_durability()
    if processes > 1 and connection.vendor == "sqlite":
        raise InstallationError("--processes: SQLite is served by one process; use PostgreSQL for more")
    print("control: database checked", file=sys.stderr)


def disconnect() -> None:
    """Close every connection to the database: the workers are forked from this process.

    They would share what is open. A worker that is killed would leave its half-done transaction to the next
    one, whose commit would confirm it.
    """
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
