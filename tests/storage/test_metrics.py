"""What the control plane measures, and the page that explains it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from retinue.node.metrics import Metrics
from retinue.replica import clocks
from retinue.server.nodes import measures, receipts
from retinue.server.nodes.models import Lease
from tests.storage.estate import Estate, Follower, Task

pytestmark = pytest.mark.usefixtures("awake")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def _samples(text: bytes) -> dict[tuple[str, str], float]:
    """Return the samples by name and the value of their one label."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def _names(text: bytes) -> set[str]:
    found = set(re.findall(r"^# TYPE (\S+) ", text.decode(), re.MULTILINE))
    return {name for name in found if not name.endswith("_created")}


def _section(name: str) -> set[str]:
    """Return the metrics that a section of the page explains."""
    text = PAGE.read_text().partition(f"## {name}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)(?:\{[\w,]+\})?`", cell)}


def _revoked(estate: Estate, follower: Follower, *, polls: bool = True) -> receipts.Receipt:
    """Revoke a key; only this follower is waited for."""
    Lease.objects.exclude(incarnation=follower.incarnation).delete()
    key, _ = estate.key(estate.account())
    receipt = receipts.of_revision(estate.revoke(key))
    assert receipt is not None
    waits = Task(lambda: receipts.follow(receipt, 15.0))
    if polls:
        follower.catch_up()
        follower.poll()
    done: receipts.Receipt = waits.result()
    return done


def test_every_metric_is_explained(estate: Estate, tmp_path: Path) -> None:
    """
    The page has each metric of the control plane and of a node, and no other.
    """
    follower = Follower.create()
    follower.catch_up()
    for number in range(100):
        at = 5_000 + number
        point = clocks.Point(at * 10**9, at * 10**9, 3)
        row = Lease.objects.get(incarnation=follower.incarnation)
        row.clock = clocks.dump(clocks.observe(clocks.load(row.clock), "x", point, at * 1_000))
        row.save()
    _revoked(estate, follower)
    node = Metrics(tmp_path, "w0").exposition(revision=1, epoch=1, loaded=True, lease_seconds=1.0)

    assert _section("Control plane") == _names(measures.exposition())
    assert _section("Node") == _names(node)


def test_a_receipt_is_measured(estate: Estate) -> None:
    """
    A receipt that every node has confirmed counts as such; polls count with what they gave.
    """
    follower = Follower.create()
    before = _samples(measures.exposition())
    follower.catch_up()
    _revoked(estate, follower)
    follower.poll()
    follower.poll()
    after = _samples(measures.exposition())

    def grown(name: str, label: str = "") -> float:
        return after[name, label] - before.get((name, label), 0.0)

    assert 1 == grown("retinue_leases_total", "snapshot")
    assert 1 <= grown("retinue_leases_total", "granted")
    assert 2 <= grown("retinue_poll_seconds_count")
    assert 1 == grown("retinue_revoke_seconds_count", "confirmed")
    assert 0 == after["retinue_node_lag_revisions", follower.node.name]
    assert 9 < after["retinue_node_lease_remaining_seconds", follower.node.name] <= 10


def test_who_delays_a_change_is_counted(estate: Estate) -> None:
    """
    A node whose lease had to be waited out has delayed the change, also when another follower comes after it.
    """
    follower = Follower.create()
    follower.catch_up()
    row = Lease.objects.get(incarnation=follower.incarnation)
    row.granted_at_ns -= 9_000_000_000  # most of its lease is over
    row.save()
    _revoked(estate, follower, polls=False)
    Follower(follower.node, replica=follower.replica, meta=follower.meta).poll()
    after = _samples(measures.exposition())

    assert 1 == after["retinue_barrier_waits_total", follower.node.name]
    assert 1 <= after["retinue_revoke_seconds_count", "lease_ended"]


def test_a_node_that_was_away_was_without_a_lease(estate: Estate) -> None:
    """
    The time beyond its lease counts, whoever follows for the node afterwards.
    """
    follower = Follower.create()
    follower.catch_up()
    follower.poll(clock=1)
    row = Lease.objects.get(incarnation=follower.incarnation)
    clock = clocks.load(row.clock)
    row.clock = clocks.dump(clocks.Clock(heard_ms=clock.heard_ms - 60_000, losses=2))
    row.save()
    successor = Follower(follower.node)
    successor.poll(clock=1)
    after = _samples(measures.exposition())

    assert 50 == pytest.approx(after["retinue_node_stale_seconds_total", follower.node.name], abs=2)
    assert 2 == after["retinue_node_clock_loss_total", follower.node.name]


def test_processes_of_a_host_count_together(tmp_path: Path) -> None:
    """
    Each counts in a file of its own; whoever is asked tells the sum.
    """
    program = "\n".join(
        [
            "import os, sys, time",
            "from prometheus_client import values",
            "from tests.server_support import django_setup",
            "django_setup.setup()",
            "from retinue.server.nodes import measures",
            "measures.answered(time.perf_counter(), 'granted')",
            "from prometheus_client import CollectorRegistry, generate_latest",
            "from prometheus_client.multiprocess import MultiProcessCollector",
            "registry = CollectorRegistry()",
            "MultiProcessCollector(registry)",
            "print(generate_latest(registry).decode())",
        ]
    )
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env=environment, text=True
        )

    assert 2 == _samples(ran.stdout.encode())["retinue_leases_total", "granted"]
