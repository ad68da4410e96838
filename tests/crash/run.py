"""One run: a real installation, clients that change and ask all the time, and a striker; then the evidence."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from tests.crash.changes import Changer
from tests.crash.coverage import shortfalls
from tests.crash.evidence import Evidence, collect
from tests.crash.history import History, now
from tests.crash.questions import Asker
from tests.crash.strikes import Striker
from tests.support.installation import ADMIN_EMAIL, Installation
from tests.support.wire import Wire

SEED, SECONDS = "RETINUE_TEST_SEED", "RETINUE_TEST_SECONDS"
CHANGERS, ASKERS = 4, 3
WORKERS = 2
#: A slow machine gets more time to show enough.
MOST_TIMES = 3
_MORE_SECONDS = 5.0
_END_SECONDS = 60.0


@dataclass(frozen=True)
class Database:
    """A database of a PostgreSQL server, and what that server writes down."""

    url: str
    log: Path


def seed() -> str:
    """Return the seed of this run, and print it: the same one draws the same changes and strikes."""
    chosen = os.environ.get(SEED) or secrets.token_hex(4)
    print(f"\n{SEED}={chosen}")
    return chosen


def seconds() -> float:
    """Return for how long the clients are at work, at least."""
    return float(os.environ.get(SECONDS) or 40)


def run(home: Path, database: Database | None, seed: str, seconds: float) -> tuple[History, Evidence]:
    """Run for ``seconds``, start everything again, and look at what is there; on SQLite without ``database``."""
    url = None if database is None else database.url
    history = History()
    environment = {"RETINUE_WORKERS": str(WORKERS)} | ({} if url is None else {"RETINUE_DATABASE_URL": url})
    installation = Installation(home, environment)
    installation.init()
    installation.start()
    try:
        _work(installation, history, seed, seconds)
        installation.kill()
        installation.start()
        Striker(installation, history, seed).settle()
        logs = [installation.log] + ([] if database is None else [database.log])
        return history, collect(installation, url, history, b"".join(log.read_bytes() for log in logs))
    finally:
        installation.stop()


def _work(installation: Installation, history: History, seed: str, seconds: float) -> None:
    """Let clients and striker work; the clients end when everything runs again, with no change half made."""
    token = installation.token()
    owner = ADMIN_EMAIL
    striker = Striker(installation, history, f"{seed}/strikes")
    clients: list[Changer | Asker] = [
        Changer(
            f"c{number}", Wire(installation.url, token), owner, history, striker.sent, f"{seed}/c{number}"
        )
        for number in range(CHANGERS)
    ]
    clients += [
        Asker(f"q{number}", Wire(installation.node_url), history, f"{seed}/q{number}")
        for number in range(ASKERS)
    ]
    for client in clients:
        client.start()
    try:
        began = now()
        striker.run(began + seconds)
        while shortfalls(history) and now() < began + seconds * MOST_TIMES:
            striker.run(now() + _MORE_SECONDS)
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(_END_SECONDS)
    assert [] == [client.name for client in clients if client.is_alive()]
