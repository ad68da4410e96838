"""What a node counts, for Prometheus: one set of counters over all workers of the host.

The hot path adds to a list of integers in the worker's own memory. A timer copies the list into a small
memory-mapped file, one a worker; whichever worker is asked reads all files and sums them. The library's
own multiprocess mode writes into its mapped files at each observation, several microseconds each, which a
verification cannot afford. A worker that starts again goes on in its file, so counters never step back.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from retinue.decision import Reason
from retinue.node import follower_metrics

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MAGIC = 0x72746E6D65740001  # "rtnmet", layout 1

#: Index of a reason's counter. Position 0 counts what was allowed.
REASON_CELL = {reason: number for number, reason in enumerate(Reason, start=1)}
_STRANGERS = len(REASON_CELL) + 1
_REFUSED_REQUESTS = _STRANGERS + 1
_ERRORS = _STRANGERS + 2
_DROPPED = _STRANGERS + 3
_CONNECTIONS = _STRANGERS + 4
_ACCEPTED = _STRANGERS + 5
_NANOSECONDS = _STRANGERS + 6
_LIMITS_ASKED = _STRANGERS + 7
_LIMITS_FAILED = _STRANGERS + 8
_LIMITED_BY_SHARE = _STRANGERS + 9
_LIMITS_AWAY = _STRANGERS + 10
_BUCKETS = _STRANGERS + 11
#: Upper bounds are 1.024 microseconds times a power of two: the bucket of a duration is a shift and a
#: bit length. The last one is open.
BUCKET_COUNT = 18
_CELLS = _BUCKETS + BUCKET_COUNT
_BYTES = 8 * (_CELLS + 1)


class Metrics:
    """The counters of one worker. The methods on the path of a decision only add to a list."""

    def __init__(self, folder: Path, worker: str) -> None:
        """Open the file of ``worker`` in ``folder``; a damaged or foreign file starts from zero."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._path = folder / worker
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size != _BYTES:
                os.ftruncate(descriptor, 0)  # of another version, or damaged
            os.posix_fallocate(descriptor, 0, _BYTES)
            self._map = mmap.mmap(descriptor, _BYTES)
        finally:
            os.close(descriptor)
        self._cells = _read(self._map) or [0] * _CELLS
        self._cells[_CONNECTIONS] = self._cells[_LIMITS_AWAY] = 0

    def count(self, reason: Reason | None, stranger: bool, nanoseconds: int) -> None:
        """Count a decision: denied for ``reason``, or allowed (``None``), decided in so many nanoseconds."""
        cells = self._cells
        if reason is None:
            cells[0] += 1
        else:
            cells[REASON_CELL[reason]] += 1
            if stranger:
                cells[_STRANGERS] += 1
        cells[_NANOSECONDS] += nanoseconds
        bucket = (nanoseconds >> 10).bit_length()
        cells[_BUCKETS + bucket if bucket < BUCKET_COUNT else _CELLS - 1] += 1

    def allowed(self, nanoseconds: int) -> None:
        """Count a decision as :meth:`count` does: allowed."""
        cells = self._cells
        cells[0] += 1
        cells[_NANOSECONDS] += nanoseconds
        bucket = (nanoseconds >> 10).bit_length()
        cells[_BUCKETS + bucket if bucket < BUCKET_COUNT else _CELLS - 1] += 1

    def refused_request(self) -> None:
        """Count a request that was refused before it was understood."""
        self._cells[_REFUSED_REQUESTS] += 1

    def error(self) -> None:
        """Count an answer 500 ``internal``."""
        self._cells[_ERRORS] += 1

    def dropped(self) -> None:
        """Count a decision that the request log could not take."""
        self._cells[_DROPPED] += 1

    def limits_asked(self) -> None:
        """Count an answer of the shared store of limits."""
        self._cells[_LIMITS_ASKED] += 1

    def limits_failed(self) -> None:
        """Count a question to the shared store of limits that was not answered."""
        self._cells[_LIMITS_FAILED] += 1

    def limited_by_share(self) -> None:
        """Count a call that was measured by this node's share, because the shared store was away."""
        self._cells[_LIMITED_BY_SHARE] += 1

    def limits_away(self, away: bool) -> None:
        """Note whether this worker reaches the shared store of limits."""
        self._cells[_LIMITS_AWAY] = int(away)

    def connection(self, change: int) -> None:
        """Note that a connection was opened (+1) or has ended (-1)."""
        self._cells[_CONNECTIONS] += change
        if change > 0:
            self._cells[_ACCEPTED] += 1

    def flush(self) -> None:
        """Copy the counters into the shared file. Called from a timer, and before an exposition."""
        self._map[:] = array("Q", [_MAGIC, *self._cells]).tobytes()

    def close(self) -> None:
        """Write the last state; no connection is open then."""
        self._cells[_CONNECTIONS] = self._cells[_LIMITS_AWAY] = 0
        self.flush()
        self._map.close()

    def exposition(self, *, revision: int, epoch: int, loaded: bool, lease_seconds: float) -> bytes:
        """Return the metrics of all workers of this host in the text format of Prometheus."""
        from prometheus_client import CollectorRegistry, generate_latest

        self.flush()
        total = _sum(self._folder)
        registry = CollectorRegistry(auto_describe=False)
        state = (
            ("retinue_replica_revision", "Revision that the replica has applied.", revision),
            ("retinue_replica_epoch", "Epoch of the replica.", epoch),
            ("retinue_replica_loaded", "1 when the replica is complete.", int(loaded)),
            (
                "retinue_lease_remaining_seconds",
                "How long this node may still decide unheard.",
                lease_seconds,
            ),
        )
        registry.register(_Families(total, follower_metrics.read(self._folder), state))
        return generate_latest(registry)


