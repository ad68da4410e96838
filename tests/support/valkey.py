"""A real Valkey server on the loopback, kept in memory alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import end_with_parent, free_port, stop, wait_for
from tests.support.requirements import valkey_program


@dataclass
class Valkey:
    """A server that can be stopped, started again (empty), and made to hang."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, with nothing in it."""
        program = valkey_program()
        if program is None:
            raise FileNotFoundError("valkey-server")
        command = [
            program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--dir", str(self.folder)], stdout=log, stderr=log, preexec_fn=end_with_parent()
            )
        wait_for("the store", self.answers)

    def stop(self) -> None:
        """Stop it; what it held is gone."""
        if self.process is not None:
            self.hang(False)
            stop(self.process)
            self.process = None

    def hang(self, hangs: bool) -> None:
        """Let it take connections and answer nothing, or go on."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP if hangs else signal.SIGCONT)

    def answers(self) -> bool:
        """Tell whether it answers now."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def start_valkey(folder: Path) -> Iterator[Valkey]:
    """Run a server until the block ends."""
    server = Valkey(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()
