"""What the control plane measures of nodes and of the promise, for Prometheus.

What happens is counted in the process where it happens; what is the case is read when somebody asks. With
``PROMETHEUS_MULTIPROC_DIR`` set before this is loaded (``serve`` does that), each process of this host counts
in a file of its own there, and whichever process is asked sums them; another host is asked by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from retinue.server.ledger import feed as ledger
from retinue.server.nodes import queries
from retinue.server.nodes.models import Journal, Probe, ProbeResult, Receipt
from retinue.server.nodes.queries import NodeView

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_REGISTRY = CollectorRegistry(auto_describe=False)
_POLL_SECONDS = Histogram(
    "retinue_poll_seconds",
    "Work for a poll, without the time that it was held.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
    registry=_REGISTRY,
)
_LEASES = Counter(
    "retinue_leases", "Answers to polls, by whether they gave a lease.", ["result"], registry=_REGISTRY
)
_REVOKE_SECONDS = Histogram(
    "retinue_revoke_seconds",
    "From the commit of a change that takes access away to its complete receipt.",
    ["how"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 11.5, 65.0, 320.0, 3_800.0),
    registry=_REGISTRY,
)


_PROBE_STALE = Counter(
    "retinue_probe_stale",
    "Acceptances of a probe's canary after its receipt: must stay 0.",
    registry=_REGISTRY,
)


def answered(seconds: float, result: str, count: int = 1) -> None:
    """Count answers to polls, and the work for each of them."""
    for _ in range(count):
        _POLL_SECONDS.observe(seconds)
    _LEASES.labels(result).inc(count)


def completed(receipt: Receipt) -> None:
    """Count a receipt that has been completed by this process."""
    if receipt.completed_at is None:
        return
    waited_out = any(each["how"] == "lease_ended" and each["waited_ms"] for each in receipt.nodes)
    took = receipt.completed_at - receipt.committed_at
    _REVOKE_SECONDS.labels("lease_ended" if waited_out else "confirmed").observe(took.total_seconds())


def stale() -> None:
    """Count an acceptance of a canary after the promise."""
    _PROBE_STALE.inc()


def exposition() -> bytes:
    """Return the metrics of this host's processes, and the state of all nodes, as Prometheus reads them."""
    counted, present = _REGISTRY, CollectorRegistry(auto_describe=False)
    if os.environ.get(FOLDER_VARIABLE):
        counted = CollectorRegistry(auto_describe=False)
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    present.register(_State())
    return generate_latest(counted) + generate_latest(present)


#: Name, meaning, and value of each metric of a node. What only grows ends in ``_total`` when it is read.
_OF_NODE: tuple[tuple[type[Metric], str, str, Any], ...] = (
    (GaugeMetricFamily, "retinue_node_connected", "1 if it was heard a moment ago.", lambda n: n.connected),
    (GaugeMetricFamily, "retinue_node_lag_revisions", "Revisions that it has not applied.", lambda n: n.lag),
    (
        GaugeMetricFamily,
        "retinue_node_lease_remaining_seconds",
        "How long it goes on deciding unheard, at most.",
        lambda n: n.lease_seconds,
    ),
    (
        CounterMetricFamily,
        "retinue_node_stale_seconds",
        "How long it was without a lease.",
        lambda n: n.stale_seconds,
    ),
    (
        GaugeMetricFamily,
        "retinue_node_clock_ratio",
        "How fast its clock runs beside ours; 1 keeps pace.",
        lambda n: n.clock.ratio,
    ),
    (
        GaugeMetricFamily,
        "retinue_node_clock_slow",
        "1 while its clock is slow and it gets no lease.",
        lambda n: n.clock.is_slow,
    ),
    (
        CounterMetricFamily,
        "retinue_node_clock_loss",
        "How often it found that its machine had stood still.",
        lambda n: n.clock.losses,
    ),
    (
        GaugeMetricFamily,
        "retinue_node_wall_skew_seconds",
        "How far its wall clock is ahead of ours.",
        lambda n: None if n.clock.ahead_ms is None else n.clock.ahead_ms / 1e3,
    ),
    (
        GaugeMetricFamily,
        "retinue_node_credentials",
        "Credentials in its replica, as it last told.",
        lambda n: n.about and n.about.credentials,
    ),
    (CounterMetricFamily, "retinue_barrier_waits", "Changes that had to wait for it.", lambda n: n.waits),
)


class _State:
    """What the database says now; what the library calls a collector."""

    def collect(self) -> Iterator[Metric]:
        head = ledger.position()
        yield GaugeMetricFamily("retinue_epoch", "Epoch of the history of revisions.", value=head.epoch)
        yield GaugeMetricFamily(
            "retinue_epoch_recovering",
            "1 while the history is in doubt: no lease, no receipt.",
            value=head.is_recovering,
        )
        yield GaugeMetricFamily(
            "retinue_journals_awaited",
            "Nodes whose journals are waited for.",
            value=Journal.objects.filter(epoch=head.epoch, state="awaited").count(),
        )
        yield GaugeMetricFamily("retinue_head_revision", "Revision of the last change.", value=head.revision)
        yield GaugeMetricFamily(
            "retinue_receipts_pending",
            "Changes that are not promised everywhere yet.",
            value=Receipt.objects.filter(state="pending").count(),
        )
        yield _probe_seconds()
        views = queries.views(list(queries.nodes()))
        for kind, name, meaning, value in _OF_NODE:
            yield _family(kind, name, meaning, views, value)


def _probe_seconds() -> Metric:
    """Return how long after its revoke each node refused the canary of the last probe that has ended."""
    family = GaugeMetricFamily(
        "retinue_probe_seconds",
        "From the revoke of the last probe's canary to its refusal by the node.",
        labels=["node"],
    )
    last = Probe.objects.filter(state="done", revoked_at__isnull=False).order_by("started_at").last()
    if last is not None and last.revoked_at is not None:
        found = ProbeResult.objects.filter(probe=last, refused_at__isnull=False)
        for result in found.select_related("node"):
            took = (result.refused_at or last.revoked_at) - last.revoked_at
            family.add_metric([result.node.name], max(took.total_seconds(), 0.0))
    made: Metric = family
    return made


def _family(kind: Any, name: str, meaning: str, views: list[NodeView], value: Any) -> Metric:
    family: Any = kind(name, meaning, labels=["node"])
    for view in views:
        found = value(view)
        if found is not None:
            family.add_metric([view.node.name], float(found))
    made: Metric = family
    return made
