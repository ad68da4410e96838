"""Teams of the organization: list, create, get, update, delete; their members and resources."""

from __future__ import annotations

from pydantic import Field

from retinue.server.access import group_actions, member_actions
from retinue.server.access.queries import Group
from retinue.server.api import collecting, render_access, schemas
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation

TAG = "teams"
LIST, ONE = "/teams", "/teams/{team_id}"


@operation("GET", LIST, permission="team:read", response=collecting.GroupList, tag=TAG)
def list_teams(call: Call, query: collecting.Filter) -> schemas.JSON:
    """List the teams of the organization."""
    return collecting.listed(call, Group.TEAM, query)


@operation(
    "POST",
    LIST,
    permission="team:create",
    also={"roles": ("grant:create",), "permissions": ("grant:create",)},
    response=collecting.Group,
    status=201,
    tag=TAG,
)
def create_team(call: Call, body: collecting.Create) -> schemas.JSON:
    """Create a team with its roles, grants and members: all of it or nothing."""
    return collecting.created(call, Group.TEAM, body)


@operation("GET", ONE, permission="team:read", response=collecting.Group, tag=TAG)
def get_team(call: Call, team_id: str) -> schemas.JSON:
    """Get a team."""
    return collecting.one(_find(call, team_id))


@operation("PATCH", ONE, permission="team:update", response=collecting.Group, tag=TAG, reduces=True)
def update_team(call: Call, team_id: str, body: collecting.Update) -> schemas.JSON:
    """Change a team; what is left out stays."""
    return collecting.updated(call, _find(call, team_id), body)


@operation("DELETE", ONE, permission="team:delete", response=collecting.Group, tag=TAG, reduces=True)
def delete_team(call: Call, team_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete a team: its members have nothing by it any more."""
    return collecting.one(group_actions.delete(call.tx, _find(call, team_id)))


@operation("GET", f"{ONE}/members", permission="team:read", response=collecting.MemberList, tag=TAG)
def list_members_of_team(call: Call, team_id: str, query: schemas.ListQuery) -> schemas.JSON:
    """List the members of a team, by its rule or by hand."""
    return collecting.members(call, _find(call, team_id), query)


@operation("POST", f"{ONE}/add", permission="team:update", response=collecting.MemberList, tag=TAG)
def add_to_team(call: Call, team_id: str, body: collecting.AddMembers) -> schemas.JSON:
    """Put principals into a team; the answer lists them."""
    return collecting.added(call, _find(call, team_id), body)


@operation(
    "POST", f"{ONE}/remove", permission="team:update", response=collecting.Group, tag=TAG, reduces=True
)
def remove_from_team(call: Call, team_id: str, body: collecting.Members) -> schemas.JSON:
    """Take principals out of a team."""
    return collecting.removed(call, _find(call, team_id), body)


@operation(
    "POST",
    f"{ONE}/members/{{principal_id}}/approve",
    permission="team:update",
    response=collecting.Member,
    tag=TAG,
)
def approve_member_of_team(
    call: Call, team_id: str, principal_id: str, body: schemas.WithReason
) -> schemas.JSON:
    """Let a member in who waits for a second person."""
    found = _find(call, team_id)
    who = collecting.principals(call, [principal_id])[0]
    member_actions.approve(call.tx, found, who)
    return render_access.members(found, [who], call.now)[0]


class Resources(schemas.WithReason):
    """Ids of the host's resources."""

    add: list[str] = Field([], max_length=1_000)
    remove: list[str] = Field([], max_length=1_000)


class TeamResource(schemas.Answer):
    """A resource that belongs to a team."""

    resource: str


class TeamResourceList(schemas.Answer):
    """A page of the resources of a team."""

    items: list[TeamResource]
    next: str | None


@operation("GET", f"{ONE}/resources", permission="team:read", response=TeamResourceList, tag=TAG)
def list_resources_of_team(call: Call, team_id: str, query: schemas.ListQuery) -> schemas.JSON:
    """List the resources of a team."""
    found = _find(call, team_id)
    rows, following = page(
        found.resources.all(),
        Listing("resources", found.id, {}, ("resource", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": [{"resource": row.resource} for row in rows], "next": following}


@operation(
    "POST",
    f"{ONE}/resources",
    permission="team:update",
    response=collecting.Group,
    tag=TAG,
    reduces=True,
)
def change_resources_of_team(call: Call, team_id: str, body: Resources) -> schemas.JSON:
    """Put resources into a team, or take them out."""
    found = _find(call, team_id)
    return collecting.one(member_actions.change_resources(call.tx, found, add=body.add, remove=body.remove))


def _find(call: Call, ident: str) -> Group:
    return group_actions.find(call.organization, ident, Group.TEAM)
