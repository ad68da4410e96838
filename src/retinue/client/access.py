"""Access: what the API answers, as types, and its operations; see ``models``."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from retinue.client.models import Grant, Page, PrincipalRef, Receipt
from retinue.client.operations import Operation


class Role(Struct, kw_only=True):
    """A named set of permissions."""

    id: str
    handle: str
    name: str
    description: str = ""
    permissions: list[str] = field(default_factory=list)
    like: str | None = None
    bypass_scopes: bool = False
    people_only: bool = False
    holders: int = 0
    created_at: str | None = None
    created_by: PrincipalRef | None = None
    updated_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class Condition(Struct, kw_only=True):
    """A field of a principal, and the values of which it has one."""

    field: str
    values: list[str]


class Group(Struct, kw_only=True):
    """A group or team."""

    id: str
    kind: str
    name: str
    description: str = ""
    rule: str | None = None
    match: str = "all"
    conditions: list[Condition] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    members: int = 0
    resources: int = 0
    created_at: str | None = None
    created_by: PrincipalRef | None = None
    updated_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class Member(Struct, kw_only=True):
    """A principal that belongs to a group or team."""

    principal: PrincipalRef
    by_rule: bool = False
    state: str = ""
    justification: str = ""
    granted_by: PrincipalRef | None = None
    granted_at: str | None = None
    approved_by: PrincipalRef | None = None
    expires_at: str | None = None


class TeamResource(Struct, kw_only=True):
    """A resource that belongs to a team."""

    resource: str


class AccessPolicy(Struct, kw_only=True):
    """A rule that becomes grants."""

    id: str
    name: str
    description: str = ""
    match: str = "all"
    conditions: list[Condition] = field(default_factory=list)
    subjects: list[PrincipalRef] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    enabled: bool = True
    locked: bool = False
    state: str = ""
    created_at: str | None = None
    created_by: PrincipalRef | None = None
    updated_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class Assignment(Struct, kw_only=True):
    """A subject holds a role."""

    id: str
    subject: PrincipalRef
    role: PrincipalRef
    state: str = ""
    origin: str | None = None
    justification: str | None = None
    granted_by: PrincipalRef | None = None
    granted_at: str | None = None
    approved_by: PrincipalRef | None = None
    expires_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class ChangedGrants(Struct, kw_only=True):
    """Direct grants of an account that were given and taken together."""

    granted: list[Grant] = field(default_factory=list)
    taken: list[Grant] = field(default_factory=list)
    receipt: Receipt | UnsetType = UNSET


class Permission(Struct, kw_only=True):
    """A permission that is declared."""

    name: str
    label: str = ""
    description: str = ""
    sensitivity: str = ""
    management: bool = False
    declared_by: str = ""


class Imported(Struct, kw_only=True):
    """How many permissions there are now."""

    declared: int
    receipt: Receipt | UnsetType = UNSET


class PermissionSource(Struct, kw_only=True):
    """One path by which a permission is held."""

    text: str
    resource: Any = "*"
    within_teams: bool = False
    expires_at: str | None = None
    path: list[dict[str, Any]] = field(default_factory=list)


class Explained(Struct, kw_only=True):
    """Whether a principal may, by which paths, and which other paths give it elsewhere or no longer."""

    principal: PrincipalRef
    permission: str
    resource: str | None = None
    allowed: bool
    reason: str | None = None
    held: str = "none"
    paths: list[PermissionSource] = field(default_factory=list)
    others: list[PermissionSource] = field(default_factory=list)


_ROLE, _GROUP, _TEAM, _POLICY = (
    f"/v1/{each}/{{id}}" for each in ("roles", "groups", "teams", "access-policies")
)
LIST_ROLES: Operation[Page[Role]] = Operation("GET", "/v1/roles", "role:read", Page[Role])
CREATE_ROLE: Operation[Role] = Operation("POST", "/v1/roles", "role:create", Role, True)
GET_ROLE: Operation[Role] = Operation("GET", _ROLE, "role:read", Role)
EDIT_ROLE: Operation[Role] = Operation("PATCH", _ROLE, "role:update", Role)
DELETE_ROLE: Operation[Role] = Operation("DELETE", _ROLE, "role:delete", Role)

LIST_ASSIGNMENTS: Operation[Page[Assignment]] = Operation(
    "GET", "/v1/assignments", "grant:read", Page[Assignment]
)
ASSIGN_ROLE: Operation[Assignment] = Operation("POST", "/v1/assignments", "grant:create", Assignment, True)
UNASSIGN_ROLE: Operation[Assignment] = Operation("DELETE", "/v1/assignments/{id}", "grant:delete", Assignment)
APPROVE_ASSIGNMENT: Operation[Assignment] = Operation(
    "POST", "/v1/assignments/{id}/approve", "grant:create", Assignment
)
LIST_ACCOUNT_GRANTS: Operation[Page[Grant]] = Operation(
    "GET", "/v1/service-accounts/{id}/grants", "grant:read", Page[Grant]
)
CHANGE_GRANTS: Operation[ChangedGrants] = Operation(
    "PATCH", "/v1/service-accounts/{id}/grants", "grant:delete", ChangedGrants
)
LIST_GRANTS: Operation[Page[Grant]] = Operation("GET", "/v1/grants", "grant:read", Page[Grant])
GRANT: Operation[Grant] = Operation("POST", "/v1/grants", "grant:create", Grant, True)
TAKE_GRANT: Operation[Grant] = Operation("DELETE", "/v1/grants/{id}", "grant:delete", Grant)
APPROVE_GRANT: Operation[Grant] = Operation("POST", "/v1/grants/{id}/approve", "grant:create", Grant)

LIST_ACCESS_POLICIES: Operation[Page[AccessPolicy]] = Operation(
    "GET", "/v1/access-policies", "access_policy:read", Page[AccessPolicy]
)
CREATE_ACCESS_POLICY: Operation[AccessPolicy] = Operation(
    "POST", "/v1/access-policies", "access_policy:create", AccessPolicy, True
)
GET_ACCESS_POLICY: Operation[AccessPolicy] = Operation("GET", _POLICY, "access_policy:read", AccessPolicy)
EDIT_ACCESS_POLICY: Operation[AccessPolicy] = Operation(
    "PATCH", _POLICY, "access_policy:update", AccessPolicy
)
DELETE_ACCESS_POLICY: Operation[AccessPolicy] = Operation(
    "DELETE", _POLICY, "access_policy:delete", AccessPolicy
)
APPROVE_ACCESS_POLICY: Operation[AccessPolicy] = Operation(
    "POST", f"{_POLICY}/approve", "access_policy:update", AccessPolicy
)

LIST_PERMISSIONS: Operation[Page[Permission]] = Operation(
    "GET", "/v1/permissions", "role:read", Page[Permission]
)
IMPORT_PERMISSIONS: Operation[Imported] = Operation(
    "POST", "/v1/permissions/import", "permission:import", Imported
)
EXPLAIN: Operation[Explained] = Operation("POST", "/v1/decisions/explain", "decision:simulate", Explained)
WHO_CAN: Operation[Page[PrincipalRef]] = Operation(
    "GET", "/v1/decisions/who", "decision:simulate", Page[PrincipalRef]
)


class Collection:
    """What can be done to groups, or to teams; both alike."""

    def __init__(self, kind: str, path: str) -> None:
        one = f"{path}/{{id}}"
        self.kind = kind
        self.list: Operation[Page[Group]] = Operation("GET", path, f"{kind}:read", Page[Group])
        self.create: Operation[Group] = Operation("POST", path, f"{kind}:create", Group, True)
        self.get: Operation[Group] = Operation("GET", one, f"{kind}:read", Group)
        self.edit: Operation[Group] = Operation("PATCH", one, f"{kind}:update", Group)
        self.delete: Operation[Group] = Operation("DELETE", one, f"{kind}:delete", Group)
        self.members: Operation[Page[Member]] = Operation(
            "GET", f"{one}/members", f"{kind}:read", Page[Member]
        )
        self.add: Operation[Page[Member]] = Operation("POST", f"{one}/add", f"{kind}:update", Page[Member])
        self.remove: Operation[Group] = Operation("POST", f"{one}/remove", f"{kind}:update", Group)
        self.approve: Operation[Member] = Operation(
            "POST", f"{one}/members/{{principal_id}}/approve", f"{kind}:update", Member
        )
        self.resources: Operation[Page[TeamResource]] = Operation(
            "GET", f"{one}/resources", f"{kind}:read", Page[TeamResource]
        )
        self.change_resources: Operation[Group] = Operation(
            "POST", f"{one}/resources", f"{kind}:update", Group
        )


GROUPS = Collection("group", "/v1/groups")
TEAMS = Collection("team", "/v1/teams")
