"""Reads of access: the catalogue, and what principals effectively hold, with where it comes from."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from retinue.server.access import loading, rules
from retinue.server.access.conditions import Subject, texts
from retinue.server.access.models import (
    AccessPolicy,
    Grant,
    Group,
    Membership,
    Permission,
    Role,
    RoleAssignment,
)
from retinue.server.access.paths import Facts, Link, Part, Rule
from retinue.server.directory.queries import Principal
from retinue.server.errors import NotFound
from retinue.server.policies import remembering
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of
from retinue.server.prepared import Prepared

__all__ = [
    "AccessPolicy",
    "Grant",
    "Group",
    "Link",
    "Membership",
    "Part",
    "Role",
    "RoleAssignment",
    "assigned",
    "catalogue",
    "effective",
    "grant",
    "granted",
    "grants",
    "holders_of",
    "holdings",
    "in_force",
    "paths_of",
    "roles_of",
    "sources",
]


_CATALOGUE = Prepared(lambda: Permission.objects.filter(is_withdrawn=False).values_list("name", "index"))


def in_force(now: datetime | None = None) -> Q:
    """Return the condition of what was handed out, has not ended and waits for nobody."""
    at = now or datetime.now(UTC)
    return Q(is_pending=False) & (Q(expires_at__isnull=True) | Q(expires_at__gt=at))


def catalogue() -> dict[str, int]:
    """Return every permission that is declared now, with its index."""
    return dict(remembering.once("catalogue", lambda: dict(_CATALOGUE.all())))


def roles_of(subject_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the handles of the roles that each subject holds itself now, sorted."""
    return remembering.by_id("roles of", subject_ids, _roles_of)


def _roles_of(subject_ids: list[str]) -> dict[str, list[str]]:
    known = _known_facts((), subject_ids)
    if known is not None:
        return {ident: _handles(known, ident) for ident in subject_ids}
    found: dict[str, list[str]] = {ident: [] for ident in subject_ids}
    rows = RoleAssignment.objects.filter(in_force(), subject__in=list(found), role__deleted_at__isnull=True)
    for subject, handle in rows.order_by("role__handle").values_list("subject", "role__handle"):
        found[subject].append(handle)
    return found


def assigned(subject_id: str) -> list[RoleAssignment]:
    """Return the roles that a subject holds itself, pending ones included, by handle."""
    rows = RoleAssignment.objects.filter(subject=subject_id, role__deleted_at__isnull=True)
    return list(rows.select_related("role").order_by("role__handle"))


def holders_of(organization_id: str, handle: str) -> QuerySet[RoleAssignment, str]:
    """Return the ids of the subjects that hold a role themselves, as a query."""
    rows = RoleAssignment.objects.filter(
        in_force(), role__organization_id=organization_id, role__handle=handle, role__deleted_at__isnull=True
    )
    return rows.values_list("subject", flat=True)


def is_assigned(organization_id: str, handle: str) -> bool:
    """Tell whether anybody has a role, or waits for it, or had it to an end that has passed."""
    rows = RoleAssignment.objects.filter(role__organization_id=organization_id, role__handle=handle)
    return rows.filter(role__deleted_at__isnull=True).exists()


def effective(principal: Principal) -> frozenset[str]:
    """Return the permissions that a principal may use where no resource is named, now."""
    return holdings([principal])[principal.id].names


def holdings(principals: Sequence[Principal]) -> dict[str, rules.Held]:
    """Return what each principal effectively holds, in a few queries."""
    names, now = catalogue(), now_ms()
    policies = {ident: policy_of(ident) for ident in {each.organization_id for each in principals}}
    return {
        principal.id: rules.held(parts, principal.kind, names, policies[principal.organization_id], now)
        for principal, parts in paths_of(principals, policies)
    }


def holdings_under(
    principals: Sequence[Principal], *policies: Policy
) -> Iterator[tuple[Principal, list[rules.Held]]]:
    """Yield each principal of one organization with what it would effectively hold under each policy."""
    names, now = catalogue(), now_ms()
    for principal, parts in _paths(principals, lambda _: policies):
        yield (
            principal,
            [
                rules.held(each, principal.kind, names, policy, now)
                for policy, each in zip(policies, parts, strict=True)
            ],
        )


def paths_of(
    principals: Sequence[Principal], policies: Mapping[str, Policy]
) -> Iterator[tuple[Principal, list[Part]]]:
    """Yield each principal with every path by which it holds anything, what has expired included."""
    for each, (parts,) in _paths(principals, lambda organization: (policies[organization],)):
        yield each, parts


def _paths(
    principals: Sequence[Principal], policies: Callable[[str], Sequence[Policy]]
) -> Iterator[tuple[Principal, list[list[Part]]]]:
    facts = facts_of({each.organization_id for each in principals}, [each.id for each in principals])
    for each in principals:
        who = subject_of(each)
        yield (
            each,
            [
                list(facts.paths(who, each.organization_id, policy, is_operator=each.is_operator))
                for policy in policies(each.organization_id)
            ],
        )


