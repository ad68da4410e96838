"""What the audit log's Merkle tree costs: appending, looking at every row, checking an export, by events.

``python -m bench.ledger [EVENTS]``: 100,000 by default, on SQLite in a folder of its own. Prints a line each.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.server_support import django_setup

django_setup.setup()

from django.db import connection  # noqa: E402

from retinue import proof  # noqa: E402
from retinue.server.ledger import appending, proving, verifying  # noqa: E402
from retinue.server.ledger import transaction as transaction_module  # noqa: E402
from retinue.server.ledger.appending import AT_ONCE, Signer  # noqa: E402
from retinue.server.ledger.models import AuditEvent  # noqa: E402
from retinue.server.ledger.signing import Key, Outside  # noqa: E402
from retinue.server.ledger.transaction import SYSTEM, transaction  # noqa: E402

T = TypeVar("T")
#: Events in one transaction.
BATCH = 1_000


def _timed(what: str, count: int, act: Callable[[], T]) -> T:
    began = time.perf_counter()
    found = act()
    took = time.perf_counter() - began
    print(f"{what:<44} {took:8.2f} s  {took / count * 1e6:8.1f} us an event", flush=True)
    return found


def _fill(count: int) -> None:
    """Write events as changes write them, many in a transaction."""
    for first in range(0, count, BATCH):
        with transaction(SYSTEM, reason="bench") as tx:
            for n in range(first, min(first + BATCH, count)):
                tx.record("role.created", f"role_{n}", name=f"r{n}", organization="org_bench", after={"n": n})


def _append(signer: Signer) -> None:
    while signer.append() == AT_ONCE:
        pass


def main(count: int) -> None:
    """Print the figures for so many events."""
    with tempfile.TemporaryDirectory() as folder, django_setup.database(f"sqlite:///{folder}/retinue.db"):
        signer = Signer("bench.example", Key(b"b" * 32), Outside(Path(folder)))
        _append(signer)
        _timed("writing events, 1,000 in a transaction", count, lambda: _fill(count))
        _timed("appending and signing, 256 at once", count, lambda: _append(signer))
        found = _timed("looking at every row", count, lambda: verifying.verify(signer.outside.read()))
        assert found == [], found
        _export(count)
        _one(signer)


def _export(count: int) -> None:
    log = appending.newest()
    assert log is not None
    entries = b"".join(proving.entries(log, first) for first in range(0, log.size, proving.MOST))
    events = AuditEvent.objects.select_related("personal").filter(organization="org_bench")
    told = proving.entries_of(list(events[:BATCH]))
    leaf = {
        "log": log.name,
        "key": proof.told_key(log.origin, bytes(log.public_key)),
        "checkpoint": log.checkpoint,
        "entries": base64.b64encode(entries).decode(),
    }
    print(f"entries of the log in an export: {len(leaf['entries']) / 1e6:.1f} MB")
    read = _timed("verifier: tree and signature", count, lambda: proof.Log(leaf, []))
    sample = [(proof.entry_of(each["record"]), each["index"]) for each in told.values()]
    assert all(read.entries[index] == entry for entry, index in sample)


class _Held:
    """How long the thread holds the writers' door, and how many statements it sends, inside and in all."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0
        self.statements = self.inside = 0
        self._is_inside = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count while this is open."""
        enter = transaction_module._door.enter

        @contextmanager
        def entered(*given: Any, **named: Any) -> Iterator[bool]:
            with enter(*given, **named) as is_inside:
                began, cpu, self._is_inside = time.perf_counter(), time.thread_time(), True
                try:
                    yield is_inside
                finally:
                    self.seconds += time.perf_counter() - began
                    self.cpu += time.thread_time() - cpu
                    self._is_inside = False

        transaction_module._door.enter = entered  # type: ignore[method-assign]
        try:
            with connection.execute_wrapper(self._count):
                yield
        finally:
            del transaction_module._door.enter

    def _count(self, execute: Callable[..., Any], *given: Any) -> Any:
        self.statements += 1
        self.inside += self._is_inside
        return execute(*given)


def _one(signer: Signer, rounds: int = 200) -> None:
    spent, held = 0.0, _Held()
    for n in range(rounds):
        with transaction(SYSTEM, reason="bench") as tx:
            tx.record("role.created", f"one_{n}", name="x", organization="org_bench")
        with held.watched():
            began = time.thread_time()
            assert signer.append() == 1
            spent += time.thread_time() - began
    print(f"one event alone: {spent / rounds * 1e3:.2f} ms CPU, {held.statements / rounds:.1f} statements")
    print(
        f"  of it with the writers' door held: {held.cpu / rounds * 1e3:.2f} ms CPU, "
        f"{held.seconds / rounds * 1e3:.2f} ms with the disk, {held.inside / rounds:.1f} statements"
    )
    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
