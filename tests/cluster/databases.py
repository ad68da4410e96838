"""The database of a run, and what can be done to it from outside."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from tests.support.postgres import PostgresServer

#: A writer waits so long for its turn; the application's own limit is of the same size.
_TURN_SECONDS = 30.0


class Database(Protocol):
    """What faults need of it."""

    url: str | None

    @property
    def outages(self) -> dict[str, Callable[[Callable[[], None]], bool]]:
        """What may happen to it, by the names of the faults. Each takes what lasts as long as it lasts, and
        tells whether it was seen to happen.
        """

    def save(self) -> None:
        """Make a backup while it runs, as the documentation says it."""

    def put_back(self) -> None:
        """Put the backup in its place. No control plane runs."""

    @property
    def has_standby(self) -> bool:
        """Whether :meth:`follow` and :meth:`fail_over` are possible."""

    def follow(self, *, is_synchronous: bool) -> None:
        """Start a standby. A synchronous one must have a commit before it is confirmed."""

    def detach(self) -> None:
        """Let the standby fall behind from now on."""

    def fail_over(self) -> None:
        """Crash; the standby is promoted and takes the address."""

    def stop(self) -> None:
        """End it with the run."""


class Sqlite:
    """The file in the home of the one control plane."""

    url: str | None = None

    def __init__(self, home: Path) -> None:
        self._file = home / "retinue.db"
        self._backup = home.parent / "backup.db"

    @property
    def outages(self) -> dict[str, Callable[[Callable[[], None]], bool]]:
        """Another program holds the lock under which one writes."""
        return {"database locked": self._lock}

    def _lock(self, lasting: Callable[[], None]) -> bool:
        with closing(sqlite3.connect(self._file, _TURN_SECONDS, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            lasting()
            other.execute("ROLLBACK")
        return True

    def save(self) -> None:
        """Make a backup while it runs, as the documentation says it."""
        self._backup.unlink(missing_ok=True)
        with closing(sqlite3.connect(self._file, _TURN_SECONDS)) as source:
            source.execute("VACUUM INTO ?", [str(self._backup)])

    def put_back(self) -> None:
        """Put the backup in its place. No control plane runs."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
        self._file.write_bytes(self._backup.read_bytes())

    has_standby = False

    def follow(self, *, is_synchronous: bool) -> None:
        """There is none."""
        raise NotImplementedError

    def detach(self) -> None:
        """There is none."""
        raise NotImplementedError

    def fail_over(self) -> None:
        """There is none."""
        raise NotImplementedError

    def stop(self) -> None:
        """Nothing runs."""


class Postgres:
    """A server of the run's own."""

    has_standby = True

    def __init__(self) -> None:
        self._server = PostgresServer.start()
        self._standby: PostgresServer | None = None
        self.url: str | None = self._server.create_database()

    @property
    def outages(self) -> dict[str, Callable[[Callable[[], None]], bool]]:
        """It is stopped and recovers; or all connections to it are ended, again and again."""
        return {"database stopped": self._stop, "connections cut": self._cut}

    def _stop(self, lasting: Callable[[], None]) -> bool:
        self._server.halt()
        is_stopped = self._server.process.poll() is not None
        lasting()
        self._server.start_again()
        return is_stopped

    def _cut(self, lasting: Callable[[], None]) -> bool:
        for _ in range(3):
            self._server.cut()
            time.sleep(0.1)
        lasting()
        self._server.cut()
        return True

    def save(self) -> None:
        """Make a backup while it runs, as the documentation says it."""
        self._server.save()

    def put_back(self) -> None:
        """Put the backup in its place. No control plane runs."""
        self._server.halt()
        self._server.put_back()
        self._server.start_again()

    def follow(self, *, is_synchronous: bool) -> None:
        """Start a standby. A synchronous one must have a commit before it is confirmed."""
        self._standby = self._server.standby()
        if is_synchronous:
            self._server.confirm_with_standby()

    def detach(self) -> None:
        """Let the standby fall behind from now on."""
        assert self._standby is not None
        self._standby.detach()

    def fail_over(self) -> None:
        """Crash; the standby is promoted and takes the address."""
        assert self._standby is not None
        self._server.give_way(self._standby)
        self._standby = None

    def stop(self) -> None:
        """End all of it and delete its files."""
        for server in (self._standby, self._server):
            if server is not None:
                server.stop()
