"""The files of an installation. Each is written whole or not at all, so that no crash leaves half of one."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retinue import pepper
from retinue.server.installation import InstallationError
from retinue.server.ledger.signing import fresh_seed

_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PERMISSIONS = """\
# The permissions of your API. `retinue serve` loads this file at each start.
# A permission is resource:action in lower case; the resource may be dotted.
permissions:
  - name: report:read
    label: Read reports
    description: See the list of reports and open each of them.
    sensitivity: normal
  - name: report:write
    label: Write reports
    description: Create and change reports.
    sensitivity: normal
  - name: report:export
    label: Export reports
    description: Download reports in bulk.
    sensitivity: sensitive
"""
_OPTIONS = """\
# Settings of this installation. Flags and RETINUE_* win over this file.
brand = "rtn"

[control]
host = "127.0.0.1"
port = 8470
# trusted_proxies = ["127.0.0.0/8", "::1"]  # whose X-Forwarded-For and X-Forwarded-Proto are believed

[node]
host = "127.0.0.1"
port = 8471
"""


def keep_private(home: Path, database: Path | None) -> None:
    """Take the rights of others from the home, and from the files of a SQLite database, wherever they are.

    SQLite gives ``-wal`` and ``-shm`` the mode of the database. Raises :class:`InstallationError` for a home
    that others may have a use for, and for what belongs to another user.
    """
    _take(home, is_ours=(home / "retinue.toml").exists() or not any(home.iterdir()))
    for suffix in ("", "-wal", "-shm") if database is not None else ():
        file = Path(f"{database}{suffix}")
        if file.exists():
            _take(file, is_ours=True)


def _take(path: Path, *, is_ours: bool) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & _OF_OTHERS:
        return
    if not is_ours:
        raise InstallationError(
            f"{path}: mode {mode:04o} lets others in, and other files stand there: name an empty folder, "
            "or one that is not there yet, or chmod 700 this one"
        )
    try:
        path.chmod(mode & ~_OF_OTHERS)
    except PermissionError:
        raise InstallationError(
            f"{path}: mode {mode:04o} lets others in, and it is another user's: have its owner chmod go= it"
        ) from None


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the folder for this process, making it first; the kernel lets go however the process ends.

    Raises :class:`InstallationError` while another process holds it.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InstallationError(f"another `retinue init` is at work in {home}; wait for it") from None
    finally:
        os.close(descriptor)


def prepare(home: Path, pepper_file: Path, ledger_key_file: Path) -> None:
    """Make the folder with pepper, keys and settings; what exists stays as it is."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in ("replica", "spool"):
        (home / folder).mkdir(mode=0o700, exist_ok=True)
    place(pepper_file, secrets.token_hex(pepper.PEPPER_BYTES) + "\n")
    place(ledger_key_file, fresh_seed())
    place(home / "secret-key", secrets.token_urlsafe(48) + "\n")
    place(home / "permissions.yaml", _PERMISSIONS)
    place(home / "retinue.toml", _OPTIONS)


def place(path: Path, text: str) -> None:
    """Make a file of mode 0600, whole and on the disk; one that exists stays as it is."""
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    pepper.write_private(fresh, text)
    fresh.replace(path)
    pepper.settle(path.parent)


class Staged:
    """A token that waits in the home until the transaction that made it has committed.

    So neither a token without its row nor a row without its token can remain: what a crash leaves here is
    handed over by the next run if its row exists, and thrown away if not.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._file = home / f".{name}.staged"

    def put(self, text: str) -> None:
        """Keep a token; one that a crash left here is gone."""
        self.drop()
        pepper.write_private(self._file, text + "\n")

    def text(self) -> str | None:
        """Return the token that waits, without its end of line."""
        return pepper.read_private(self._file).strip() if self._file.exists() else None

    def drop(self) -> None:
        """Throw the token away."""
        self._file.unlink(missing_ok=True)

    def hand_over(self, path: Path) -> None:
        """Move the token to its place. Raises :class:`InstallationError` if another file stands there."""
        text = self.text()
        if text is None:
            return
        if path.exists() and path.read_bytes() != f"{text}\n".encode():
            raise InstallationError(f"{path} exists and is not overwritten; name another file")
        place(path, text + "\n")
        self.drop()
