"""Health, readiness, metrics; wrong methods and wrong paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from retinue.decision import Reason
from retinue.node.metrics import Metrics
from tests.node.world import REVISION, Node, World, running


def _samples(text: str) -> dict[tuple[str, str], float]:
    """Return samples by name and reason or bucket."""
    return {
        (sample.name, sample.labels.get("reason", sample.labels.get("le", ""))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _scrape(node: Node) -> dict[tuple[str, str], float]:
    reply = node.get("/metrics")
    assert (200, True) == (reply.status, reply.fields["content-type"].startswith("text/plain; version=0.0.4"))
    return _samples(reply.body.decode())


def test_health_and_readiness(node: Node) -> None:
    """
    The process is up, and its replica is complete.
    """
    assert {"status": "ok"} == node.get("/healthz").json()
    assert {"status": "ok", "revision": REVISION} == node.get("/readyz").json()


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("GET", "/v1/verify", "POST"),
        ("HEAD", "/v1/verify", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("PUT", "/readyz", "GET, HEAD"),
        ("DELETE", "/v1/identity-keys", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
    ],
)
def test_wrong_methods(node: Node, method: str, target: str, allow: str) -> None:
    """
    A wrong method is 405, with the right ones in Allow.
    """
    reply = node.get(target, method=method)

    assert (405, allow) == (reply.status, reply.fields["allow"])
    if method != "HEAD":
        assert "method_not_allowed_here" == reply.code


@pytest.mark.parametrize(
    "target", ["/", "/v1", "/v1/verify/", "/V1/verify", "/v1/introspect", "/hello/x", "/?x"]
)
def test_wrong_paths(node: Node, target: str) -> None:
    """
    What is not served is 404, as a problem.
    """
    reply = node.get(target)

    assert (404, "not_found") == (reply.status, reply.code)


def test_a_query_changes_nothing(node: Node) -> None:
    """
    The query is ignored on the exact paths.
    """
    assert 200 == node.get("/healthz?verbose=1").status
    assert 405 == node.get("/v1/verify?x=1").status


def test_decisions_are_counted_by_reason(node: Node) -> None:
    """
    Each decision is counted once, by reason; strangers beside; each in the histogram.
    """
    before = _scrape(node)
    asked = {"reader": "", "powerless": "permission_missing", "revoked": "credential_revoked"}
    for token in asked:
        node.forward_auth("report:read", token)
    node.forward_auth("report:read")
    after = _scrape(node)

    def grown(name: str, label: str = "") -> float:
        return after[name, label] - before[name, label]

    assert [1.0] * 4 == [grown("retinue_verifications_total", r) for r in (*asked.values(), "token_missing")]
    assert 0 == grown("retinue_verifications_total", "token_unknown")
    assert 1 == grown("retinue_stranger_refusals_total")
    assert 4 == grown("retinue_decision_duration_seconds_count")
    assert 4 == grown("retinue_decision_duration_seconds_bucket", "+Inf")
    assert 0 < grown("retinue_decision_duration_seconds_sum") < 1
    assert 1 <= after["retinue_connections", ""]


def test_what_the_replica_is(node: Node) -> None:
    """
    Revision, epoch and completeness of the replica are gauges; refused requests are counted.
    """
    before = _scrape(node)
    node.get("/", "Host: second")
    after = _scrape(node)

    assert (REVISION, 1, 1) == tuple(
        after[f"retinue_replica_{n}", ""] for n in ("revision", "epoch", "loaded")
    )
    assert 1 == after["retinue_refused_requests_total", ""] - before["retinue_refused_requests_total", ""]


def test_every_reason_has_a_counter(node: Node) -> None:
    """
    All reasons are there from the start, so that a rate can be computed of each.
    """
    found = {reason for name, reason in _scrape(node) if name == "retinue_verifications_total"}

    assert {"", *(reason.value for reason in Reason)} == found


def test_workers_are_summed_and_restarts_go_on(tmp_path: Path) -> None:
    """
    The exposition sums all workers; a worker that starts again does not step its counters back.
    """
    first, second = Metrics(tmp_path, "worker-0"), Metrics(tmp_path, "worker-1")
    for metrics in (first, second, second):
        metrics.connection(+1)
        metrics.count(None, stranger=False, nanoseconds=5_000)
    second.flush()
    first.close()
    again = Metrics(tmp_path, "worker-0")
    again.count(None, stranger=False, nanoseconds=10**12)
    samples = _samples(again.exposition(revision=1, epoch=1, loaded=True, lease_seconds=7.5).decode())

    assert 4 == samples["retinue_verifications_total", ""]
    assert 4 == samples["retinue_decision_duration_seconds_bucket", "+Inf"]
    assert 3 == samples["retinue_decision_duration_seconds_bucket", "8.192e-06"]
    assert 0 == samples["retinue_decision_duration_seconds_bucket", "4.096e-06"]
    assert 2 == samples["retinue_connections", ""]


def test_a_damaged_file_starts_from_zero(tmp_path: Path) -> None:
    """
    A foreign file in the folder is no reason not to start, and is not counted.
    """
    (tmp_path / "worker-0").write_bytes(b"x" * 5000)
    (tmp_path / "other").write_bytes(b"short")
    metrics = Metrics(tmp_path, "worker-0")
    samples = _samples(metrics.exposition(revision=0, epoch=0, loaded=False, lease_seconds=0.0).decode())

    assert (0, 0) == (samples["retinue_verifications_total", ""], samples["retinue_replica_loaded", ""])


def test_the_baseline_is_off_by_default(world: World) -> None:
    """
    /hello exists for measurements alone.
    """
    with running(world, index=5) as node:
        assert 404 == node.get("/hello").status


def test_type_of_a_problem_leads_on_to_the_control_plane(world: World) -> None:
    """
    What a node's problem gives as `type` is a redirect to the page that explains it; nothing else is redirected.
    """
    with running(world, index=5, RETINUE_CONTROL_URL="https://control.example/retinue/") as node:
        there = node.get(node.get("/nowhere").json()["type"] + "?x=https://evil.example")
        others = [node.get(f"/docs/errors/{code}").status for code in ("", "nope", "not_found/", "../x")]

    assert (307, "https://control.example/retinue/docs/errors/not_found") == (
        there.status,
        there.fields["location"],
    )
    assert [404, 404, 404, 400] == others
