"""Who belongs to groups and teams, and which resources teams have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from retinue.server.access import queries, rules, selectors, touching
from retinue.server.access.approving import check_approver
from retinue.server.access.catalogue import RESERVED_RESOURCES
from retinue.server.access.checks import check_end, check_source, is_over
from retinue.server.access.grant_actions import instant, subject_of
from retinue.server.access.group_actions import check_unlocked
from retinue.server.access.handing import Handing
from retinue.server.access.handles import slug
from retinue.server.access.models import Group, Membership, TeamResource
from retinue.server.access.paths import is_forbidden_group
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction

RESOURCES_MAX = 10_000


def add(
    tx: Transaction,
    group: Group,
    principals: Sequence[Principal],
    justification: str = "",
    *,
    expires_at: datetime | None = None,
) -> list[Membership]:
    """Put principals into a group or team. Who is in it already stays as it is."""
    handing = Handing.begin(tx, group.organization_id, justification)
    check_end(expires_at, tx.now)
    _check_by_hand(group)
    rows = dict(Membership.objects.filter(group=group).values_list("principal_id", "expires_at"))
    present = {ident for ident, until in rows.items() if not is_over(until, tx.now)}
    made = []
    for place, principal in enumerate(principals):
        field = f"members.{place}"
        directory.check_alive(principal)
        if principal.id in present:
            continue
        present.add(principal.id)
        check_kind(handing, group, principal, field)
        check_source(handing, subject_of(principal), group.kind, field)
        _check_team(handing, group, principal, field)
        terms = handing.terms(
            handing.parts_of(group.id),
            to_service=principal.kind == Principal.SERVICE_ACCOUNT,
            expires_at=expires_at,
            field=field,
        )
        if principal.id in rows:
            remove(tx, group, [principal])
        made.append(
            _insert(tx, group, principal, justification, terms.expires_at, is_pending=terms.is_pending)
        )
    return made


def join_default(tx: Transaction, account: Principal, names: Sequence[str]) -> None:
    """Put a new service account into the groups that every new one joins; they may be left again."""
    groups = {
        slug(group.name): group
        for group in Group.objects.filter(
            organization_id=account.organization_id, kind=Group.GROUP, rule="", deleted_at__isnull=True
        )
    }
    handing = Handing.begin(tx, account.organization_id)
    for name in names:
        group = groups.get(name)
        if group is None or Membership.objects.filter(group=group, principal=account).exists():
            continue
        check_kind(handing, group, account, "name")
        for part in handing.parts_of(group.id):
            rules.check_bans(part, handing.catalogue, handing.policy, "name")
        _insert(tx, group, account, "default group", None, is_pending=False)


def _insert(
    tx: Transaction,
    group: Group,
    principal: Principal,
    justification: str,
    expires_at: datetime | None,
    *,
    is_pending: bool,
) -> Membership:
    made = Membership.objects.create(
        id=new_id("mem"),
        group=group,
        principal=principal,
        justification=justification,
        granted_by=tx.actor.id,
        granted_at=tx.now,
        expires_at=expires_at,
        is_pending=is_pending,
    )
    tx.record(
        "member.added",
        made.id,
        name=f"{group.name}/{principal.handle}",
        organization=group.organization_id,
        after=_stated(made),
    )
    touching.subject(tx, group.organization_id, principal.id)
    return made


def remove(tx: Transaction, group: Group, principals: Sequence[Principal]) -> list[Membership]:
    """Take principals out of a group or team. Refuses one that is not in it."""
    Handing.begin(tx, group.organization_id)
    _check_by_hand(group)
    gone = []
    for place, principal in enumerate(principals):
        found = Membership.objects.filter(group=group, principal=principal).first()
        if found is None:
            raise Refused("not_found", f"{principal.handle} is not in {group.name}", field=f"members.{place}")
        before, ident = _stated(found), found.id
        found.delete()
        found.id = ident
        gone.append(found)
        name = f"{group.name}/{principal.handle}"
        tx.record("member.removed", ident, name=name, organization=group.organization_id, before=before)
        touching.subject(tx, group.organization_id, principal.id)
    return gone


def approve(tx: Transaction, group: Group, principal: Principal) -> Membership:
    """Let a pending membership hold. Refuses who asked for it, and who gets it."""
    rows = Membership.objects.filter(group=group, principal=principal)
    handing = Handing.begin(tx, group.organization_id)
    found = rows.first()
    if found is None:
        raise NotFound("member", principal.id)
    handing = replace(handing, justification=found.justification)
    check_approver(tx, found.is_pending, found.granted_by, principal.id)
    check_kind(handing, group, principal, "principal_id")
    _check_team(handing, group, principal, "principal_id")
    handing.terms(
        handing.parts_of(group.id),
        to_service=principal.kind == Principal.SERVICE_ACCOUNT,
        field="principal_id",
    )
    found.is_pending, found.approved_by = False, tx.actor.id
    found.save()
    tx.record(
        "member.approved",
        found.id,
        name=f"{group.name}/{principal.handle}",
        organization=group.organization_id,
        before={"is_pending": True, "approved_by": ""},
        after={"is_pending": False, "approved_by": tx.actor.id},
    )
    touching.subject(tx, group.organization_id, principal.id)
    return found


def check_kind(handing: Handing, group: Group, principal: Principal, field: str) -> None:
    """Refuse a service account in a group of people, or where the policy keeps it out."""
    if principal.kind == Principal.SERVICE_ACCOUNT and is_forbidden_group(group.name, handing.policy):
        raise Refused("forbidden_for_service", f"service accounts are never in {group.name}", field=field)


def _check_by_hand(group: Group) -> None:
    check_unlocked(group, "membership", "members")
    if group.rule:
        raise Refused("locked", f"the members of {group.name} follow a rule", field="members")


def _check_team(handing: Handing, team: Group, principal: Principal, field: str) -> None:
    """A new member's roles reach the resources of the team: the actor's own must reach them as well."""
    if team.kind != Group.TEAM or handing.held is None or not handing.policy.grants_ceiling:
        return
    gains = _host(queries.holdings([principal])[principal.id], bound=True)
    inside = is_member(handing.tx.actor.id, team)
    missing = sorted(gains - _host(handing.held, bound=inside))
    if missing:
        raise Refused(
            "ceiling_exceeded",
            f"in {team.name} this account could use {missing[0]}, which you do not hold there",
            field=field,
            required=tuple(missing[:5]),
        )


def _host(held: rules.Held, *, bound: bool) -> frozenset[str]:
    """Return the host's permissions that are held everywhere, with ``bound`` those bound to teams too."""
    parts = tuple(
        part for part in held.parts if part.selector.reach == "all" and (bound or not part.is_bound)
    )
    names = rules.Held(parts, held.catalogue, held.banned).names
    return frozenset(name for name in names if name.partition(":")[0] not in RESERVED_RESOURCES)


