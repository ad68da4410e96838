"""How roles, groups, teams, access policies, permissions and decisions are shown; see ``shapes``."""

from __future__ import annotations

from typing import Any

from retinue.cli.cells import Column, Shape
from retinue.cli.durations import ago
from retinue.client import access as a
from retinue.client.models import PrincipalRef


def _conditions(value: Any) -> str:
    return "; ".join(f"{each['field']} = {', '.join(each['values'])}" for each in value or [])


ROLE = Shape[a.Role](
    columns=(
        Column("handle", "handle"),
        Column("id", "id"),
        Column("name", "name"),
        Column("holders", "holders"),
        Column("permissions", "permissions"),
        Column("description", "description", data_only=True),
        Column("bypass_scopes", "bypass_scopes", data_only=True),
    ),
    name=lambda role: role.handle,
    id=lambda role: role.id,
)
GROUP = Shape[a.Group](
    columns=(
        Column("name", "name"),
        Column("id", "id"),
        Column("members", "members"),
        Column("rule", "rule"),
        Column("conditions", "conditions", _conditions),
        Column("roles", "roles"),
        Column("resources", "resources", data_only=True),
        Column("locked", "locked"),
        Column("description", "description", data_only=True),
    ),
    name=lambda group: group.name,
    id=lambda group: group.id,
)
MEMBER = Shape[a.Member](
    columns=(
        Column("principal", "principal"),
        Column("id", "principal.id"),
        Column("kind", "principal.kind"),
        Column("by_rule", "by_rule"),
        Column("state", "state"),
        Column("added_by", "granted_by"),
        Column("added", "granted_at", ago),
        Column("expires", "expires_at", ago),
        Column("justification", "justification"),
    ),
    name=lambda member: member.principal.handle,
    id=lambda member: member.principal.id,
)
RESOURCE = Shape[a.TeamResource](
    columns=(Column("resource", "resource"),),
    name=lambda found: found.resource,
    id=lambda found: found.resource,
)
ACCESS_POLICY = Shape[a.AccessPolicy](
    columns=(
        Column("name", "name"),
        Column("id", "id"),
        Column("state", "state"),
        Column("locked", "locked"),
        Column("match", "match"),
        Column("conditions", "conditions", _conditions),
        Column("subjects", "subjects"),
        Column("roles", "roles"),
        Column("description", "description", data_only=True),
    ),
    name=lambda policy: policy.name,
    id=lambda policy: policy.id,
)
PERMISSION = Shape[a.Permission](
    columns=(
        Column("name", "name"),
        Column("label", "label"),
        Column("sensitivity", "sensitivity"),
        Column("management", "management"),
        Column("declared_by", "declared_by"),
        Column("description", "description", data_only=True),
    ),
    name=lambda permission: permission.name,
    id=lambda permission: permission.name,
)
WHO = Shape[PrincipalRef](
    columns=(
        Column("principal", "handle"),
        Column("id", "id"),
        Column("kind", "kind"),
        Column("name", "name"),
    ),
    name=lambda principal: principal.handle,
    id=lambda principal: principal.id,
)
