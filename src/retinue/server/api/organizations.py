"""Organizations: those of the installation, for its operators; and the caller's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, Refused, operation
from retinue.server.api.users import INVITATION_PAGE, User
from retinue.server.credentials import founding
from retinue.server.directory import organizations as actions
from retinue.server.directory import queries
from retinue.server.policies import queries as policies
from retinue.server.policies.presets import NATIVE

TAG = "organizations"
LIST, ONE = "/organizations", "/organizations/{organization_id}"


class Organization(schemas.Answer):
    """An organization: nothing of what it has is visible to another."""

    id: str
    handle: str
    name: str
    state: Literal["enabled", "disabled", "deleted"]
    installation: bool = Field(description="Its operators run the installation.")
    preset: str
    policy_version: int
    created_at: str


class OrganizationList(schemas.Answer):
    """A page of organizations."""

    items: list[Organization]
    next: str | None


class OrganizationFilter(schemas.ListQuery):
    """Filters of the list of organizations."""

    state: Literal["enabled", "disabled", "deleted"] | None = None
    handle: str | None = None
    search: str | None = None


class FirstAdministrator(schemas.WithReason):
    """The person who may do everything in a new organization."""

    email: str
    name: str


class CreateOrganization(schemas.WithReason):
    """A new organization, and who is to hold it: a person who is invited, or a service account."""

    handle: str
    name: str
    preset: str = NATIVE
    administrator: FirstAdministrator | None = None
    service_account: str | None = Field(None, description="Name of a service account that administers.")


class FoundedOrganization(schemas.Answer):
    """A new organization and what is handed over; the token stands in this answer and nowhere else."""

    organization: Organization
    administrator: User | None
    service_account: schemas.PrincipalRef | None
    credential_id: str
    token: str = Field(description="An invitation for a person, or the first API key of the account.")
    expires_at: str | None
    page: str | None = Field(description="Where the holder of an invitation chooses a password.")


class UpdateOrganization(schemas.WithReason):
    """The fields to change; what is left out stays."""

    name: str = ""


class DeleteOrganization(schemas.Reasoned):
    """Says that the end of the whole organization is meant."""

    confirm: str = Field(description="The handle of the organization.")


@operation("GET", LIST, permission="organization:list", response=OrganizationList, tag=TAG)
def list_organizations(call: Call, query: OrganizationFilter) -> schemas.JSON:
    """List the organizations of the installation."""
    filters = query.filters()
    rows, following = page(
        queries.organizations(**filters),
        Listing("organizations", "", filters, ("name", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": _organizations(rows), "next": following}


@operation("POST", LIST, permission="organization:create", response=FoundedOrganization, status=201, tag=TAG)
def create_organization(call: Call, body: CreateOrganization) -> schemas.JSON:
    """Create an organization with its preset and first administrator; its tokens are told this once."""
    person = body.administrator
    return _founded(
        call,
        founding.found(
            call.tx,
            handle=body.handle,
            name=body.name,
            preset=body.preset,
            person=None if person is None else (person.email, person.name),
            account=body.service_account,
        ),
    )


@operation(
    "POST",
    f"{ONE}/administrator",
    permission="organization:create",
    response=FoundedOrganization,
    status=201,
    tag=TAG,
    reduces=True,
)
def invite_administrator(call: Call, organization_id: str, body: FirstAdministrator) -> schemas.JSON:
    """Invite the first administrator anew, while nobody can enter the organization; others end."""
    found = queries.any_organization(organization_id, lock=True)
    return _founded(call, founding.invite_again(call.tx, found, (body.email, body.name)))


@operation("GET", ONE, permission="organization:list", response=Organization, tag=TAG)
def get_organization(call: Call, organization_id: str) -> schemas.JSON:
    """Get an organization by its id or handle."""
    return _organizations([queries.any_organization(organization_id)])[0]


@operation("POST", f"{ONE}/enable", permission="organization:enable", response=Organization, tag=TAG)
def enable_organization(call: Call, organization_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Enable a disabled organization; what was not ended itself works again."""
    found = queries.any_organization(organization_id, lock=True)
    return _organizations([actions.enable(call.tx, found)])[0]


@operation(
    "POST",
    f"{ONE}/disable",
    permission="organization:disable",
    response=Organization,
    tag=TAG,
    reduces=True,
)
def disable_organization(call: Call, organization_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Disable an organization: none of its tokens and people are accepted until it is enabled again."""
    found = queries.any_organization(organization_id, lock=True)
    return _organizations([actions.disable(call.tx, found, body.reason)])[0]


@operation("GET", "/organization", permission="organization:read", response=Organization, tag=TAG)
def get_own_organization(call: Call) -> schemas.JSON:
    """Get the caller's organization."""
    return _organizations([queries.organization(call.organization)])[0]


@operation("PATCH", "/organization", permission="organization:update", response=Organization, tag=TAG)
def update_own_organization(call: Call, body: UpdateOrganization) -> schemas.JSON:
    """Change the name of the caller's organization."""
    found = queries.any_organization(call.organization, lock=True)
    if "name" in body.model_fields_set:
        found = actions.rename(call.tx, found, body.name)
    return _organizations([found])[0]


@operation(
    "DELETE",
    "/organization",
    permission="organization:delete",
    response=Organization,
    tag=TAG,
    reduces=True,
)
def delete_own_organization(call: Call, query: DeleteOrganization) -> schemas.JSON:
    """Delete the caller's organization for good, with all it has."""
    found = queries.any_organization(call.organization, lock=True)
    if query.confirm != found.handle:
        raise Refused("invalid_value", f"must be the handle, {found.handle}", field="query.confirm")
    return _organizations([actions.delete(call.tx, found, query.reason)])[0]


def _organizations(rows: Sequence[queries.Organization]) -> list[schemas.JSON]:
    standing = policies.standing_rows(row.id for row in rows)
    return [_organization(row, standing.get(row.id)) for row in rows]


def _organization(row: queries.Organization, version: policies.Version | None) -> schemas.JSON:
    return {
        "id": row.id,
        "handle": row.handle,
        "name": row.name,
        "state": row.state,
        "installation": row.is_installation,
        "preset": NATIVE if version is None else version.document["preset"],
        "policy_version": 0 if version is None else version.number,
        "created_at": instant(row.created_at),
    }


def _founded(call: Call, made: founding.Founded) -> schemas.JSON:
    call.credential = made.issued.credential.id
    is_person = made.holder.kind == queries.Principal.USER
    return {
        "organization": _organizations([made.organization])[0],
        "administrator": render.users([made.holder])[0] if is_person else None,
        "service_account": None if is_person else render.ref(made.holder),
        "credential_id": made.issued.credential.id,
        "token": made.issued.token.reveal(),
        "expires_at": instant(made.issued.expiry.at),
        "page": INVITATION_PAGE if is_person else None,
    }
