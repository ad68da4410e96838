"""Nodes: list, get, enrol, remove; and the keys with which they sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Access, Call, operation
from retinue.server.ledger.transaction import transaction
from retinue.server.nodes import actions, queries
from retinue.server.nodes.queries import NodeView
from retinue.server.traffic import queries as traffic

TAG = "nodes"
LIST, ONE = "/nodes", "/nodes/{node_id}"


class Applied(schemas.Answer):
    """How far a replica has applied."""

    epoch: int
    revision: int


class Clock(schemas.Answer):
    """A node's clock beside the control plane's. A `slow` one gets no lease, so the node decides nothing."""

    state: Literal["ok", "slow", "unknown"]
    ratio: float | None = Field(description="How fast it runs: 1 keeps pace.")
    wall_ahead_seconds: float | None
    losses: int = Field(description="How often the node found that its machine had stood still.")


class Verification(schemas.Answer):
    """How long a node's decisions took lately. Without any there is neither `p50_us` nor `p99_us`."""

    decisions: int = Field(description="How many it made in that time.")
    window_seconds: int = Field(description="Over how much time, until it told.")
    p50_us: float | None = Field(description="Half took no longer, in microseconds.")
    p99_us: float | None = Field(description="All but one in a hundred took no longer, in microseconds.")


class About(schemas.Answer):
    """What a node says of itself each minute. Durations are estimates from its histogram."""

    told_at: str
    version: str = Field(description="The version of Retinue that it runs.")
    credentials: int = Field(description="How many credentials its replica holds.")
    verification: Verification


class Node(schemas.Answer):
    """A node, and what it has acknowledged."""

    id: str
    name: str
    state: Literal["enrolled", "removed"]
    created_at: str
    connected: bool
    incarnation: str | None
    applied: Applied
    lag: int
    last_contact_at: str | None
    lease_remaining_seconds: float = Field(description="How long it goes on deciding unheard, at most.")
    stale_seconds: float = Field(description="How long it was without a lease, all in all.")
    clock: Clock
    waits: int = Field(description="How many changes had to wait for it.")
    last_wait_at: str | None
    relay: bool = Field(description="Whether other nodes may follow it.")
    parent: str | None = Field(description="The relay that it follows, if not the control plane.")
    requests_missing: int = Field(description="Entries of its request log that never arrived.")
    about: About | None = Field(description="What it says of itself; null if its version tells nothing.")


class NodeList(schemas.Answer):
    """A page of nodes."""

    items: list[Node]
    next: str | None


class EnrolNode(schemas.WithReason):
    """A node to enrol."""

    name: str
    relay: bool = Field(False, description="Whether other nodes may follow it.")


class EnrolledNode(schemas.Answer):
    """A node with its token, which is shown here and never again."""

    node: Node
    token: str


class RenewedCredential(schemas.Answer):
    """A node's new token, which is shown here and never again."""

    token: str
    expires_at: str


class IdentityKey(schemas.Answer):
    """A public key as a JSON Web Key."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    kid: str
    x: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class IdentityKeys(schemas.Answer):
    """A JSON Web Key Set."""

    keys: list[IdentityKey]


@operation("GET", LIST, permission="node:read", response=NodeList, tag=TAG)
def list_nodes(call: Call, query: schemas.ListQuery) -> schemas.JSON:
    """List the enrolled nodes and how far each has applied."""
    rows, following = page(
        queries.nodes(), Listing("nodes", "", {}, ("name", "id")), cursor=query.cursor, limit=query.limit
    )
    return {"items": _nodes(rows), "next": following}


@operation("POST", LIST, permission="node:enrol", response=EnrolledNode, status=201, tag=TAG)
def enrol_node(call: Call, body: EnrolNode) -> schemas.JSON:
    """Enrol a node. Its token stands in this answer and nowhere else."""
    node, token = actions.enrol(call.tx, body.name, relay=body.relay)
    call.credential = node.credential_id
    return {"node": _nodes([node])[0], "token": token.reveal()}


@operation("GET", ONE, permission="node:read", response=Node, tag=TAG)
def get_node(call: Call, node_id: str) -> schemas.JSON:
    """Get a node."""
    return _nodes([queries.node(node_id)])[0]


@operation("DELETE", ONE, permission="node:remove", response=Node, tag=TAG, reduces=True)
def remove_node(call: Call, node_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Remove a node: its credential is revoked, its polls are refused."""
    return _nodes([actions.remove(call.tx, queries.node(node_id))])[0]


@operation(
    "POST",
    "/nodes/self/credential",
    permission=Access.NODE,
    response=RenewedCredential,
    tag=TAG,
    changes=False,
)
def renew_credential(call: Call) -> schemas.JSON:
    """Renew the credential of the node that calls, when a third of its life is left.

    The old one is accepted until the node has polled with the new one. A lost answer is asked for again.
    """
    with transaction(call.actor) as tx:
        issued = actions.renew(tx, call.own_node, call.actor.credential)
    return {"token": issued.token.reveal(), "expires_at": instant(issued.credential.expires_at)}


@operation("GET", "/identity-keys", permission=Access.PUBLIC, response=IdentityKeys, tag=TAG)
def list_identity_keys(call: Call) -> schemas.JSON:
    """List the public keys that verify `Retinue-Identity`."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "x": key.x, "use": "sig", "alg": "EdDSA"}
            for key in queries.identity_keys()
        ]
    }


def _nodes(rows: Sequence[queries.Node]) -> list[schemas.JSON]:
    missing = traffic.missing(row.name for row in rows)
    return [_node(view, missing.get(view.node.name, 0)) for view in queries.views(rows)]


def _node(view: NodeView, requests_missing: int) -> schemas.JSON:
    return {
        "id": view.node.id,
        "name": view.node.name,
        "state": view.node.state,
        "created_at": instant(view.node.created_at),
        "connected": view.connected,
        "incarnation": view.incarnation or None,
        "applied": {"epoch": view.epoch, "revision": view.revision},
        "lag": view.lag,
        "last_contact_at": instant(view.last_contact_at),
        "lease_remaining_seconds": round(view.lease_seconds, 3),
        "stale_seconds": round(view.stale_seconds, 3),
        "clock": _clock(view.clock),
        "waits": view.waits,
        "last_wait_at": instant(view.waited_at),
        "relay": view.node.is_relay,
        "parent": view.parent,
        "requests_missing": requests_missing,
        "about": _about(view.about),
    }


def _about(about: queries.NodeAbout | None) -> schemas.JSON | None:
    if about is None:
        return None
    return {
        "told_at": instant(about.told_at),
        "version": about.version,
        "credentials": about.credentials,
        "verification": {
            "decisions": about.decisions,
            "window_seconds": about.window_seconds,
            "p50_us": None if about.p50_ns is None else about.p50_ns / 1e3,
            "p99_us": None if about.p99_ns is None else about.p99_ns / 1e3,
        },
    }


def _clock(clock: queries.Clock) -> schemas.JSON:
    return {
        "state": clock.state,
        "ratio": None if clock.ratio is None else round(clock.ratio, 5),
        "wall_ahead_seconds": None if clock.ahead_ms is None else clock.ahead_ms / 1e3,
        "losses": clock.losses,
    }
