"""Groups of the organization: list, create, get, update, delete; their members."""

from __future__ import annotations

from retinue.server.access import group_actions, member_actions
from retinue.server.access.queries import Group
from retinue.server.api import collecting, render_access, schemas
from retinue.server.api.operations import Call, operation

TAG = "groups"
LIST, ONE = "/groups", "/groups/{group_id}"


@operation("GET", LIST, permission="group:read", response=collecting.GroupList, tag=TAG)
def list_groups(call: Call, query: collecting.Filter) -> schemas.JSON:
    """List the groups of the organization."""
    return collecting.listed(call, Group.GROUP, query)


@operation(
    "POST",
    LIST,
    permission="group:create",
    also={"roles": ("grant:create",), "permissions": ("grant:create",)},
    response=collecting.Group,
    status=201,
    tag=TAG,
)
def create_group(call: Call, body: collecting.Create) -> schemas.JSON:
    """Create a group with its roles, grants and members: all of it or nothing."""
    return collecting.created(call, Group.GROUP, body)


@operation("GET", ONE, permission="group:read", response=collecting.Group, tag=TAG)
def get_group(call: Call, group_id: str) -> schemas.JSON:
    """Get a group."""
    return collecting.one(_find(call, group_id))


@operation("PATCH", ONE, permission="group:update", response=collecting.Group, tag=TAG, reduces=True)
def update_group(call: Call, group_id: str, body: collecting.Update) -> schemas.JSON:
    """Change a group; what is left out stays."""
    return collecting.updated(call, _find(call, group_id), body)


@operation("DELETE", ONE, permission="group:delete", response=collecting.Group, tag=TAG, reduces=True)
def delete_group(call: Call, group_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete a group: its members have nothing by it any more."""
    return collecting.one(group_actions.delete(call.tx, _find(call, group_id)))


@operation("GET", f"{ONE}/members", permission="group:read", response=collecting.MemberList, tag=TAG)
def list_members_of_group(call: Call, group_id: str, query: schemas.ListQuery) -> schemas.JSON:
    """List the members of a group, by its rule or by hand."""
    return collecting.members(call, _find(call, group_id), query)


@operation("POST", f"{ONE}/add", permission="group:update", response=collecting.MemberList, tag=TAG)
def add_to_group(call: Call, group_id: str, body: collecting.AddMembers) -> schemas.JSON:
    """Put principals into a group; the answer lists them."""
    return collecting.added(call, _find(call, group_id), body)


@operation(
    "POST", f"{ONE}/remove", permission="group:update", response=collecting.Group, tag=TAG, reduces=True
)
def remove_from_group(call: Call, group_id: str, body: collecting.Members) -> schemas.JSON:
    """Take principals out of a group."""
    return collecting.removed(call, _find(call, group_id), body)


@operation(
    "POST",
    f"{ONE}/members/{{principal_id}}/approve",
    permission="group:update",
    response=collecting.Member,
    tag=TAG,
)
def approve_member_of_group(
    call: Call, group_id: str, principal_id: str, body: schemas.WithReason
) -> schemas.JSON:
    """Let a member in who waits for a second person."""
    found = _find(call, group_id)
    who = collecting.principals(call, [principal_id])[0]
    member_actions.approve(call.tx, found, who)
    return render_access.members(found, [who], call.now)[0]


def _find(call: Call, ident: str) -> Group:
    return group_actions.find(call.organization, ident, Group.GROUP)