def facts_of(organizations: Collection[str], principals: Collection[str]) -> Facts:
    """Return what these principals hold, in depth. A page that has read more of it reads nothing here."""
    known = _known_facts(organizations, principals)
    if known is None:
        known = loading.of_principals(organizations, principals, deep=True)
        _read().append((frozenset(organizations), frozenset(principals), known))
    return known


def _read() -> list[tuple[frozenset[str], frozenset[str], Facts]]:
    """Return what the present read has read of whom: organizations, principals, facts."""
    return remembering.once("facts", list)


def _known_facts(organizations: Collection[str], principals: Collection[str]) -> Facts | None:
    found = (
        facts
        for places, people, facts in _read()
        if places.issuperset(organizations) and people.issuperset(principals)
    )
    return next(found, None)


def _handles(facts: Facts, subject: str) -> list[str]:
    """Return the handles of the roles that a subject holds itself now, sorted."""
    now = now_ms()
    return sorted(
        facts.roles[held.id].handle
        for held in facts.assigned.get(subject, ())
        if held.id in facts.roles and (held.link.until_ms == 0 or now < held.link.until_ms)
    )


def subject_of(principal: Principal) -> Subject:
    """Return a principal as conditions see it."""
    return Subject(
        principal.id,
        principal.kind,
        principal.name,
        principal.handle,
        principal.environment,
        texts(principal.attributes),
    )


def now_ms() -> int:
    """Return the present instant as records carry it."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Joined:
    """A group, team or access policy that a principal is in; ``by_rule`` without being a member by hand."""

    id: str
    kind: str
    name: str
    by_rule: bool


def collections_of(principal: Principal) -> list[Joined]:
    """Return the groups, teams and access policies that a principal is in now, by name."""
    return _joined(facts_of([principal.organization_id], [principal.id]), principal)


def collections_among(found: Sequence[Principal]) -> dict[str, list[Joined]]:
    """Return what each of many principals is in, as :func:`collections_of` does, in a few queries."""
    facts = facts_of({each.organization_id for each in found}, [each.id for each in found])
    return {each.id: _joined(facts, each) for each in found}


def _joined(facts: Facts, principal: Principal) -> list[Joined]:
    organization, now = principal.organization_id, now_ms()
    by_hand = {each.id for each in facts.memberships.get(principal.id, ())}
    found = {
        each.id: Joined(each.id, each.link.kind, each.link.name, each.id not in by_hand)
        for each in facts.holders(subject_of(principal), organization, policy_of(organization))
        if each.link.kind != "role" and (each.link.until_ms == 0 or now < each.link.until_ms)
    }
    return sorted(found.values(), key=lambda each: each.name)


def collections(organization_id: str, kind: str) -> list[Group]:
    """Return the groups or teams of an organization to which members are added by hand, by name."""
    rows = Group.objects.filter(organization_id=organization_id, deleted_at__isnull=True, rule="")
    every = remembering.once(("collections", organization_id), lambda: list(rows.order_by("name")))
    return [row for row in every if row.kind == kind]


def rules_of(organization_id: str) -> list[Rule]:
    """Return the access policies that are in force, by name."""
    found = (rule for rule in loading.rules_of([organization_id]) if rule.kind == "policy")
    return sorted(found, key=lambda each: each.name)


def sources(principal: Principal) -> dict[str, list[Part]]:
    """Return each effective permission with all the paths by which the principal holds it, sorted."""
    held = holdings([principal])[principal.id]
    return by_name(held)


def by_name(held: rules.Held) -> dict[str, list[Part]]:
    """Return each permission that is held on some resource, with its paths."""
    found: dict[str, list[Part]] = {name: [] for name in sorted(held.anywhere)}
    for part in held.parts:
        for name in rules.names_of(part, held.catalogue):
            if name in found:
                found[name].append(part)
    return found


def granted(subject_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the patterns that each subject was granted itself."""
    found: dict[str, list[str]] = {}
    rows = Grant.objects.filter(in_force(), subject__in=list(subject_ids)).order_by("permission")
    for subject, permission in rows.values_list("subject", "permission"):
        found.setdefault(subject, []).append(permission)
    return found


def grants(subject_id: str) -> QuerySet[Grant]:
    """Return the direct grants of a subject, oldest first."""
    return Grant.objects.filter(subject=subject_id).order_by("granted_at", "id")


def grant(subject_id: str, grant_id: str) -> Grant:
    """Return one direct grant of a subject. Raises :class:`NotFound`."""
    found = Grant.objects.filter(subject=subject_id, id=grant_id).first()
    if found is None:
        raise NotFound("grant", grant_id)
    return found


def roles(organization_id: str) -> Mapping[str, Role]:
    """Return the roles of an organization by handle."""
    rows = Role.objects.filter(organization_id=organization_id, deleted_at__isnull=True)
    return {role.handle: role for role in rows}
