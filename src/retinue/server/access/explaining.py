"""Why may it, who may, and what would change: over the paths, by the rules that nodes follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from retinue.authority import Reach, Resource
from retinue.replica.records import Scope
from retinue.server.access import loading, queries, rules
from retinue.server.access.catalogue import covered
from retinue.server.access.models import Grant, Membership, Role, RoleAssignment, TeamResource
from retinue.server.access.paths import SERVICE, Part, is_running
from retinue.server.access.role_actions import patterns_of
from retinue.server.directory.queries import Principal
from retinue.server.policies.queries import policy_of


@dataclass(frozen=True, slots=True)
class Answer:
    """Why a principal may, or may not: the paths that give it here, and those that give it elsewhere."""

    allowed: bool
    reason: str | None
    paths: list[Part] = field(default_factory=list)
    others: list[Part] = field(default_factory=list)


def why(principal: Principal, permission: str, target: Resource) -> Answer:
    """Tell why a principal may use a permission on a resource now, or why not."""
    found = next(iter(_answers([principal], permission, target)))[1]
    if principal.state != "enabled":
        reason = "account_deleted" if principal.state == "deleted" else "account_disabled"
        return Answer(False, reason, [], [*found.paths, *found.others])
    return found


def who(principals: Iterable[Principal], permission: str, target: Resource) -> Iterator[Principal]:
    """Yield those of ``principals`` who may use a permission on a resource now."""
    for principal, answer in _answers(list(principals), permission, target):
        if answer.allowed and principal.state == "enabled":
            yield principal


def _answers(
    principals: list[Principal], permission: str, target: Resource
) -> Iterator[tuple[Principal, Answer]]:
    if not principals:
        return
    organization = principals[0].organization_id
    policy, now = policy_of(organization), queries.now_ms()
    names = queries.catalogue()
    teams: frozenset[str] = frozenset()
    if target.resource is not None:
        key = f"{organization}/{target.resource}"
        teams = frozenset(TeamResource.objects.filter(key=key).values_list("team_id", flat=True))
    facts = queries.facts_of([organization], [each.id for each in principals])
    for each in principals:
        subject = queries.subject_of(each)
        own = frozenset(
            held.id
            for held in facts.holders(subject, organization, policy)
            if held.link.until_ms == 0 or now < held.link.until_ms
        )
        paths = facts.paths(subject, organization, policy, is_operator=each.is_operator)
        giving = [part for part in paths if permission in rules.names_of(part, names)]
        banned = each.kind == SERVICE and permission in policy.forbidden_for_service.permissions
        yield each, _answer(giving, Reach(each.id, target, teams, own), now, banned=banned)


def _answer(giving: list[Part], reach: Reach, now: int, *, banned: bool) -> Answer:
    here = [part for part in giving if is_running(part, now) and covers(part, reach)]
    others = [part for part in giving if part not in here]
    if banned:
        return Answer(False, "permission_missing", [], giving)
    if here:
        return Answer(True, None, here, others)
    running = any(is_running(part, now) for part in giving)
    return Answer(False, "resource_not_covered" if running else "permission_missing", [], others)


def covers(part: Part, reach: Reach) -> bool:
    """Tell whether a part reaches the resource, as a node would."""
    if part.is_bound and part.selector.reach == "all" and reach.target.resource is None:
        return True
    selector = part.selector
    return reach.covers(Scope(b"", selector.reach, selector.ids, selector.where, 0, part.is_bound))


def candidates(organization: str, permission: str) -> QuerySet[Principal]:
    """Return the principals of an organization who may hold a permission on something: nobody else does."""
    rows = Principal.objects.filter(organization_id=organization, state="enabled")
    granted = Grant.objects.filter(organization_id=organization)
    granted = granted.filter(Q(permission=permission) | Q(permission__contains="*"))
    giving = {
        subject
        for subject, pattern in granted.values_list("subject", "permission")
        if covered(pattern, [permission])
    }
    for role in Role.objects.filter(organization_id=organization, deleted_at__isnull=True):
        if any(covered(each, [permission], role.like == "owner") for each in patterns_of(role)):
            giving.add(role.id)
    roles = [ident for ident in giving if ident.startswith("rol_")]
    giving |= set(RoleAssignment.objects.filter(role__in=roles).values_list("subject", flat=True))
    ruled = {rule.id for rule in loading.rules_of([organization])}
    if giving & ruled or any(
        rule.kind == "policy" and rule.id in giving for rule in loading.rules_of([organization])
    ):
        return rows
    members = Membership.objects.filter(group__in=[each for each in giving if each[:4] in ("grp_", "tea_")])
    own = [ident for ident in giving if ident.startswith(("usr_", "sa_"))]
    return rows.filter(Q(id__in=own) | Q(id__in=members.values("principal_id")) | Q(is_operator=True))


def affected(organization: str, touched: Iterable[str], most: int) -> tuple[list[str], bool]:
    """Return the ids of principals whom a change of these may concern, so many at most.

    The second value tells that there are more.
    """
    ids = set(touched)
    direct = [ident for ident in ids if ident.startswith(("usr_", "sa_"))]
    roles = [ident for ident in ids if ident.startswith("rol_")]
    holding = set(RoleAssignment.objects.filter(role__in=roles).values_list("subject", flat=True)) | ids
    ruled = {rule.id for rule in loading.rules_of([organization])}
    rows = Principal.objects.filter(organization_id=organization).exclude(state="deleted")
    if not holding & ruled and not any(ident.startswith("acp_") for ident in holding):
        groups = [ident for ident in holding if ident.startswith(("grp_", "tea_"))]
        members = Membership.objects.filter(group__in=groups).values("principal_id")
        named = [ident for ident in holding if ident.startswith(("usr_", "sa_"))]
        rows = rows.filter(Q(id__in=[*direct, *named]) | Q(id__in=members))
    found = list(rows.order_by("id").values_list("id", flat=True)[: most + 1])
    return found[:most], len(found) > most


def held_by(ids: list[str]) -> Mapping[str, dict[str, list[Part]]]:
    """Return what each principal holds on some resource, by permission, with the paths."""
    rows = list(Principal.objects.filter(id__in=ids).order_by("id"))
    return {ident: queries.by_name(held) for ident, held in queries.holdings(rows).items()}
