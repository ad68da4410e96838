"""Whether a principal may do it, on this resource: the permission step of a decision.

Sets of permissions are bit masks over the catalogue (see :mod:`retinue.permission`), so a check costs the
same at any size of the set. What a principal holds is its own mask and one record for each of its roles,
groups, teams and access policies; the first that gives the permission without limits ends the search.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from retinue import permission
from retinue.decision import Reason
from retinue.replica.reading import Snapshot
from retinue.replica.records import Organization, Principal, Scope


class Target(Protocol):
    """What a permission is used on: the id of a resource of the host, and what the host knows of it.

    Without an id only what reaches every resource counts. ``attributes`` are the host's own facts: a selector
    on one that is not stated does not match, and ``own`` means the attribute ``owner``.
    """

    @property
    def resource(self) -> str | None: ...

    @property
    def attributes(self) -> Mapping[str, str] | None: ...


class Resource(msgspec.Struct, frozen=True):
    """A target by itself; a question is one too."""

    resource: str | None = None
    attributes: Mapping[str, str] | None = None


NOTHING = Resource()


def refusal(
    snapshot: Snapshot,
    organization: Organization,
    principal: Principal | None,
    name: str,
    now_ms: int,
    target: Target = NOTHING,
) -> Reason | None:
    """Return why ``principal`` may not use the permission ``name`` now, ``None`` if it may."""
    index = snapshot.permission_index(name)
    if index is None or principal is None:
        return Reason.PERMISSION_MISSING
    place, bit = index >> 3, 1 << (index & 7)
    is_service = principal.kind == "service_account"
    forbidden = organization.forbidden_for_service
    if is_service and place < len(forbidden) and forbidden[place] & bit:
        return Reason.PERMISSION_MISSING
    held = principal.permissions
    if place < len(held) and held[place] & bit:
        return None
    holders = holders_of(organization, principal, now_ms)
    gives = snapshot.gives(holders)
    if gives is not None:
        held = gives.permissions
        if place < len(held) and held[place] & bit:
            return None
        if not (gives.has_limits or principal.scoped):
            return Reason.PERMISSION_MISSING
    return _within_limits(snapshot, organization, principal, index, now_ms, target, holders)


def _within_limits(
    snapshot: Snapshot,
    organization: Organization,
    principal: Principal,
    index: int,
    now_ms: int,
    target: Target,
    holders: tuple[str, ...],
) -> Reason | None:
    """Ask each holder: what it gives everywhere, bound, and on some resources."""
    place, bit = index >> 3, 1 << (index & 7)
    is_service = principal.kind == "service_account"
    scopes = principal.scoped
    is_bound = False
    for holder_id in holders:
        holder = snapshot.holder(holder_id)
        if holder is None:
            continue
        held = holder.permissions
        if place < len(held) and held[place] & bit:
            return None
        held = holder.bound
        is_bound = is_bound or (place < len(held) and held[place] & bit != 0)
        scopes += holder.scoped
    if is_bound and target.resource is None:
        return None
    giving = [
        each
        for each in scopes
        if permission.holds(each.permissions, index)
        and (each.until_ms == 0 or now_ms < each.until_ms)
        and not (each.users_only and is_service)
    ]
    if not (is_bound or giving):
        return Reason.PERMISSION_MISSING
    reach = _reach(snapshot, organization.id, principal.id, target, holders)
    if (is_bound and reach.is_within) or any(reach.covers(each) for each in giving):
        return None
    return Reason.RESOURCE_NOT_COVERED


def holders_of(organization: Organization, principal: Principal, now_ms: int) -> tuple[str, ...]:
    """Return the ids of the roles, groups, teams and policies that a principal has now."""
    by_kind = (
        organization.service_holders if principal.kind == "service_account" else organization.user_holders
    )
    if not principal.timed:
        return principal.holders + by_kind
    timed = tuple(each.holder for each in principal.timed if now_ms < each.until_ms)
    return principal.holders + by_kind + timed


def are_limited(snapshot: Snapshot, holders: tuple[str, ...]) -> bool:
    """Tell whether any of these holders gives something within limits alone."""
    gives = snapshot.gives(holders)
    if gives is not None:
        return gives.has_limits
    each = (snapshot.holder(holder_id) for holder_id in holders)
    return any(holder is not None and (holder.bound or holder.scoped) for holder in each)


def _reach(
    snapshot: Snapshot, organization: str, principal: str, target: Target, holders: tuple[str, ...]
) -> Reach:
    teams: tuple[str, ...] = ()
    if target.resource is not None:
        teams = snapshot.teams_of(f"{organization}/{target.resource}")
    return Reach(principal, target, frozenset(teams), frozenset(holders))


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a principal stands to a resource: ``teams`` are those of the resource, ``own`` its holders."""

    principal: str
    target: Target
    teams: frozenset[str]
    own: frozenset[str]

    @property
    def is_within(self) -> bool:
        """Whether the resource belongs to no team, or to one of the principal's own."""
        return not self.teams or not self.teams.isdisjoint(self.own)

    def covers(self, scope: Scope) -> bool:
        """Tell whether the resource is one of those that ``scope`` reaches."""
        if scope.is_bound and not self.is_within:
            return False
        attributes = self.target.attributes or {}
        match scope.reach:
            case "all":
                return True
            case "ids":
                return self.target.resource is not None and self.target.resource in scope.values
            case "own":
                return attributes.get("owner") == self.principal
            case "team":
                return not self.teams.isdisjoint(self.own)
            case "teams":
                return not self.teams.isdisjoint(scope.values)
            case "where":
                return _match(scope.where, attributes)
        return False


def _match(where: Iterable[tuple[str, tuple[str, ...]]], attributes: Mapping[str, str]) -> bool:
    """Every attribute has one of the values; ``*`` is any, and one that is missing matches nothing."""
    return all(name in attributes and ("*" in values or attributes[name] in values) for name, values in where)


def holds(
    snapshot: Snapshot, organization: Organization, principal: Principal, name: str, now_ms: int = 0
) -> bool:
    """Tell whether ``principal`` holds the permission ``name`` where no resource is named."""
    return refusal(snapshot, organization, principal, name, now_ms) is None
