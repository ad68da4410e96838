"""Groups and teams: create, change, delete. They carry roles and grants, and do not nest."""

from __future__ import annotations

from typing import Any

from retinue.server.access import conditions, subjects, touching
from retinue.server.access.handing import Handing
from retinue.server.access.models import Group
from retinue.server.access.paths import is_forbidden_group
from retinue.server.access.role_actions import check_description
from retinue.server.access.setting_up import stated_group
from retinue.server.directory import rules as names
from retinue.server.directory.rules import fold
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies import remembering

RULES = ("", "users", "service_accounts", "all", "condition")
#: What may be changed of a group.
FIELDS = ("name", "description", "match", "conditions")


def find(organization: str, ident: str, kind: str) -> Group:
    """Return a group or team of an organization by id. Raises :class:`NotFound`."""
    rows = Group.objects.filter(organization_id=organization, id=ident, kind=kind, deleted_at__isnull=True)
    found = remembering.once(("group", organization, kind, ident), rows.first)
    if found is None:
        raise NotFound(kind, ident)
    return found


def create(
    tx: Transaction,
    organization: str,
    kind: str,
    *,
    name: str,
    description: str = "",
    rule: str = "",
    match: str = "all",
    stated: list[Any] | None = None,
) -> Group:
    """Create a group or team. With the rule ``condition``, ``stated`` says who belongs to it."""
    handing = Handing.begin(tx, organization)
    if rule not in RULES:
        raise Refused("invalid_value", "users, service_accounts, all or condition", field="rule")
    name = names.check_name(name)
    group = Group(
        id=new_id("tea" if kind == Group.TEAM else "grp"),
        organization_id=organization,
        kind=kind,
        name=name,
        name_folded=fold(name),
        description=check_description(description),
        rule=rule,
        match=_match(match),
        conditions=_conditions(rule, stated or []),
        created_at=tx.now,
        created_by=tx.actor.id,
        updated_at=tx.now,
    )
    _check_free(group)
    group.save(force_insert=True)
    _check_gain(handing, group, [])
    after = stated_group(group)
    tx.record(f"{kind}.created", group.id, name=group.name, organization=organization, after=after)
    touching.holder(tx, organization, [group.id])
    touching.moved_principals(tx, None, subjects.rule_of_group(group))
    return group


def update(tx: Transaction, group: Group, changes: dict[str, Any], justification: str = "") -> Group:
    """Change a group or team. Nobody gains by it what the actor may not hand out."""
    handing = Handing.begin(tx, group.organization_id, justification)
    group = find(group.organization_id, group.id, group.kind)
    before, was, had = stated_group(group), subjects.rule_of_group(group), handing.parts_of(group.id)
    _check_changeable(handing, group, changes)
    if "name" in changes:
        group.name = names.check_name(changes["name"])
        group.name_folded = fold(group.name)
    if "description" in changes:
        group.description = check_description(changes["description"])
    if "match" in changes:
        group.match = _match(changes["match"])
    if "conditions" in changes:
        group.conditions = _conditions(group.rule, changes["conditions"])
    _check_free(group)
    after = stated_group(group)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return group
    group.updated_at = tx.now
    group.save()
    # Others belong to it now, or access policies take it in by its new name.
    _check_gain(handing, group, [] if {"match", "conditions"} & set(changed) else had)
    tx.record(
        f"{group.kind}.updated",
        group.id,
        name=group.name,
        organization=group.organization_id,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    touching.holder(tx, group.organization_id, [group.id])
    touching.moved_principals(tx, was, subjects.rule_of_group(group))
    return group


def delete(tx: Transaction, group: Group) -> Group:
    """Delete a group or team: its members have nothing by it any more. One record, however many they are."""
    Handing.begin(tx, group.organization_id)
    group = find(group.organization_id, group.id, group.kind)
    check_unlocked(group, "deletion", "group_id")
    before, was = stated_group(group), subjects.rule_of_group(group)
    resources = list(group.resources.all())
    for each in resources:
        each.delete()
        touching.resource(tx, each.key)
    group.deleted_at = group.updated_at = tx.now
    group.save()
    event = f"{group.kind}.deleted"
    tx.record(event, group.id, name=group.name, organization=group.organization_id, before=before)
    touching.holder(tx, group.organization_id, [group.id])
    touching.moved_principals(tx, was, None)
    return group


def check_unlocked(group: Group, part: str, field: str) -> None:
    """Refuse to change a locked part of a group, saying which."""
    if part in group.locked:
        raise Refused(
            "locked", f"the {part} of {group.name} is locked by the organization's policy", field=field
        )


def _check_changeable(handing: Handing, group: Group, changes: dict[str, Any]) -> None:
    if "name" in changes and fold(changes["name"]) != group.name_folded:
        check_unlocked(group, "name", "name")
        if is_forbidden_group(group.name, handing.policy):
            raise Refused("locked", "the policy keeps service accounts out of it by this name", field="name")
    if {"match", "conditions"} & changes.keys():
        check_unlocked(group, "membership", "conditions")
        if group.rule != "condition":
            raise Refused(
                "invalid_value", "only a group with the rule `condition` has some", field="conditions"
            )


def _check_gain(handing: Handing, group: Group, had: list[Any]) -> None:
    to_service = handing.reaches_service(group.id)
    if to_service and is_forbidden_group(group.name, handing.policy):
        raise Refused("forbidden_for_service", f"service accounts are never in {group.name}", field="name")
    handing.gained(had, handing.parts_of(group.id), to_service=to_service, field="conditions")


def _match(match: str) -> str:
    if match not in ("all", "any"):
        raise Refused("invalid_value", "all or any", field="match")
    return match


def _conditions(rule: str, stated: list[Any]) -> list[dict[str, Any]]:
    if stated and rule != "condition":
        raise Refused("invalid_value", "only a group with the rule `condition` has some", field="conditions")
    found = conditions.parse(stated)
    if rule == "condition" and not found:
        raise Refused("missing_field", "at least one condition", field="conditions")
    return found


def _check_free(group: Group) -> None:
    taken = Group.objects.filter(
        organization_id=group.organization_id,
        kind=group.kind,
        name_folded=group.name_folded,
        deleted_at__isnull=True,
    ).exclude(id=group.id)
    if taken.exists():
        raise Refused("duplicate_name", f"there is a {group.kind} {group.name!r} already", field="name")
