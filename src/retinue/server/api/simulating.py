"""Tries changes of access for real, compares who holds what, and takes all of it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from retinue.replica.records import Kind
from retinue.server.access import (
    actions,
    approving,
    explaining,
    grant_actions,
    group_actions,
    member_actions,
    policy_actions,
    role_actions,
    selectors,
    subjects,
)
from retinue.server.access.queries import Group, Part
from retinue.server.api import schemas
from retinue.server.api.call import Call
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, Transaction, transaction

MOST = 1_000
_WHY = "a simulation"


class Step(schemas.Body):
    """One change to try. Which fields it needs depends on `act`."""

    act: Literal[
        "grant",
        "take_grant",
        "assign",
        "unassign",
        "add_member",
        "remove_member",
        "update_role",
        "delete_role",
        "delete_group",
        "update_access_policy",
        "delete_access_policy",
    ]
    subject: str | None = None
    permission: str | None = None
    resource: Any = "*"
    role: str | None = None
    group: str | None = None
    permissions: list[str] | None = None
    enabled: bool | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What would change for whom; how many principals were looked at, and whether there are more."""

    differences: dict[str, dict[str, list[str]]]
    examined: int
    truncated: bool


class _TakenBack(Exception):
    """Ends the transaction without its changes."""


def run(call: Call, steps: list[Step], named: list[str]) -> Found:
    """Try ``steps``; compare ``named`` principals, or those whom the changes may concern.

    The changes are tried as Retinue's own, so that the ceiling of who asks does not stand in the way; what
    nobody may ever do is refused with the place of the step.
    """
    found: Found | None = None
    try:
        with transaction(SYSTEM, reason=_WHY) as tx:
            for place, step in enumerate(steps):
                _try(tx, call.organization, step, f"changes.{place}")
            after = _look(tx, call.organization, named)
            raise _TakenBack
    except _TakenBack:
        ids, truncated, held = after
        before = explaining.held_by(ids)
        found = Found(_differences(before, held), len(ids), truncated)
    return found


def _look(tx: Transaction, organization: str, named: list[str]) -> tuple[list[str], bool, Any]:
    ids, truncated = named, False
    if not named:
        touched = [key for kind, key in tx.touched() if kind in (Kind.PRINCIPAL, Kind.HOLDER)]
        ids, truncated = explaining.affected(organization, touched, MOST)
    return ids, truncated, explaining.held_by(ids)


def _differences(
    before: Mapping[str, dict[str, list[Part]]], after: Mapping[str, dict[str, list[Part]]]
) -> dict[str, dict[str, list[str]]]:
    found = {}
    for ident in before.keys() | after.keys():
        was, is_ = before.get(ident, {}), after.get(ident, {})
        both = was.keys() & is_.keys()
        limited = sorted(name for name in both if _limits(was[name]) != _limits(is_[name]))
        gained, lost = sorted(is_.keys() - was.keys()), sorted(was.keys() - is_.keys())
        if gained or lost or limited:
            found[ident] = {"gained": gained, "lost": lost, "limited": limited}
    return dict(sorted(found.items()))


def _limits(parts: list[Part]) -> set[tuple[object, ...]]:
    return {(part.selector, part.is_bound, part.until_ms) for part in parts}


def _try(tx: Transaction, organization: str, step: Step, place: str) -> None:
    try:
        _ACTS[step.act](tx, organization, step)
    except Refused as refused:
        field = place if refused.field is None else f"{place}.{refused.field}"
        raise Refused(refused.code, refused.detail, field=field, required=refused.required) from None


def _need(value: str | None, field: str) -> str:
    if value is None:
        raise Refused("missing_field", f"this change needs {field}", field=field)
    return value


def _grant(tx: Transaction, organization: str, step: Step) -> None:
    subject = subjects.find(organization, _need(step.subject, "subject"))
    resource = selectors.parse(step.resource)
    permission = _need(step.permission, "permission")
    actions.grant(tx, subject, permission, _WHY, resource=resource, organization=organization)


def _take_grant(tx: Transaction, organization: str, step: Step) -> None:
    grant_actions.delete_grant(tx, organization, approving.find_grant(organization, _need(step.id, "id")))


def _assign(tx: Transaction, organization: str, step: Step) -> None:
    subject = subjects.find(organization, _need(step.subject, "subject"))
    role = subjects.role(organization, _need(step.role, "role"), "role")
    actions.assign(tx, subject, role, _WHY, organization=organization)


def _unassign(tx: Transaction, organization: str, step: Step) -> None:
    found = approving.find_assignment(organization, _need(step.id, "id"))
    subject = subjects.named(organization, [found.subject])[found.subject]
    grant_actions.take_role(tx, subject, found, organization)


def _group(organization: str, step: Step) -> Group:
    text = _need(step.group, "group")
    kind = Group.TEAM if text.startswith("tea_") else Group.GROUP
    return subjects.group(organization, text, kind, field="group")


def _member(organization: str, step: Step) -> Principal:
    found = subjects.find(organization, _need(step.subject, "subject"))
    if not found.is_principal:
        raise Refused("invalid_value", "groups do not nest: name a principal", field="subject")
    return Principal.objects.get(id=found.id)


def _update_role(tx: Transaction, organization: str, step: Step) -> None:
    if step.permissions is None:
        raise Refused("missing_field", "this change needs permissions", field="permissions")
    role = subjects.role(organization, _need(step.role, "role"), "role")
    role_actions.update(tx, role, {"permissions": step.permissions}, _WHY)


def _delete_role(tx: Transaction, organization: str, step: Step) -> None:
    role = subjects.role(organization, _need(step.role, "role"), "role")
    role_actions.delete(tx, role, from_holders=True)


def _update_policy(tx: Transaction, organization: str, step: Step) -> None:
    if step.enabled is None:
        raise Refused("missing_field", "this change needs enabled", field="enabled")
    row = policy_actions.find(organization, _need(step.id, "id"))
    policy_actions.update(tx, row, {"enabled": step.enabled}, _WHY)


_ACTS: dict[str, Callable[[Transaction, str, Step], object]] = {
    "grant": _grant,
    "take_grant": _take_grant,
    "assign": _assign,
    "unassign": _unassign,
    "add_member": lambda tx, organization, step: member_actions.add(
        tx, _group(organization, step), [_member(organization, step)], _WHY
    ),
    "remove_member": lambda tx, organization, step: member_actions.remove(
        tx, _group(organization, step), [_member(organization, step)]
    ),
    "update_role": _update_role,
    "delete_role": _delete_role,
    "delete_group": lambda tx, organization, step: group_actions.delete(tx, _group(organization, step)),
    "update_access_policy": _update_policy,
    "delete_access_policy": lambda tx, organization, step: policy_actions.delete(
        tx, policy_actions.find(organization, _need(step.id, "id"))
    ),
}
