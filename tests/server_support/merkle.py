"""The Merkle log in tests: no thread runs there, so a test appends when it wants to."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from retinue.server.ledger.appending import AT_ONCE, Signer
from retinue.server.ledger.signing import Key, Outside

SEED = b"tests have a key of their own..."


@cache
def signer(database: str) -> Signer:
    """Return who signs the log of a database, with a folder of its own."""
    home = Path(tempfile.mkdtemp(prefix="retinue-log-"))
    return Signer("retinue.example", Key(SEED), Outside(home))


def append() -> Signer:
    """Append all events that there are; return who signed."""
    from django.db import connection

    found = signer(str(connection.settings_dict["NAME"]))
    while found.append() == AT_ONCE:
        pass
    return found
