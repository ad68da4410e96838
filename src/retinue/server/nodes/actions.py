"""What can be done to nodes: enrol and remove; and what a node does itself: renew its credential, list a key,
lose time.

A renewal may be cut off anywhere. The old credential is accepted until the node has polled with the new
one; asked again with the old one, the new one gets another secret, because nobody has used it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from retinue.replica import clocks
from retinue.replica.clocks import Clock
from retinue.replica.records import Kind
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import writing
from retinue.server.credentials.actions import Issued
from retinue.server.credentials.compile import milliseconds
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.server.nodes.models import IdentityKey, Lease, Node
from retinue.server.nodes.rules import ClockLoss, PollRequest, PublishedKey, is_renewal_due, node_name
from retinue.token import Token

#: A replaced identity key stays listed for so long: longer than any identity that it has signed lives.
KEY_OVERLAP = timedelta(days=1)


def enrol(tx: Transaction, name: str, *, relay: bool = False) -> tuple[Node, Token]:
    """Enrol a node with a credential of its own, bound to its name. Refuses a name that is in use.

    Other nodes may follow a ``relay``. It is told of all nodes, with the digests of their credentials.
    """
    name = node_name(name)
    organization = directory.installation()
    if organization is None:
        raise Refused("state_conflict", "there is no installation yet; run init first")
    directory.Organization.objects.select_for_update(no_key=True).get(
        id=organization.id
    )  # one enrolment at a time
    taken = Node.objects.filter(name=name, state="enrolled").first()
    if taken is not None:
        raise Refused("duplicate_name", f"the node {name!r} is enrolled already: {taken.id}", field="name")
    issued = credentials.issue_for_node(tx, organization, name)
    node = Node.objects.create(
        id=new_id("nod"), name=name, credential=issued.credential, is_relay=relay, created_at=tx.now
    )
    tx.touch(Kind.NODE, issued.credential.id)
    after = {"name": name, "credential": issued.credential.id, "relay": relay}
    tx.record("node.enrolled", node.id, name=name, organization=organization.id, after=after)
    return node, issued.token


def remove(tx: Transaction, node: Node) -> Node:
    """Remove a node: its credential is revoked, its keys leave every list, its polls are refused."""
    node = (
        Node.objects.select_for_update(of=("self",), no_key=True).select_related("credential").get(id=node.id)
    )
    if node.state == "removed":
        return node
    node.state = "removed"
    node.removed_at = tx.now
    node.save()
    for credential in filter(None, (node.credential_id, node.previous_credential_id)):
        credentials.revoke_for_node(tx, credential)
        tx.touch(Kind.NODE, credential)
    for key in _listed(node):
        key.not_after = tx.now
        key.save()
        tx.touch(Kind.IDENTITY_KEY, key.kid)
    tx.record(
        "node.removed",
        node.id,
        name=node.name,
        organization=node.credential.organization_id,
        before={"state": "enrolled", "name": node.name},
        after={"state": "removed"},
    )
    return node


def renew(tx: Transaction, node: Node, presented: str) -> Issued:
    """Issue the credential that follows a node's own; ``presented`` is the id of the one with which it asks.

    Refuses before a third of the life is left, and with a credential that was replaced.
    """
    node = (
        Node.objects.select_for_update(of=("self",), no_key=True).select_related("credential").get(id=node.id)
    )
    if node.state == "enrolled" and presented == node.previous_credential_id:
        return credentials.reissue_for_node(tx, node.credential_id)
    present = node.credential
    if node.state != "enrolled" or presented != present.id:
        raise Refused("state_conflict", "this credential was replaced")
    if not is_renewal_due(milliseconds(present.expires_at), milliseconds(tx.now)):
        raise Refused("state_conflict", "a credential is renewed when a third of its life is left")
    _end_previous(tx, node)
    organization = directory.organization(present.organization_id)
    issued = credentials.issue_for_node(tx, organization, node.name, rotated_from=present.id)
    tx.touch(Kind.NODE, issued.credential.id)
    node.credential, node.previous_credential = issued.credential, present
    node.save()
    return issued


def confirm_renewal(tx: Transaction, node: Node) -> None:
    """The node has used its new credential: the one before ends."""
    node = Node.objects.select_for_update(of=("self",), no_key=True).get(id=node.id)
    if node.previous_credential_id:
        _end_previous(tx, node)
        node.save()


def _end_previous(tx: Transaction, node: Node) -> None:
    if node.previous_credential_id:
        credentials.revoke_for_node(tx, node.previous_credential_id, "superseded")
        tx.touch(Kind.NODE, node.previous_credential_id)
        node.previous_credential = None


def publish_key(tx: Transaction, node: Node, published: PublishedKey) -> None:
    """List the key with which a node signs from now on; the one before stays listed for a day.

    Refuses a key id that stands for another key: a signature must name exactly one.
    """
    Node.objects.select_for_update(no_key=True).get(id=node.id)  # one publisher at a time
    present = IdentityKey.objects.filter(kid=published.kid).first()
    if present is not None and (present.node_id, present.x) != (node.id, published.x):
        raise Refused("state_conflict", "this key id stands for another key", field="identity_key.kid")
    if present is not None and present.not_after is None:
        return
    for old in _listed(node):
        old.not_after = tx.now + KEY_OVERLAP
        old.save()
        tx.touch(Kind.IDENTITY_KEY, old.kid)
    IdentityKey.objects.update_or_create(
        kid=published.kid,
        defaults={"node": node, "x": published.x, "not_after": None},
        create_defaults={"node": node, "x": published.x, "created_at": tx.now},
    )
    tx.record(
        "node.key_published",
        published.kid,
        name=node.name,
        organization=node.credential.organization_id,
        after={"node": node.name, "x": published.x},
    )
    tx.touch(Kind.IDENTITY_KEY, published.kid)


def has_clock_news(clock: Clock, request: PollRequest) -> bool:
    """Tell whether something about a node's clock must come on record."""
    return clock.is_told != clock.is_slow or bool(_new_losses(clock, request))


