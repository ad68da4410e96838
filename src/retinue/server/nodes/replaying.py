"""Does again what a node saw and the database lost: takes away what our record gives more than the node's.

A node can only take away here, never give: what its record has and ours has not is reported, and stays
unknown. What cannot be said in rows ends the credential or disables the account: it fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from retinue.replica.records import TYPES, Kind, Record
from retinue.server.access import catalogue_actions
from retinue.server.access import replaying as access
from retinue.server.credentials import ending
from retinue.server.credentials import replaying as credentials
from retinue.server.credentials.compile import ACCEPTED, REPLICATED
from retinue.server.directory import actions as directory
from retinue.server.directory import organizations
from retinue.server.directory import queries as people
from retinue.server.ledger.transaction import Transaction
from retinue.server.nodes import actions
from retinue.server.nodes.compile import Compiler
from retinue.server.nodes.losses import excess
from retinue.server.nodes.models import IdentityKey, Lost, Node
from retinue.token import Kind as TokenKind

#: Names of things: nobody gets access by them alone.
HARMLESS = frozenset({Kind.ORGANIZATION_HANDLE, Kind.LOOKUP, Kind.SCHEMES, Kind.NODE})
#: What others get something from comes before them: they are not ended for what they do not give any more.
FIRST = Kind.PERMISSION
_EVERY = tuple(kind.value for kind in TokenKind)


@dataclass(frozen=True, slots=True)
class Case:
    """One object: the record that we give, and the one that a node has."""

    tx: Transaction
    lost: Lost
    kind: Kind
    ours: Any
    theirs: Any
    gained: Sequence[str]

    @property
    def why(self) -> str:
        """What the reason of an event says."""
        lost = self.lost
        return f"lost by a restore: epoch {lost.old_epoch}, revision {lost.old_revision}, on node {lost.node}"


Act = Callable[[Case], list[str]]


def replay(tx: Transaction, lost: Lost) -> None:
    """Look after one lost change and write down its outcome.

    ``nothing``: we give no more than the node knew. ``replayed``: what was lost is taken away again.
    ``closed``: it could not be said, so the object was ended or disabled. ``unknown``: the database does not
    know the object. ``open``: we still give more.
    """
    kind = Kind(lost.kind)
    theirs = None if lost.value is None else msgspec.msgpack.decode(bytes(lost.value), type=TYPES[kind])
    ours = _ours(kind, lost.key, theirs)
    lost.organization = getattr(theirs or ours, "organization", "")
    lost.subject = getattr(theirs or ours, "id", lost.key)
    lost.outcome, lost.told = "nothing", []
    if ours is None:
        if theirs is not None:
            _tell_unknown(tx, lost, kind, theirs)
    elif lost.reduces and not _is_harmless(kind, lost.key):
        gained = excess(kind, ours, theirs)
        if gained:
            _take(Case(tx, lost, kind, ours, theirs, gained))
    lost.save()


def _ours(kind: Kind, key: str, theirs: Record | None) -> Record | None:
    """Return our record; of a credential that is gone on the node, also one that no node has."""
    kinds = REPLICATED if theirs is not None else (*ACCEPTED, *_EVERY)
    value = Compiler(kinds=kinds).compile([(kind, key)])[kind, key]
    return None if value is None else msgspec.msgpack.decode(value, type=TYPES[kind])


def _is_harmless(kind: Kind, key: str) -> bool:
    """A permission that the host's own file declares is there as long as the file says so."""
    return kind in HARMLESS or (kind is Kind.PERMISSION and not catalogue_actions.is_imported(key))


def _tell_unknown(tx: Transaction, lost: Lost, kind: Kind, theirs: Any) -> None:
    lost.outcome, lost.told = "unknown", [getattr(theirs, "state", "")]
    if kind is not Kind.CREDENTIAL:
        return
    organization = people.Organization.objects.filter(id=theirs.organization).exists()
    tx.record(
        "credential.lost",
        theirs.id,
        name=f"{theirs.principal}/{theirs.id}",
        organization=theirs.organization if organization else "",
        after={"kind": theirs.kind, "principal": theirs.principal, "state": theirs.state, "node": lost.node},
    )


