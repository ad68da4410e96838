"""The newest revision that this host has seen, in a file beside the database: ``$RETINUE_HOME/checkpoint``.

A database that does not know it was put back to what it had been. The file is written after each commit, past
no cache of ours but without waiting for the disk: it outlives the process. It may be behind, never ahead of
what was committed.

Beside it an operator may leave a word, ``$RETINUE_HOME/restored`` (``retinue serve --restored``): the next
start takes it as said that the database was restored. Its lines name nodes that are not waited for.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from retinue.server.errors import Refused
from retinue.server.installation import InstallationError
from retinue.server.ledger import feed as ledger
from retinue.server.ledger import lineage
from retinue.server.ledger import transaction as door
from retinue.server.ledger.transaction import SYSTEM, Transaction
from retinue.server.nodes import epochs
from retinue.server.nodes.history import Doubt

FILE, WORD = "checkpoint", "restored"
_LENGTH = 128


def look(home: Path) -> None:
    """At a start: raise the epoch if the history is in doubt, and write down where it stands now."""
    head = ledger.position()
    word = home / WORD
    if word.exists():
        skip = [line.strip() for line in word.read_text().splitlines() if line.strip()]
        try:
            epochs.begin(SYSTEM, Doubt("declared", head.epoch, _seen(home)), skip=skip, reason="restored")
        except Refused as refused:
            raise InstallationError(f"{word}: {refused.detail}; correct or delete it") from None
        word.unlink()
    elif not _is_known(home):
        epochs.begin(SYSTEM, Doubt("checkpoint", head.epoch, _seen(home), _read(home)))
    elif lineage.has_moved():
        epochs.begin(SYSTEM, Doubt("database_moved", head.epoch, detail={"lineage": lineage.lineage()}))
    head = ledger.position()
    _Writer(home).write(head.epoch, head.revision, head.mark)


def keep(home: Path) -> None:
    """Write each commit of this process down from now on. Twice is once."""
    global _writer
    if _writer is None:
        _writer = _Writer(home)
        door.on_committed(_writer.committed)


def _read(home: Path) -> dict[str, int | str]:
    """Return what the file says; nothing if it is not there, or was cut by a power cut."""
    try:
        found = json.loads((home / FILE).read_text())
        return {"epoch": int(found["epoch"]), "revision": int(found["revision"]), "mark": str(found["mark"])}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _seen(home: Path) -> int:
    return int(_read(home).get("epoch", 0))


def _is_known(home: Path) -> bool:
    found = _read(home)
    if not found:
        return True
    head = ledger.position()
    is_within = int(found["epoch"]) <= head.epoch and int(found["revision"]) <= head.revision
    return is_within and ledger.knows(int(found["revision"]), str(found["mark"]))


class _Writer:
    """Writes the file in place: one short line, in one write."""

    def __init__(self, home: Path) -> None:
        self._file = os.open(home / FILE, os.O_WRONLY | os.O_CREAT, 0o600)
        self._lock = threading.Lock()
        self._newest = (0, 0)

    def committed(self, tx: Transaction) -> None:
        """Note a commit of this process."""
        if tx.revision is not None:
            self.write(max(tx.epoch, self._newest[0]), tx.revision, tx.mark)

    def write(self, epoch: int, revision: int, mark: str) -> None:
        """Write a revision down, unless a later one stands there from here."""
        with self._lock:
            if (epoch, revision) <= self._newest:
                return
            self._newest = epoch, revision
            line = json.dumps({"epoch": epoch, "revision": revision, "mark": mark})
            os.pwrite(self._file, line.ljust(_LENGTH - 1).encode() + b"\n", 0)


_writer: _Writer | None = None
