"""The caller itself. Holders of no permission still see who they are."""

from __future__ import annotations

from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.operations import Access, Call, operation
from retinue.server.credentials import queries
from retinue.server.directory import queries as directory

TAG = "me"


class Me(schemas.Answer):
    """The principal that the token acts for."""

    id: str
    kind: str
    handle: str
    name: str
    email: str | None = None


class Home(schemas.Answer):
    """The caller's organization."""

    id: str
    handle: str
    name: str


class PresentCredential(schemas.Answer):
    """The credential of this call."""

    id: str
    kind: str
    name: str
    expires_at: str | None


class WhoAmI(schemas.Answer):
    """Who calls, with what, and what it may do."""

    principal: Me
    organization: Home
    credential: PresentCredential
    permissions: list[str]
    operator: bool


@operation("GET", "/me", permission=Access.SELF, response=WhoAmI, tag=TAG)
def get_me(call: Call) -> schemas.JSON:
    """Tell who the caller is, with which credential, and what it may do."""
    home = directory.organization(call.organization)
    credential = queries.by_ids([call.actor.credential])[call.actor.credential]
    return {
        "principal": {**(render.ref(call.own_principal) or {}), "email": call.own_principal.email or None},
        "organization": {"id": home.id, "handle": home.handle, "name": home.name},
        "credential": {
            "id": credential.id,
            "kind": render.kind_of(credential),
            "name": credential.name,
            "expires_at": instant(credential.expires_at),
        },
        "permissions": sorted(call.held),
        "operator": call.own_principal.is_operator,
    }
