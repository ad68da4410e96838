"""By which paths a principal holds what: pure functions over rows that were read before.

A path is a :class:`Part` (permissions, on which resources, until when) with its links, from the permission
outwards: ``report:read <- role Editor <- group Data <- access policy P7``. Records of nodes, the grant
ceiling, provenance and simulation are all made of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from retinue.server.access import conditions
from retinue.server.access.catalogue import INSTALLATION
from retinue.server.access.conditions import Condition, Subject
from retinue.server.access.handles import slug
from retinue.server.access.selectors import ALL, Selector
from retinue.server.directory.rules import fold
from retinue.server.policies.policy import Policy

SERVICE = "service_account"
#: Where a group stands in ``grants.sources``.
_SOURCE = {"group": "group", "team": "team", "role": "role", "policy": "policy"}


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a path: what gives, and who handed that out. Milliseconds; 0 is unknown or never."""

    kind: str
    id: str
    name: str
    granted_by: str = ""
    granted_ms: int = 0
    justification: str = ""
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Some permissions, within some limits. ``reaches`` says that ``*`` reaches management permissions."""

    patterns: tuple[str, ...]
    selector: Selector = ALL
    is_bound: bool = False
    until_ms: int = 0
    users_only: bool = False
    reaches: bool = False
    links: tuple[Link, ...] = ()

    def within(self, link: Link, *, users_only: bool = False) -> Part:
        """Return the part as it is held through one more link."""
        ends = [each for each in (self.until_ms, link.until_ms) if each]
        return replace(
            self,
            until_ms=min(ends, default=0),
            users_only=self.users_only or users_only,
            links=(*self.links, link),
        )


@dataclass(frozen=True, slots=True)
class Role:
    """A role; ``patterns`` with those of the native role that it is like."""

    id: str
    handle: str
    name: str
    patterns: tuple[str, ...]
    is_owner: bool
    bypass_scopes: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A group, team or access policy, and whom it takes in by a rule."""

    id: str
    organization: str
    kind: str
    name: str
    rule: str = ""
    match: str = "all"
    conditions: tuple[Condition, ...] = ()
    subjects: frozenset[str] = frozenset()

    @property
    def subject(self) -> Subject:
        """What the conditions of access policies see of a group or team."""
        return Subject(self.id, self.kind, self.name)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of principals that belong to it whoever they are."""
        match self.rule:
            case "users":
                return frozenset({"user"})
            case "service_accounts":
                return frozenset({SERVICE})
            case "all":
                return conditions.PRINCIPALS
            case "condition":
                return conditions.whole_kinds(self.match, self.conditions)
        return frozenset()

    def takes_in(self, subject: Subject) -> bool:
        """Tell whether ``subject`` belongs to it by its rule."""
        return (
            subject.kind in self.kinds
            or subject.id in self.subjects
            or (self.rule == "condition" and conditions.matches(self.match, self.conditions, subject))
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant of a subject, with the link that tells who handed it out."""

    permission: str
    selector: Selector
    is_bound: bool
    link: Link


@dataclass(frozen=True, slots=True)
class Held:
    """A role of a subject, or a group of a principal, with the link that tells who handed it out."""

    id: str
    link: Link


