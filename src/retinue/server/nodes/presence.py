"""What a node says beside what it has applied: its name, that it relays, its key, its credential, and
how it is.
"""

from __future__ import annotations

import msgspec
from django.utils import timezone

from retinue.server.errors import Refused
from retinue.server.ledger.relaxed import relaxed
from retinue.server.ledger.transaction import Actor, one_writer, transaction
from retinue.server.nodes import actions, probing
from retinue.server.nodes.about import NodeReport, check_about
from retinue.server.nodes.models import IdentityKey, Node, NodeAbout
from retinue.server.nodes.rules import (
    Announcement,
    PublishedKey,
    check_incarnation,
    check_key,
    check_probes,
)

__all__ = ["Announcement", "announce", "check_name", "check_relay", "confirm_renewal", "publish"]


def check_name(node: Node, name: str) -> None:
    """Refuse a node that names itself as another than its credential does; it may name none."""
    if name and name != node.name:
        raise Refused("caller_forbidden", f"this credential is bound to the node {node.name}", field="node")


def check_relay(node: Node, relay: bool) -> None:
    """Refuse a node that speaks as if it were a relay."""
    if relay and not node.is_relay:
        raise Refused("caller_forbidden", f"{node.name} may not relay; enrol it with --relay", field="relay")


def announce(node: Node, said: Announcement, actor: Actor) -> None:
    """Hear a node by its own word, whether or not its polls come here: list its key, take what it found of
    probes, keep how it is, and see that it uses its present credential.

    Raises :class:`Refused`: ``caller_forbidden`` (the credential is another node's), ``invalid_value``.
    """
    check_name(node, said.node)
    if said.identity_key is not None:
        check_key(said.identity_key)
    check_probes(said.probes)
    if said.about is not None:
        check_about(said.about)
    if said.probes:
        check_incarnation("incarnation", said.incarnation)
        probing.take(node, said.incarnation, said.probes)
    if said.about is not None:
        _keep(node, said.about)
    if said.identity_key is not None:
        publish(node, said.identity_key, actor)
    confirm_renewal(node, actor)


def _keep(node: Node, about: NodeReport) -> None:
    """Keep what a node says of itself instead of what it said before: a row a node, in one statement."""
    told = {"told_at": timezone.now(), **msgspec.structs.asdict(about)}
    # After whoever changes something, and without the disk: it is told again in a minute.
    with one_writer(last=True), relaxed():
        NodeAbout.objects.bulk_create(
            [NodeAbout(node=node, **told)],
            update_conflicts=True,
            unique_fields=["node"],
            update_fields=list(told),
        )


def confirm_renewal(node: Node, actor: Actor) -> None:
    """See that a node uses its present credential: the one before ends."""
    if node.previous_credential_id and actor.credential == node.credential_id:
        with transaction(actor) as tx:
            actions.confirm_renewal(tx, node)


def publish(node: Node, key: PublishedKey, actor: Actor) -> None:
    """List a key that is not listed yet. A look first: the door is opened only to write."""
    listed = IdentityKey.objects.filter(kid=key.kid, node=node, x=key.x, not_after__isnull=True)
    if listed.exists():
        return
    with transaction(actor) as tx:
        actions.publish_key(tx, node, key)
