"""What can be done to nodes: enrol, remove, publish an identity key."""

from __future__ import annotations

import re
from datetime import timedelta

from retinue.replica.records import Kind
from retinue.server.credentials import actions as credentials
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.server.nodes.models import IdentityKey, Node
from retinue.token import Token

#: An old identity key stays listed so long after a new one has arrived.
KEY_OVERLAP = timedelta(days=1)


def enrol(tx: Transaction, name: str) -> tuple[Node, Token]:
    """Enrol a node under ``name`` and issue its credential. Refuses a name that an enrolled node has."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", name, re.ASCII):
        raise Refused(
            "invalid_value", "1 to 63 characters of a-z, 0-9 and dash, no dash at the ends", field="name"
        )
    home = directory.installation()
    if home is None:
        raise Refused("state_conflict", "there is no installation yet")
    directory.Organization.objects.select_for_update().get(id=home.id)
    if Node.objects.filter(name=name, state="enrolled").exists():
        raise Refused("duplicate_name", f"a node {name!r} is enrolled already; remove it first", field="name")
    credential, token = credentials.issue_for_node(tx, home, name)
    node = Node.objects.create(id=new_id("nod"), name=name, credential=credential, created_at=tx.now)
    tx.record(
        "node.enrolled", node.id, organization=home.id, after={"node": name, "credential": credential.id}
    )
    return node, token


def remove(tx: Transaction, node: Node) -> Node:
    """Remove a node: its credential is revoked, its polls are refused, its identity keys end."""
    if node.state == "removed":
        return node
    home = directory.installation()
    node.state = "removed"
    node.removed_at = tx.now
    node.save()
    credentials.revoke_for_node(tx, node.credential_id)
    for key in IdentityKey.objects.filter(node=node, not_after__isnull=True):
        key.not_after = tx.now
        key.save()
        tx.touch(Kind.IDENTITY_KEY, key.kid)
    tx.record(
        "node.removed", node.id, organization="" if home is None else home.id, before={"node": node.name}
    )
    return node


def publish_key(tx: Transaction, node: Node, kid: str, x: str) -> None:
    """Make a node's new identity key known everywhere; the previous one stays for a day."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", kid) or not re.fullmatch(r"[A-Za-z0-9_-]{43}", x):
        raise Refused("invalid_value", "kid: 1 to 64, x: 43 base64url characters", field="identity_key")
    for old in IdentityKey.objects.filter(node=node, not_after__isnull=True):
        old.not_after = tx.now + KEY_OVERLAP
        old.save()
        tx.touch(Kind.IDENTITY_KEY, old.kid)
    IdentityKey.objects.create(kid=kid, node=node, x=x, created_at=tx.now)
    home = directory.installation()
    tx.record(
        "node.key_published", kid, organization="" if home is None else home.id, after={"node": node.name}
    )
    tx.touch(Kind.IDENTITY_KEY, kid)


def is_published(node: Node, kid: str) -> bool:
    """Tell whether this key of the node is known already. Refuses another node's key id."""
    found = IdentityKey.objects.filter(kid=kid).first()
    if found is not None and found.node_id != node.id:
        raise Refused("invalid_value", "this key id belongs to another node", field="identity_key.kid")
    return found is not None