@dataclass
class Facts:
    """What was read: everything by id, and by the subject that holds it."""

    roles: dict[str, Role] = field(default_factory=dict)
    groups: dict[str, Rule] = field(default_factory=dict)
    policies: dict[str, Rule] = field(default_factory=dict)
    grants: dict[str, list[Grant]] = field(default_factory=dict)
    assigned: dict[str, list[Held]] = field(default_factory=dict)
    memberships: dict[str, list[Held]] = field(default_factory=dict)

    def holders(self, who: Subject, organization: str, policy: Policy) -> Iterator[Held]:
        """Yield roles, groups, teams and access policies of a principal, as far as it may have them."""
        for each in self._holders(who, organization):
            if who.kind != SERVICE or self._is_allowed(each, policy):
                yield each

    def _holders(self, who: Subject, organization: str) -> Iterator[Held]:
        yield from self.assigned.get(who.id, ())
        yield from self.memberships.get(who.id, ())
        for rule in (*self.groups.values(), *self.policies.values()):
            if rule.organization == organization and rule.takes_in(who):
                yield Held(rule.id, Link(rule.kind, rule.id, rule.name))

    def _is_allowed(self, each: Held, policy: Policy) -> bool:
        if _SOURCE[each.link.kind] not in policy.grants_sources:
            return False
        if each.link.kind == "role":
            role = self.roles.get(each.id)
            return role is None or not is_forbidden(role, policy)
        if each.link.kind in ("group", "team"):
            return not is_forbidden_group(each.link.name, policy)
        return True

    def own_parts(self, who: Subject, policy: Policy, *, is_operator: bool) -> Iterator[Part]:
        """Yield what a principal holds directly."""
        if who.kind != SERVICE or "direct" in policy.grants_sources:
            yield from self._granted(who.id)
        if is_operator:
            link = Link("operator", "operator", "Operator of the installation")
            yield Part(tuple(sorted(INSTALLATION)), links=(link,))

    def _granted(self, subject: str) -> Iterator[Part]:
        for grant in self.grants.get(subject, ()):
            yield Part(
                (grant.permission,),
                grant.selector,
                grant.is_bound,
                grant.link.until_ms,
                links=(grant.link,),
            )

    def parts(self, holder: str, policy: Policy) -> Iterator[Part]:
        """Yield what a role, group, team or access policy gives to whoever holds it."""
        role = self.roles.get(holder)
        if role is not None:
            yield from self._role_parts(role)
            return
        team = self.groups.get(holder)
        for part in self._carried(holder, policy):
            if team is not None and team.kind == "team" and part.selector.reach == "team":
                yield replace(part, selector=Selector("teams", (holder,)))
            else:
                yield part

    def _role_parts(self, role: Role) -> Iterator[Part]:
        bound = not role.bypass_scopes
        yield Part(role.patterns, is_bound=bound, reaches=role.is_owner)
        for part in self._granted(role.id):
            yield replace(part, is_bound=bound or part.is_bound)

    def _carried(self, holder: str, policy: Policy) -> Iterator[Part]:
        yield from self._granted(holder)
        for each in self.assigned.get(holder, ()):
            role = self.roles.get(each.id)
            if role is not None:
                banned = is_forbidden(role, policy)
                yield from (part.within(each.link, users_only=banned) for part in self._role_parts(role))
        group = self.groups.get(holder)
        if group is None:
            return
        for rule in self.policies.values():
            if rule.organization == group.organization and rule.takes_in(group.subject):
                link = Link("policy", rule.id, rule.name)
                yield from (part.within(link) for part in self._carried(rule.id, policy))

    def paths(
        self, who: Subject, organization: str, policy: Policy, *, is_operator: bool = False
    ) -> Iterator[Part]:
        """Yield every path by which a principal holds anything, what has expired included."""
        yield from self.own_parts(who, policy, is_operator=is_operator)
        for each in self.holders(who, organization, policy):
            for part in self.parts(each.id, policy):
                if not (part.users_only and who.kind == SERVICE):
                    yield part.within(each.link)


def is_forbidden(role: Role, policy: Policy) -> bool:
    """Tell whether service accounts can never have this role."""
    return role.is_owner or role.handle in policy.forbidden_for_service.roles


def is_forbidden_group(name: str, policy: Policy) -> bool:
    """Tell whether service accounts can never be in the group of this name."""
    return bool({fold(name), slug(name)} & set(policy.forbidden_for_service.groups))


def is_running(part: Part, now_ms: int) -> bool:
    """Tell whether a part has not ended."""
    return part.until_ms == 0 or now_ms < part.until_ms