def is_member(principal: str, team: Group) -> bool:
    """Tell whether a principal is in a team."""
    return Membership.objects.filter(queries.in_force(), group=team, principal_id=principal).exists()


def change_resources(
    tx: Transaction, team: Group, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> Group:
    """Put resources into a team, or take them out. Who acts must reach them in the teams that they are in."""
    handing = Handing.begin(tx, team.organization_id)
    present = set(team.resources.values_list("resource", flat=True))
    added = [selectors.check_resource(each, f"resources.{place}") for place, each in enumerate(add)]
    added = [each for each in dict.fromkeys(added) if each not in present]
    for place, each in enumerate(remove):
        if each not in present:
            raise Refused("not_found", f"{each} is not in {team.name}", field=f"resources.{place}")
    if len(present) + len(added) - len(remove) > RESOURCES_MAX:
        raise Refused("invalid_value", f"at most {RESOURCES_MAX} resources a team", field="resources")
    _check_reaches(handing, team, [*added, *remove])
    for each in added:
        TeamResource.objects.create(
            organization_id=team.organization_id,
            team=team,
            resource=each,
            key=f"{team.organization_id}/{each}",
        )
    team.resources.filter(resource__in=list(remove)).delete()
    moved = [*added, *dict.fromkeys(remove)]
    if moved:
        tx.record(
            "team.resources_changed",
            team.id,
            name=team.name,
            organization=team.organization_id,
            before={"removed": list(dict.fromkeys(remove))},
            after={"added": added},
        )
    for each in moved:
        touching.resource(tx, f"{team.organization_id}/{each}")
    return team


def _check_reaches(handing: Handing, team: Group, resources: Sequence[str]) -> None:
    """What is in a team comes into reach of others by this: the actor must reach it there."""
    if handing.held is None or not handing.policy.grants_ceiling:
        return
    every = {name for name in handing.catalogue if name.partition(":")[0] not in RESERVED_RESOURCES}
    if every <= _host(handing.held, bound=False):
        return
    teams = Group.objects.filter(
        resources__resource__in=list(resources), organization_id=team.organization_id, deleted_at__isnull=True
    ).distinct()
    for each in teams:
        if not is_member(handing.tx.actor.id, each):
            raise Refused(
                "ceiling_exceeded", f"these belong to {each.name}, and you are not in it", field="resources"
            )


def _stated(made: Membership) -> dict[str, object]:
    found: dict[str, object] = {
        "group_id": made.group_id,
        "principal_id": made.principal_id,
        "justification": made.justification,
        "is_pending": made.is_pending,
    }
    return found if made.expires_at is None else found | {"expires_at": instant(made.expires_at)}
