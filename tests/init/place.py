"""A place where ``init`` runs for real, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "violet-anchor-parade-21"
PROGRAM = Path(__file__).with_name("program.py")
EMAIL = "admin@acme.example"


@dataclass
class Place:
    """A home that need not exist yet, a database, and a file with a password."""

    folder: Path
    database: str | None = None
    name: str = "home"

    @property
    def home(self) -> Path:
        """The installation's folder."""
        return self.folder / self.name

    @property
    def token(self) -> Path:
        """Where the token goes."""
        return self.folder / "token"

    @property
    def password(self) -> Path:
        """A file that holds a good password."""
        path = self.folder / "password"
        path.write_text(PASSWORD + "\n")
        return path

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this place is told."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        database = {} if self.database is None else {"RETINUE_DATABASE_URL": self.database}
        return {**kept, **database, "HOME": str(self.folder), "RETINUE_HOME": str(self.home)}

    def flags(self, **other: str | None) -> list[str]:
        """Return a good flag for each question, but for the ``other`` ones; ``None`` leaves one out."""
        given: dict[str, str | None] = {
            "organization": "acme",
            "admin_email": EMAIL,
            "admin_password_file": str(self.password),
            "token_file": str(self.token),
        }
        chosen = {name: value for name, value in (given | other).items() if value is not None}
        return ["--no-input", *(f"--{name.replace('_', '-')}={value}" for name, value in chosen.items())]

    def init(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m retinue.server init``, as the command line does."""
        return self._run(sys.executable, "-m", "retinue.server", "init", *flags)

    def kill(self, point: str, *flags: str) -> int:
        """Run it and have it killed at ``point``. Returns the exit code."""
        return self._run(sys.executable, str(PROGRAM), "kill", point, *flags).returncode

    def look(self) -> dict[str, Any]:
        """Return what stands."""
        done = self._run(sys.executable, str(PROGRAM), "look", str(self.token))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
