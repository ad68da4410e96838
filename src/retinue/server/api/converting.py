"""Convert an integration that uses a person's token into a service account with what was really used."""

from __future__ import annotations

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.account_schemas import ServiceAccount
from retinue.server.api.accounts import owners_named
from retinue.server.api.credential_schemas import EXPIRES, EffectiveExpiry, Key
from retinue.server.api.operations import Call, operation
from retinue.server.api.personal_tokens import NOUN, ONE, check_revocable, visible
from retinue.server.api.secrets_told import issued, one, overlap
from retinue.server.credentials import queries
from retinue.server.credentials.queries import Credential
from retinue.server.directory.rules import AccountFields
from retinue.server.errors import NotFound
from retinue.server.traffic import converting
from retinue.server.traffic.converting import Conversion
from retinue.token import Kind

TAG = "personal-access-tokens"
#: The token ends by it, whosever it is.
NEEDS = ("pat:read", "pat:revoke", "service_account:create", "grant:create", "credential:issue")


class ConversionPlan(schemas.Answer):
    """What a token was used for, as far as the request log goes back."""

    token: Key
    permissions: list[str] = Field(description="Used, held by the user, and fit for a service account.")
    left_out: list[str] = Field(description="Used, and not to be handed on.")


class Convert(schemas.WithReason):
    """The service account that takes the place of a token."""

    name: str
    handle: str | None = None
    description: str = ""
    purpose: str = ""
    documentation: str = ""
    environment: str = ""
    systems: list[str] = []
    owners: list[str] = Field([], description="Users; nobody named: the user of the token.")
    permissions: list[str] | None = Field(None, description="Instead of those that were used.")
    justification: str = ""
    key_name: str | None = Field(None, description="Name of the key; that of the token, if left out.")
    expires: str | None = Field(None, description=EXPIRES)
    overlap: str | None = Field(None, description="How long the token is still accepted: `24h`, `0s`.")


class ConvertedToken(schemas.Answer):
    """The new account and its key, with the token of the key, and the old token."""

    account: ServiceAccount
    key: Key
    token: str
    expiry: EffectiveExpiry
    permissions: list[str]
    left_out: list[str]
    replaced: Key


@operation("GET", f"{ONE}/convert", permission="pat:read", response=ConversionPlan, tag=TAG)
def plan_conversion(call: Call, token_id: str) -> schemas.JSON:
    """Tell with which permissions a service account would take the place of a token."""
    token = _token(call, token_id)
    used = converting.used_with(token)
    return {
        "token": one(call, token),
        "permissions": list(used.permissions),
        "left_out": list(used.left_out),
    }


@operation(
    "POST",
    f"{ONE}/convert",
    permission=NEEDS,
    response=ConvertedToken,
    status=201,
    tag=TAG,
    reduces=True,
)
def convert_token(call: Call, token_id: str, body: Convert) -> schemas.JSON:
    """Create a service account that does what a token did; its key replaces the token after the overlap."""
    token = _token(call, token_id)
    if token.principal_id != call.actor.id:
        check_revocable(call.organization)
    owners = owners_named(call, body.owners) or (token.principal_id or "",)
    fields = AccountFields(
        name=body.name,
        handle=body.handle,
        description=body.description,
        purpose=body.purpose,
        documentation=body.documentation,
        environment=body.environment,
        systems=tuple(body.systems),
        owners=owners,
    )
    wanted = Conversion(
        fields, body.permissions, body.justification, body.key_name, body.expires, overlap(body.overlap)
    )
    made = converting.convert(call.tx, token, wanted)
    return {
        **issued(call, made.issued),
        "account": render.service_accounts([made.account], call.now)[0],
        "permissions": list(made.permissions),
        "left_out": list(made.left_out),
        "replaced": one(call, _token(call, token_id)),
    }


def _token(call: Call, token_id: str) -> Credential:
    """Return a token that the caller sees: an own one, or as far as the policy shows those of others."""
    try:
        return queries.personal_token(call.actor.id, token_id)
    except NotFound:
        found = visible(call, token_id)
        if found.kind != Kind.PERSONAL:
            raise NotFound(NOUN, token_id) from None
        return found