def _take(case: Case) -> None:
    lost = case.lost
    take, close = _ACTS.get(case.kind, (None, None))
    lost.told = [] if take is None else take(case)
    lost.outcome = "replayed"
    left = _left(case)
    if left and close is not None:
        lost.told += close(case)
        lost.outcome = "closed"
        left = _left(case)
    if left:
        lost.outcome = "open"
        lost.told.append(f"gives more: {', '.join(left)}")


def _left(case: Case) -> list[str]:
    """Return what our record gives more even now. What has ended, or is disabled, gives nobody anything."""
    ours = _ours(case.kind, case.lost.key, case.theirs)
    if getattr(ours, "state", "enabled") not in ("active", "enabled"):
        return []
    return excess(case.kind, ours, case.theirs)


def _take_credential(case: Case) -> list[str]:
    key = credentials.find(case.lost.key)
    if key is None:
        return []
    if case.theirs is None:
        node = Node.objects.filter(credential=key, state="enrolled").first()
        if node is not None:
            actions.remove(case.tx, node)
            return ["node removed"]
        return credentials.end(case.tx, key, case.why)
    if "state" in case.gained and case.theirs.state == "suspended":
        return credentials.suspend(case.tx, key)
    if "state" in case.gained:
        return credentials.end(case.tx, key, case.why, is_deleted=case.theirs.state == "deleted")
    return credentials.shorten(case.tx, key, case.theirs)


def _close_credential(case: Case) -> list[str]:
    key = credentials.find(case.lost.key)
    return [] if key is None else credentials.end(case.tx, key, case.why)


def _take_principal(case: Case) -> list[str]:
    principal = people.principals([case.lost.key]).get(case.lost.key)
    if principal is None or case.theirs is None:
        return []
    done = []
    if {"holders", "timed"} & set(case.gained):
        done += access.keep_holders(case.tx, principal, case.ours, case.theirs)
    if {"permissions", "scoped"} & set(case.gained):
        done += access.keep_grants(case.tx, principal, case.theirs)
    if "state" not in case.gained:
        return done
    if case.theirs.state == "deleted":
        ending.delete_account(case.tx, principal, case.why)
        return [*done, "deleted"]
    directory.disable(case.tx, principal, case.why)
    return [*done, "disabled"]


def _close_principal(case: Case) -> list[str]:
    principal = people.principals([case.lost.key]).get(case.lost.key)
    if principal is None:
        return []
    directory.disable(case.tx, principal, case.why)
    return ["disabled"]


def _take_organization(case: Case) -> list[str]:
    if case.theirs is None or case.theirs.state != "deleted":
        return []
    organizations.delete(case.tx, people.organization(case.lost.key), case.why)
    return ["deleted"]


def _close_organization(case: Case) -> list[str]:
    """A policy cannot be put together from a record. Refuses for that of the installation."""
    organizations.disable(case.tx, people.organization(case.lost.key), case.why)
    return ["disabled"]


def _close_holder(case: Case) -> list[str]:
    return access.end_holder(case.tx, case.lost.key)


def _take_identity_key(case: Case) -> list[str]:
    key = (
        IdentityKey.objects.select_for_update(no_key=True)
        .filter(kid=case.lost.key)
        .select_related("node")
        .first()
    )
    if key is None or key.not_after is not None:
        return []
    home = people.installation()
    key.not_after = case.tx.now
    key.save()
    case.tx.record(
        "node.key_withdrawn",
        key.kid,
        name=key.node.name,
        organization="" if home is None else home.id,
        after={"node": key.node.name},
    )
    case.tx.touch(Kind.IDENTITY_KEY, key.kid)
    return ["ended"]


def _take_resource(case: Case) -> list[str]:
    kept = () if case.theirs is None else case.theirs.teams
    return access.keep_teams(case.tx, case.lost.key, kept)


def _take_permission(case: Case) -> list[str]:
    if case.theirs is not None:
        return []
    catalogue_actions.withdraw(case.tx, case.lost.key)
    return ["withdrawn"]


_ACTS: dict[Kind, tuple[Act | None, Act | None]] = {
    Kind.CREDENTIAL: (_take_credential, _close_credential),
    Kind.PRINCIPAL: (_take_principal, _close_principal),
    Kind.ORGANIZATION: (_take_organization, _close_organization),
    Kind.IDENTITY_KEY: (_take_identity_key, None),
    Kind.HOLDER: (None, _close_holder),
    Kind.RESOURCE: (_take_resource, None),
    Kind.PERMISSION: (_take_permission, None),
}