class _Families:
    """The sums as metric families; what the library calls a collector."""

    def __init__(
        self,
        cells: list[int],
        follower: dict[follower_metrics.Counter, int],
        state: tuple[tuple[str, str, float], ...],
    ) -> None:
        self._cells = cells
        self._follower = follower
        self._state = state

    def collect(self) -> Iterator[Metric]:
        yield from self._decisions()
        yield from self._counters()
        yield from follower_metrics.families(self._follower)
        yield from self._gauges()

    def _decisions(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

        decisions = CounterMetricFamily(
            "retinue_verifications", "Decisions by result and reason.", labels=["decision", "reason"]
        )
        decisions.add_metric(["allowed", ""], self._cells[0])
        for reason, cell in REASON_CELL.items():
            decisions.add_metric(["denied", reason.value], self._cells[cell])
        yield decisions
        buckets, running = [], 0
        for number in range(BUCKET_COUNT):
            running += self._cells[_BUCKETS + number]
            last = number == BUCKET_COUNT - 1
            buckets.append(("+Inf" if last else repr((1024 << number) / 1e9), float(running)))
        yield HistogramMetricFamily(
            "retinue_decision_duration_seconds",
            "Time from the complete request to the decision.",
            buckets=buckets,
            sum_value=self._cells[_NANOSECONDS] / 1e9,
        )

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import CounterMetricFamily

        for name, text, cell in (
            ("retinue_stranger_refusals", "Denials of callers without a genuine token.", _STRANGERS),
            ("retinue_refused_requests", "Requests refused by the listener's limits.", _REFUSED_REQUESTS),
            ("retinue_errors", "Answers 500 for an error on our side.", _ERRORS),
            ("retinue_request_log_dropped", "Decisions that the request log could not take.", _DROPPED),
            ("retinue_connections_accepted", "Connections accepted.", _ACCEPTED),
            ("retinue_limits_store_answers", "Answers of the shared store of limits.", _LIMITS_ASKED),
            ("retinue_limits_store_failures", "Failures to ask the shared store of limits.", _LIMITS_FAILED),
            (
                "retinue_limited_by_share",
                "Calls that were measured by the node's share while the shared store was away.",
                _LIMITED_BY_SHARE,
            ),
        ):
            yield CounterMetricFamily(name, text, value=self._cells[cell])

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        for name, text, value in (
            ("retinue_connections", "Open connections.", float(self._cells[_CONNECTIONS])),
            (
                "retinue_limits_store_away",
                "Workers that do not reach the shared store of limits.",
                float(self._cells[_LIMITS_AWAY]),
            ),
            *self._state,
        ):
            yield GaugeMetricFamily(name, text, value=value)


def durations(folder: Path) -> list[int]:
    """Return how many decisions of this host took how long, by bucket, since its files were begun."""
    return _sum(folder)[_BUCKETS:]


def quantile_ns(buckets: list[int], share: float) -> int | None:
    """Return how long ``share`` of the decisions in ``buckets`` took at most, in nanoseconds; ``None``
    without any.

    Within a bucket they are taken to be spread evenly. Of the last one only its lower bound is known.
    """
    wanted = sum(buckets) * share
    if not wanted:
        return None
    reached = list(accumulate(buckets))
    number = next(number for number, upto in enumerate(reached) if upto >= wanted)
    lower = 512 << number if number else 0
    if number == BUCKET_COUNT - 1:
        return lower
    return lower + int(((1024 << number) - lower) * (1 - (reached[number] - wanted) / buckets[number]))


def _sum(folder: Path) -> list[int]:
    """Return the counters of all workers whose files are in ``folder``."""
    total = [0] * _CELLS
    for path in sorted(folder.iterdir()):
        try:
            cells = _read(path.read_bytes())
        except OSError:
            continue
        if cells is not None:
            total = [a + b for a, b in zip(total, cells, strict=True)]
    return total


def _read(data: bytes | mmap.mmap) -> list[int] | None:
    """Return the counters in a file's bytes; ``None`` if they are not such a file's."""
    if len(data) != _BYTES:
        return None
    cells = array("Q", data[:])
    return list(cells[1:]) if cells[0] == _MAGIC else None
