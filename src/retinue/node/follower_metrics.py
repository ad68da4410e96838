"""What the follower counts: in a small mapped file, which a worker reads when it is asked for metrics."""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

FILE = "follower"
_MAGIC = 0x72746E666F6C0003  # "rtnfol", layout 3


class Counter(IntEnum):
    """What is counted, and where it stands in the file. Each is written by one thread alone."""

    FAILED_POLLS = 1
    FAILED_WRITES = 2
    SHIPPED = 3
    UNREADABLE = 4
    REFUSED = 5
    HELD_BATCHES = 6
    REFUSED_LEASES = 7
    FOLLOWED_BY = 8
    BEHIND = 9


_BYTES = 8 * (len(Counter) + 1)


class FollowerMetrics:
    """The counters in ``folder``. They go on where an earlier follower of this host has ended."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = read(folder)
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _BYTES)
            os.posix_fallocate(descriptor, 0, _BYTES)  # a full disk must not end us by SIGBUS
            self._cells = memoryview(mmap.mmap(descriptor, _BYTES)).cast("Q")
        finally:
            os.close(descriptor)
        for cell, value in enumerate([_MAGIC, *before.values()]):
            self._cells[cell] = value

    def add(self, counter: Counter, number: int = 1) -> None:
        """Count ``number`` more."""
        self._cells[counter] += number

    def set(self, gauge: Counter, value: int) -> None:
        """Say how much there is of something that comes and goes."""
        self._cells[gauge] = value


def read(folder: Path) -> dict[Counter, int]:
    """Return the counters of the follower whose file is in ``folder``; zeros if there is none."""
    try:
        cells = array("Q", (folder / FILE).read_bytes())
    except (OSError, ValueError):
        cells = array("Q")
    if len(cells) != len(Counter) + 1 or cells[0] != _MAGIC:
        return dict.fromkeys(Counter, 0)
    return {counter: cells[counter] for counter in Counter}


def families(counted: dict[Counter, int]) -> Iterator[Metric]:
    """Yield the counters as metric families."""
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    for name, text, counter in (
        ("retinue_failed_polls", "Polls without a usable answer.", Counter.FAILED_POLLS),
        ("retinue_refused_leases", "Answers that refused a lease.", Counter.REFUSED_LEASES),
        (
            "retinue_replica_failed_writes",
            "Answers that could not be written to the replica.",
            Counter.FAILED_WRITES,
        ),
        ("retinue_request_log_shipped", "Entries that the control plane has taken.", Counter.SHIPPED),
        (
            "retinue_request_log_held_batches",
            "Batches that were refused as a whole; they are kept and sent again.",
            Counter.HELD_BATCHES,
        ),
    ):
        yield CounterMetricFamily(name, text, value=counted[counter])
    yield GaugeMetricFamily(
        "retinue_relay_nodes",
        "Nodes that follow this relay, or one that follows it.",
        counted[Counter.FOLLOWED_BY],
    )
    yield GaugeMetricFamily(
        "retinue_relay_lag_revisions",
        "How far what holds on all of them is behind this relay.",
        counted[Counter.BEHIND],
    )
    lost = CounterMetricFamily(
        "retinue_request_log_lost", "Entries that were written and are lost.", labels=["cause"]
    )
    lost.add_metric(["unreadable"], counted[Counter.UNREADABLE])
    lost.add_metric(["refused"], counted[Counter.REFUSED])
    yield lost
