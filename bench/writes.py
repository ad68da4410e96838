"""Measures changes: keys issued one by one through the write door, beside the database's own durable commits.

``python -m bench.writes``, from the root of the repository. Both databases are this run's own, with the
durability of production; a change is a key that a person issues, without HTTP and without nodes. The ratio
tells what a change costs beside the bare commit that it needs. ``--quick`` ends within 30 seconds.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.server_support import django_setup
from tests.support.postgres import PostgresServer

THREADS = (1, 8)
ROUNDS = 3
ACCOUNTS = 16
#: Below the limit of usable keys in an account.
KEYS_AN_ACCOUNT = 8

Worker = Callable[[], None]


def main() -> int:
    """Run on both databases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    django_setup.setup()
    print(f"{'database':11} {'threads':>7} {'keys/s':>8} {'bare commits/s':>15} {'ratio':>6}")
    for kind in django_setup.kinds():
        with _database(kind) as url, django_setup.database(url):
            for threads in THREADS:
                _compare(kind, threads, 1 if options.quick else ROUNDS)
    return 0


@contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "postgresql":
        with PostgresServer.start() as server:
            yield server.create_database()
        return
    # Beside the repository: a folder for temporary files may be in memory, where a commit costs nothing.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as name:
        yield f"sqlite:///{name}/retinue.db"


def _compare(kind: str, threads: int, rounds: int) -> None:
    issued, bare = [], []
    for _ in range(rounds):
        bare.append(_rate([_Commits().run for _ in range(threads)], ACCOUNTS * KEYS_AN_ACCOUNT))
        issued.append(_rate([_Issues().run for _ in range(threads)], ACCOUNTS * KEYS_AN_ACCOUNT))
    keys, commits = statistics.median(issued), statistics.median(bare)
    print(f"{kind:11} {threads:7} {keys:8.0f} {commits:15.0f} {keys / commits:6.2f}", flush=True)


def _rate(workers: list[Worker], each: int) -> float:
    """Run the workers at once, each doing ``each`` things; return how many things a second were done."""
    began = time.perf_counter()
    threads = [threading.Thread(target=worker) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(workers) * each / (time.perf_counter() - began)


class _Issues:
    """Issues keys for accounts of an organization of its own, as its owner."""

    def __init__(self) -> None:
        from retinue.server.access import actions as access
        from retinue.server.credentials import actions as credentials
        from retinue.server.directory import actions as directory
        from retinue.server.directory.rules import AccountFields
        from retinue.server.ledger.transaction import SYSTEM, Actor, transaction

        handle = f"bench-{secrets.token_hex(6)}"
        with transaction(SYSTEM, reason="bench") as tx:
            home = directory.create_organization(tx, handle=handle, name=handle)
            access.set_up_organization(tx, home)
            owner = directory.create_user(tx, home.id, email=f"o@{handle}.example", name="Olga")
            access.assign_roles(tx, owner, ["owner"], "bench")
            self._accounts = [
                access.create_account(
                    tx,
                    home.id,
                    AccountFields(name=f"a{number}", purpose="bench", owners=(owner.id,)),
                    permissions=["report:read"],
                )
                for number in range(ACCOUNTS)
            ]
            token = credentials.issue_personal_token(tx, owner, name="bench", days=1).credential.id
        self._actor = Actor("user", owner.id, owner.name, home.id, token, "127.0.0.1", "req_bench")

    def run(self) -> None:
        """Issue all keys, each in a transaction of its own."""
        from django.db import connections

        from retinue.server.credentials import actions as credentials
        from retinue.server.ledger.transaction import transaction

        for number in range(KEYS_AN_ACCOUNT):
            for account in self._accounts:
                with transaction(self._actor) as tx:
                    credentials.issue(tx, account, name=f"k{number}")
        connections.close_all()


class _Commits:
    """Commits one row of some hundred bytes at a time, on the driver's own connection."""

    _one_at_a_time = threading.Lock()

    def run(self) -> None:
        """Commit as many rows as keys are issued."""
        from django.db import connection

        connection.ensure_connection()
        cursor = connection.connection.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS bench (row text)")
        connection.connection.commit()
        # SQLite lets one writer in, and who waits there sleeps: queue as the write door does.
        turn = self._one_at_a_time if connection.vendor == "sqlite" else nullcontext()
        for _ in range(ACCOUNTS * KEYS_AN_ACCOUNT):
            with turn:
                cursor.execute("BEGIN")
                cursor.execute(f"INSERT INTO bench VALUES ('{'x' * 400}')")  # noqa: S608
                cursor.execute("COMMIT")
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
