"""Probes: the self-test that a revoked key is refused on every node."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from retinue.server.api import limits, schemas
from retinue.server.api.answers import instant
from retinue.server.api.operations import Call, operation
from retinue.server.errors import Refused
from retinue.server.nodes import freshness, probing
from retinue.server.nodes.probing import ProbeView
from retinue.server.nodes.settling import bound_ns

TAG = "nodes"
#: On top of the longest receipt: issue, verifying, and the reports.
_MORE_SECONDS = 10.0


class NewProbe(schemas.WithReason):
    """A probe to run."""


class ProbedNode(schemas.Answer):
    """What a node found: times are those of the control plane, as far as the node knows it."""

    node: str
    incarnation: str
    allowed_ms: float | None = Field(description="From the issue of the canary to its first acceptance.")
    refused_ms: float | None = Field(description="From the revoke of the canary to its first refusal.")
    reason: str
    stale: bool = Field(description="It accepted the canary after the receipt: the promise was broken.")


class Probe(schemas.Answer):
    """A canary key that was issued, verified on every node, revoked, and verified again."""

    id: str
    state: Literal["started", "revoked", "done", "failed"]
    good: bool = Field(description="Done, reported by every connected node, and accepted by none too late.")
    started_at: str
    revoked_at: str | None
    completed_at: str | None
    receipt: str | None
    nodes: list[ProbedNode]
    missing: list[str] = Field(description="Connected nodes that have not reported.")


@operation("POST", "/probes", permission="node:enrol", response=Probe, status=201, tag=TAG, changes=False)
def create_probe(call: Call, body: NewProbe) -> schemas.JSON:
    """Issue a canary key, let every node verify it, revoke it, and tell when each node refused it."""
    longest = bound_ns(freshness.longest_seconds()) / 1e9
    with limits.WAITING_CHANGES.take(call.actor.id) as has_place:
        if not has_place:
            raise Refused("rate_limited", "too many calls wait for nodes; try again")
        limits.allow(call.request, longest + _MORE_SECONDS)
        found = probing.run(actor=call.actor, reason=body.why)
    if found is None:
        raise RuntimeError("a probe that is asked for always runs")
    return _render(found)


@operation("GET", "/probes/{probe_id}", permission="node:read", response=Probe, tag=TAG)
def get_probe(call: Call, probe_id: str) -> schemas.JSON:
    """Get a probe; a node that was cut off reports later."""
    return _render(probing.view(probing.get(probe_id)))


def _render(view: ProbeView) -> schemas.JSON:
    probe = view.probe
    return {
        "id": probe.id,
        "state": probe.state,
        "good": view.is_good,
        "started_at": instant(probe.started_at),
        "revoked_at": instant(probe.revoked_at),
        "completed_at": instant(probe.completed_at),
        "receipt": probe.receipt or None,
        "missing": view.missing,
        "nodes": [
            {
                "node": result.node.name,
                "incarnation": result.incarnation,
                "allowed_ms": _since(probe.started_at, result.allowed_at),
                "refused_ms": _since(probe.revoked_at, result.refused_at),
                "reason": result.reason,
                "stale": result.is_stale,
            }
            for result in view.results
        ],
    }


def _since(began: datetime | None, at: datetime | None) -> float | None:
    """Return ms between two instants; the later one may be known too early by what an answer took."""
    return None if began is None or at is None else max((at - began).total_seconds() * 1e3, 0.0)
