"""Writes into a node's replica as its follower does, a hundred changes a second.

``python -m bench.changing HOME``. Each change is a durable transaction of its own with one account's record
and a fresh lease. It goes on until it is ended.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import msgspec

from retinue.replica import lease
from retinue.replica.records import Change, Kind, Principal, encode
from retinue.replica.store import Store

PER_SECOND = 100


def main(home: Path) -> None:
    """Rename one account after the other."""
    store = Store(home / "replica", writable=True)
    with store.snapshot() as snapshot:
        meta = snapshot.meta()
        rows = list(itertools.islice(snapshot.items(Kind.PRINCIPAL), 1_000))
    accounts = [msgspec.msgpack.decode(value, type=Principal) for _, value in rows]
    began = time.monotonic()
    for number in itertools.count():
        account = msgspec.structs.replace(accounts[number % len(accounts)], name=f"renamed-{number}")
        meta = msgspec.structs.replace(
            meta,
            revision=meta.revision + 1,
            fresh_from_ns=lease.boot_clock_ns(),
            fresh_wall_ms=lease.wall_clock_ms(),
        )
        store.apply([Change(meta.revision, Kind.PRINCIPAL, account.id, encode(account))], meta)
        time.sleep(max(began + (number + 1) / PER_SECOND - time.monotonic(), 0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
