"""Nodes, and the feed that they follow."""

import base64
from typing import Any

import msgspec
from ninja import Query

from retinue.server.api import schemas
from retinue.server.api.answers import instant, json_answer
from retinue.server.api.cursors import page
from retinue.server.api.operations import Access, Call, operation
from retinue.server.errors import Refused
from retinue.server.ledger import queries as ledger
from retinue.server.nodes import actions, feed, queries
from retinue.server.nodes.queries import NodeView
from retinue.server.traffic.actions import Entry, ingest


class CreateNode(schemas.Body):
    """A node to enrol."""

    name: str


class Applied(schemas.Answer):
    """How far a replica has applied."""

    epoch: int
    revision: int


class Node(schemas.Answer):
    """A node, and what it has acknowledged."""

    id: str
    name: str
    state: str
    created_at: str
    connected: bool
    incarnation: str
    applied: Applied
    lag: int
    last_contact_at: str | None


class NodeList(schemas.Answer):
    """A page of nodes."""

    items: list[Node]
    next: str | None


class EnrolledNode(schemas.Answer):
    """A node with its token, which is shown here and never again."""

    node: Node
    token: str


class SnapshotQuery(schemas.Schema):
    """Where a snapshot goes on."""

    after: str | None = None
    revision: int | None = None


def _node(view: NodeView) -> schemas.JSON:
    return {
        "id": view.node.id,
        "name": view.node.name,
        "state": view.node.state,
        "created_at": instant(view.node.created_at),
        "connected": view.connected,
        "incarnation": view.incarnation,
        "applied": {"epoch": view.epoch, "revision": view.revision},
        "lag": view.lag,
        "last_contact_at": instant(view.last_contact_at),
    }


@operation("GET", "/nodes", permission="node:read", response=NodeList, tag="nodes")
def list_nodes(call: Call, query: Query[schemas.ListQuery]) -> schemas.JSON:
    """List the enrolled nodes and how far each has applied."""
    rows, following = page(
        queries.nodes(), order=("name", "id"), bound_to="nodes", cursor=query.cursor, limit=query.limit
    )
    return {"items": [_node(view) for view in queries.views(rows)], "next": following}


@operation("POST", "/nodes", permission="node:enrol", response=EnrolledNode, status=201, tag="nodes")
def enrol_node(call: Call, body: CreateNode) -> schemas.JSON:
    """Enrol a node. Its token stands in this answer and nowhere else."""
    node, token = actions.enrol(call.tx, body.name)
    call.credential = node.credential_id
    return {"node": _node(queries.views([node])[0]), "token": token.reveal()}


@operation("GET", "/nodes/{node_id}", permission="node:read", response=Node, tag="nodes")
def get_node(call: Call, node_id: str) -> schemas.JSON:
    """Get a node."""
    return _node(queries.views([queries.node(node_id)])[0])


@operation("DELETE", "/nodes/{node_id}", permission="node:remove", response=Node, tag="nodes")
def remove_node(call: Call, node_id: str) -> schemas.JSON:
    """Remove a node: its credential is revoked, its polls are refused."""
    return _node(queries.views([actions.remove(call.tx, queries.node(node_id))])[0])


@operation("GET", "/identity-keys", permission=Access.PUBLIC, response=schemas.AnyAnswer, tag="nodes")
def list_identity_keys(call: Call) -> schemas.JSON:
    """List the public keys that verify `Retinue-Identity` (a JSON Web Key Set)."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "x": key.x, "use": "sig", "alg": "EdDSA"}
            for key in queries.identity_keys()
        ]
    }


def _read(call: Call, kind: Any) -> Any:
    try:
        return msgspec.json.decode(call.request.body, type=kind)
    except msgspec.ValidationError as error:
        raise Refused("invalid_value", str(error)) from None
    except msgspec.DecodeError as error:
        raise Refused("bad_json", str(error)) from None


@operation(
    "POST", "/feed/poll", permission=Access.NODE, response=schemas.AnyAnswer, tag="feed", changes=False
)
def poll_feed(call: Call) -> Any:
    """Acknowledge what is applied and fetch what has changed; held while there is nothing new."""
    assert call.node is not None
    return json_answer(feed.poll(call.node, _read(call, feed.PollRequest)))


@operation("GET", "/feed/snapshot", permission=Access.NODE, response=schemas.AnyAnswer, tag="feed")
def get_snapshot(call: Call, query: Query[SnapshotQuery]) -> Any:
    """Fetch a page of all records, in key order."""
    found = feed.snapshot(query.after)
    lines = [
        {
            "revision": line.revision,
            "kind": line.kind.value,
            "key": line.key,
            "value": base64.b64encode(line.value or b"").decode(),
        }
        for line in found.changes
    ]
    return json_answer({"epoch": found.epoch, "head": found.head, "changes": lines, "next": found.next})


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of the request log, as a node ships it."""

    node: str
    spool: str
    first: int
    records: list[Entry]


@operation(
    "POST", "/feed/requests", permission=Access.NODE, response=schemas.AnyAnswer, tag="feed", changes=False
)
def ship_requests(call: Call) -> Any:
    """Store a batch of decisions, exactly once."""
    assert call.node is not None
    batch = _read(call, Batch)
    if batch.node != call.node.name:
        raise Refused(
            "caller_forbidden", f"this credential is bound to the node {call.node.name}", field="node"
        )
    return json_answer({"next": ingest(batch.node, batch.spool, batch.first, batch.records)})


def head() -> tuple[int, int]:
    """Return (epoch, revision), for readiness."""
    return ledger.head()
