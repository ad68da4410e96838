"""Says which records of nodes change with a role, group, team, access policy or grant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from retinue.replica.records import Kind
from retinue.server.access import loading
from retinue.server.access.models import RoleAssignment
from retinue.server.access.paths import Rule
from retinue.server.ledger.transaction import Transaction

_PRINCIPALS = ("usr_", "sa_")
#: Ids in one statement.
_AT_ONCE = 500


def is_principal(subject: str) -> bool:
    """Tell whether an id is that of a user or service account."""
    return subject.startswith(_PRINCIPALS)


def subject(tx: Transaction, organization: str, ident: str) -> None:
    """Touch what a principal, role, group, team or access policy with other permissions changes."""
    if is_principal(ident):
        tx.touch(Kind.PRINCIPAL, ident)
        return
    holder(tx, organization, [ident])


def holder(tx: Transaction, organization: str, idents: Iterable[str]) -> None:
    """Touch the records of these holders and of all that carry them; never one for each member."""
    holders(tx, {organization: idents})


def holders(tx: Transaction, wanted: Mapping[str, Iterable[str]]) -> None:
    """Do what :func:`holder` does for the holders of each organization, without a statement for each."""
    every = {organization: set(idents) for organization, idents in wanted.items()}
    roles = [ident for idents in every.values() for ident in idents if ident.startswith("rol_")]
    carriers: dict[str, set[str]] = defaultdict(set)
    for at in range(0, len(roles), _AT_ONCE):
        rows = RoleAssignment.objects.filter(role_id__in=roles[at : at + _AT_ONCE])
        for role, ident in rows.values_list("role_id", "subject"):
            carriers[role].add(ident)
    for organization, idents in every.items():
        carried: set[str] = set().union(*(carriers[ident] for ident in idents if ident in carriers))
        _touch(tx, organization, idents | {ident for ident in carried if not is_principal(ident)})


def _touch(tx: Transaction, organization: str, wanted: set[str]) -> None:
    policies = [ident for ident in wanted if ident.startswith("acp_")]
    if policies:
        wanted |= taken_in_groups(organization, policies)
    for ident in sorted(wanted):
        tx.touch(Kind.HOLDER, ident)
    # What everybody of a kind holds stands in the organization's record.
    if any(not ident.startswith("rol_") for ident in wanted):
        tx.touch(Kind.ORGANIZATION, organization)


def taken_in_groups(organization: str, policies: Iterable[str]) -> set[str]:
    """Return the ids of the groups and teams that any of these access policies takes in."""
    rules = [rule for rule in loading.rules_of([organization]) if rule.id in set(policies)]
    return {
        group.id
        for group in loading.groups_of(organization)
        if any(rule.takes_in(group.subject) for rule in rules)
    }


def moved_principals(tx: Transaction, before: Rule | None, after: Rule | None) -> None:
    """Touch the principals that a rule takes in no longer, or only now."""
    some = after or before
    if some is None:
        return
    for who in loading.subjects_of(some.organization):
        was, is_ = (
            rule is not None and who.kind not in rule.kinds and rule.takes_in(who) for rule in (before, after)
        )
        if was != is_:
            tx.touch(Kind.PRINCIPAL, who.id)


def resource(tx: Transaction, key: str) -> None:
    """Touch the record of a resource of a team, ``organization/resource``."""
    tx.touch(Kind.RESOURCE, key)