def tell_clock_news(tx: Transaction, node: Node, request: PollRequest) -> None:
    """Record once that a node's clock was found slow, or right again, and the losses that it tells of."""
    row = Lease.objects.select_for_update(no_key=True).get(node=node, incarnation=request.incarnation)
    clock = clocks.load(row.clock)
    organization = node.credential.organization_id
    told = {"ratio": None if clock.ratio is None else round(clock.ratio, 4)}
    if clock.is_told != clock.is_slow:
        event = "node.clock_refused" if clock.is_slow else "node.clock_accepted"
        tx.record(event, node.id, name=node.name, organization=organization, after=told)
    losses = _new_losses(clock, request)
    if losses:
        after = {
            "lost_ms": sum(each.lost_ms for each in losses),
            "since": _instant(min(each.since for each in losses)),
            "until": _instant(max(each.until for each in losses)),
        }
        tx.record("node.clock_loss", node.id, name=node.name, organization=organization, after=after)
    row.clock = clocks.dump(
        msgspec.structs.replace(
            clock,
            is_told=clock.is_slow,
            losses=clock.losses + len(losses),
            lost_until_ms=max([clock.lost_until_ms, *(each.until for each in losses)]),
        )
    )
    row.save(update_fields=["clock"])


def _instant(at_ms: int) -> str | None:
    return writing.text(datetime.fromtimestamp(at_ms / 1e3, UTC))


def _new_losses(clock: Clock, request: PollRequest) -> list[ClockLoss]:
    return [each for each in request.losses if each.until > clock.lost_until_ms]


def _listed(node: Node) -> list[IdentityKey]:
    return list(IdentityKey.objects.select_for_update(no_key=True).filter(node=node, not_after__isnull=True))
